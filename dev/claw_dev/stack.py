"""The local stack: everything that Claw talks to, started in order, reachable, and ended without a trace.

    async with Stack(directory) as stack:
        await stack.kubectl.run("get", "clawinstances", "--namespace", stack.namespace)
        mail = await stack.mails.to("ada@example.com")

Each stack begins with an empty world: a new control plane, a new PostgreSQL, new secrets. What it wrote stays in its
directory until the next one starts there.
"""

import asyncio
import os
import secrets
import signal
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from random import Random, SystemRandom

import psycopg

from claw_dev import clouds, notes, services
from claw_dev.certificates import write_secret
from claw_dev.errors import StackError
from claw_dev.folder import take_folder
from claw_dev.installation import NAMESPACE, ServiceAccounts
from claw_dev.kubectl import Kubectl
from claw_dev.kubernetes import Kubernetes
from claw_dev.lock import StackLock
from claw_dev.mailcatcher import MailCatcher
from claw_dev.parts import Part, Providers, everything, needs, with_needs
from claw_dev.ports import LOOPBACK, free_ports
from claw_dev.postgres import Postgres, create_owned_database, is_reachable, with_database, without_credentials
from claw_dev.probes import answers
from claw_dev.processes import Process, Processes, Program
from claw_dev.progress import PartProgress, Progress
from claw_dev.record import RECORD_FILE, StackRecord

DATABASE_VARIABLE = "CLAW_DEV_DATABASE_URL"
"""Not DATABASE_URL, which may name anybody's production."""

CUSTOMERS_DATABASE = "claw_customers"
_GIVE_BACK_SECONDS = 300.0


class Stack:
    """One stack in one directory. Use as an async context manager, or `start` and `stop` it."""

    def __init__(
        self,
        directory: Path,
        *,
        parts: Iterable[Part] | None = None,
        providers: Providers = Providers.LOCAL,
        environment: Mapping[str, str] | None = None,
        listener: Callable[[PartProgress], None] = lambda changed: None,
        random: Random | None = None,
    ) -> None:
        """`parts`, by default all, are started together with what they need. `listener` hears how far each has come."""
        self.directory = directory.absolute()
        self.providers = providers
        self.parts = with_needs(everything(providers) if parts is None else parts, providers)
        self.namespace = NAMESPACE
        self.logs = self.directory / "logs"
        self.instances = self.directory / "instances"
        """Where the operator's local driver keeps the runtimes."""
        self.progress = Progress(self.parts, listener)

        environment = os.environ if environment is None else environment
        random = random or SystemRandom()
        ports = free_ports(7, random)
        stripe_port, claude_port, mail_port, operator_port, webhook_port, railway_port, neon_port = ports
        self.stripe = services.Stripe(
            url=f"http://{LOOPBACK}:{stripe_port}",
            secret_key=f"sk_test_{secrets.token_hex(16)}",
            webhook_secret=f"whsec_{secrets.token_hex(16)}",
        )
        self.model = services.chosen_model(environment, f"http://{LOOPBACK}:{claude_port}")
        self.clouds = clouds.SimulatedClouds(
            railway_url=f"http://{LOOPBACK}:{railway_port}",
            neon_url=f"http://{LOOPBACK}:{neon_port}",
            railway_token=secrets.token_hex(16),
            neon_key=f"napi_{secrets.token_hex(16)}",
        )
        self._cloud_environment = clouds.cloud_environment(environment) if providers is Providers.CLOUD else {}
        self.operator_url = f"http://{LOOPBACK}:{operator_port}"
        self.webhook_url = f"http://{LOOPBACK}:{webhook_port}"
        self.stripe_url = self.stripe.url
        self.claude_url = self.model.url

        self.processes = Processes(self.directory, self._on_death)
        self.kubernetes = Kubernetes(self.directory, self.processes, environment, random=random)
        self._given_database = environment.get(DATABASE_VARIABLE)
        self._postgres = Postgres(self.directory, self.processes, random=random)
        self._customers_password = secrets.token_urlsafe(24)
        self._mail_catcher = MailCatcher(self.directory / "mail", mail_port)
        self.mails = self._mail_catcher.mails
        self._accounts: ServiceAccounts | None = None
        self._is_ready = {part: asyncio.Event() for part in self.parts}
        self._lock = StackLock(self.directory)

    async def __aenter__(self) -> "Stack":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def kubectl(self) -> Kubectl:
        """For kubectl as the administrator."""
        return self.kubernetes.kubectl

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.kubernetes.kubeconfig

    @property
    def postgres_url(self) -> str:
        """The database server, as its administrator."""
        return self._given_database or self._postgres.url

    @property
    def customers_url(self) -> str:
        """The customers database, as the role of the webhook service; nobody else can connect."""
        return with_database(
            self.postgres_url, CUSTOMERS_DATABASE, user=CUSTOMERS_DATABASE, password=self._customers_password
        )

    async def start(self) -> None:
        """Start everything; returns when all of it is ready. Raises StackError, and leaves nothing, when it cannot."""
        await asyncio.to_thread(take_folder, self.directory, self._lock)
        try:
            async with asyncio.TaskGroup() as group:
                for part in self.parts:
                    group.create_task(self._start(part), name=part)
            self.record().write()
        except BaseExceptionGroup as failures:
            await self.stop()
            # The parts that failed are all shown; the first is what the person should look at.
            if (known := failures.subgroup(StackError)) is not None:
                raise _first(known) from None
            raise
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End everything, whoever needs something before what it needs. Safe to repeat.

        Raises StackError when it has ended and something was left at the real providers.
        """
        await self.processes.stop(Part.WEBHOOK)
        left = await self._give_back() if self.providers is Providers.CLOUD else ""
        await self.processes.stop(Part.OPERATOR)
        # The operator is gone, or it would start them again.
        await asyncio.to_thread(notes.end_runtimes, self.directory)
        await self._mail_catcher.stop()
        await self.processes.stop(Part.STRIPE, Part.CLAUDE, Part.RAILWAY, Part.NEON, "kube-controller-manager")
        await self.processes.stop("kube-apiserver", "postgres")
        await self.processes.close()
        for part in self.parts:
            self.progress.stopped(part)
        (self.directory / RECORD_FILE).unlink(missing_ok=True)
        self._lock.release()
        if left:
            raise StackError(
                f"not everything could be removed at Railway and Neon: {left}",
                "delete what is named claw-… there by hand: nobody else will, and it costs money",
            )

    async def _give_back(self) -> str:
        """Remove every instance while there is an operator to do it; why that was not possible, if it was not."""
        if Part.OPERATOR not in self._is_ready or not self._is_ready[Part.OPERATOR].is_set():
            return ""
        self._is_ready[Part.OPERATOR].clear()
        try:
            delete = ("delete", "clawinstances", "--all", "--namespace", self.namespace)
            await self.kubectl.run(*delete, deadline=_GIVE_BACK_SECONDS)
        except StackError as error:
            return str(error)
        return ""

    async def restart(self, part: Part) -> None:
        """End one of our own services or a simulator in good order, and start it again with the same address."""
        await self.processes.stop(part)
        await self._start(part)

    async def kill(self, part: Part) -> None:
        """SIGKILL one of our own services or a simulator; `restart` brings it back."""
        process = self.processes[part]
        process.signal(signal.SIGKILL)
        await process.wait()

    def record(self) -> StackRecord:
        """What `stack.json` says."""
        has = self.parts.__contains__
        return StackRecord(
            pid=os.getpid(),
            directory=self.directory,
            logs=self.logs,
            namespace=self.namespace,
            kubeconfig=self.kubeconfig if has(Part.KUBERNETES) else None,
            postgres_url=self.postgres_url if has(Part.POSTGRES) else None,
            customers_url=self.customers_url if has(Part.POSTGRES) else None,
            smtp_url=self._mail_catcher.url if has(Part.MAIL) else None,
            mail_directory=self.mails.directory if has(Part.MAIL) else None,
            stripe_url=self.stripe_url if has(Part.STRIPE) else None,
            stripe_secret_key=self.stripe.secret_key if has(Part.STRIPE) else None,
            stripe_webhook_secret=self.stripe.webhook_secret if has(Part.STRIPE) else None,
            claude_url=self.claude_url if has(Part.CLAUDE) else None,
            railway_url=self.clouds.railway_url if has(Part.RAILWAY) else None,
            neon_url=self.clouds.neon_url if has(Part.NEON) else None,
            operator_url=self.operator_url if has(Part.OPERATOR) else None,
            webhook_url=self.webhook_url if has(Part.WEBHOOK) else None,
        )

    async def _start(self, part: Part) -> None:
        await asyncio.gather(*(self._is_ready[need].wait() for need in needs(part, self.providers)))
        self.progress.starting(part, "")
        try:
            address = await self._starter(part)()
        except StackError as error:
            self.progress.failed(part, str(error))
            raise
        except OSError as error:
            self.progress.failed(part, str(error))
            raise StackError(f"cannot start {part}: {error}", "is the disk full, or a folder not yours?") from error
        self.progress.ready(part, address)
        self._is_ready[part].set()

    def _starter(self, part: Part) -> Callable[[], Awaitable[str]]:
        """What starts the part, and returns its address."""
        match part:
            case Part.KUBERNETES:
                return self._start_kubernetes
            case Part.POSTGRES:
                return self._start_postgres
            case Part.MAIL:
                return self._start_mail
            case Part.STRIPE:
                return self._start_stripe
            case Part.CLAUDE:
                return self._start_claude
            case Part.RAILWAY:
                return self._start_railway
            case Part.NEON:
                return self._start_neon
            case Part.OPERATOR:
                return self._start_operator
            case Part.WEBHOOK:
                return self._start_webhook

    async def _start_kubernetes(self) -> str:
        self._accounts = await self.kubernetes.start(lambda line: self.progress.starting(Part.KUBERNETES, line))
        return f"KUBECONFIG={self.kubeconfig}"

    async def _start_postgres(self) -> str:
        if self._given_database is None:
            await self._postgres.start()
        elif not await is_reachable(self._given_database):
            raise StackError(f"the PostgreSQL that {DATABASE_VARIABLE} names does not answer")
        try:
            await create_owned_database(self.postgres_url, CUSTOMERS_DATABASE, self._customers_password)
        except psycopg.Error as error:
            raise StackError(
                f"the customers database cannot be made: {error}",
                "the user of the server must be allowed to create databases and roles",
            ) from error
        return without_credentials(self.postgres_url)

    async def _start_mail(self) -> str:
        await self._mail_catcher.start()
        return f"{self._mail_catcher.url}, kept in {self.mails.directory}"

    async def _start_stripe(self) -> str:
        return await self._start_program(services.stripe_program(self.stripe, self.webhook_url), self.stripe_url)

    async def _start_claude(self) -> str:
        if not self.model.simulated:
            return f"{self.claude_url}, with your ANTHROPIC_API_KEY: replies cost money"
        return await self._start_program(services.claude_program(self.model), self.claude_url)

    async def _start_railway(self) -> str:
        return await self._start_program(self.clouds.railway_program(), self.clouds.railway_url)

    async def _start_neon(self) -> str:
        return await self._start_program(self.clouds.neon_program(self.postgres_url), self.clouds.neon_url)

    async def _start_operator(self) -> str:
        program = services.operator_program(
            self.operator_url, self._service_accounts, self._providers_environment(), self.model, self.webhook_url
        )
        return await self._start_program(program, self.operator_url)

    async def _start_webhook(self) -> str:
        program = services.webhook_program(
            self.webhook_url, self._service_accounts, self.customers_url, self.stripe, self._mail_catcher.url
        )
        # For the commands that work on the customers database, such as `claw billing events`.
        write_secret(self.directory / "webhook.env", services.environment_file(program))
        return await self._start_program(program, self.webhook_url)

    async def _start_program(self, program: Program, url: str) -> str:
        await self.processes.start(program, answers(f"{url}/healthz"))
        return url

    def _providers_environment(self) -> Mapping[str, str]:
        match self.providers:
            case Providers.LOCAL:
                return clouds.local_environment(self.instances, self.postgres_url)
            case Providers.SIMULATED:
                return self.clouds.environment()
            case Providers.CLOUD:
                return self._cloud_environment

    @property
    def _service_accounts(self) -> ServiceAccounts:
        if self._accounts is None:
            raise RuntimeError("Kubernetes is not ready, so there are no service accounts yet")
        return self._accounts

    def _on_death(self, process: Process) -> None:
        part = Part(process.name) if process.name in set(Part) else Part.KUBERNETES
        code = process.exit_code
        self.progress.failed(part, f"{process.name} ended by itself (exit code {code}); see {process.log}")


def _first(failures: ExceptionGroup[StackError]) -> StackError:
    failure: Exception = failures
    while isinstance(failure, ExceptionGroup):
        failure = failure.exceptions[0]
    if not isinstance(failure, StackError):
        raise TypeError("a group of other errors") from failure
    return failure
