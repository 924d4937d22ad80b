"""The control plane's certificates, tried on a real TLS connection."""

import asyncio
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest

from claw_dev.certificates import Certificates, write_secret
from claw_dev.ports import LOOPBACK


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    made = Certificates(tmp_path / "pki")
    made.write(datetime.now(UTC))
    return made


async def connect(certificates: Certificates, client: ssl.SSLContext, host: str) -> bytes:
    """Shake hands with a server that asks for a client certificate, as etcd does; what it then says."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificates.ca)
    tls.load_cert_chain(certificates.server, certificates.server_key)
    tls.verify_mode = ssl.CERT_REQUIRED

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"welcome")
        writer.close()

    async with await asyncio.start_server(greet, LOOPBACK, 0, ssl=tls) as server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection(LOOPBACK, port, ssl=client, server_hostname=host)
        try:
            return await reader.read()
        finally:
            writer.close()


def strict_client(certificates: Certificates) -> ssl.SSLContext:
    client = ssl.create_default_context(cafile=certificates.ca)
    client.verify_flags |= ssl.VERIFY_X509_STRICT  # Python 3.13's default
    return client


@pytest.mark.parametrize("host", [LOOPBACK, "localhost", "kubernetes.default.svc"])
async def test_a_strict_client_and_the_server_trust_each_other(certificates: Certificates, host: str) -> None:
    client = strict_client(certificates)
    client.load_cert_chain(certificates.server, certificates.server_key)

    assert await connect(certificates, client, host) == b"welcome"


async def test_a_client_without_a_certificate_is_turned_away(certificates: Certificates) -> None:
    try:
        said = await connect(certificates, strict_client(certificates), LOOPBACK)
    except (ssl.SSLError, ConnectionResetError):
        said = b""  # since TLS 1.3 a client learns of it when it reads, or sees the connection end

    assert said == b""


def test_private_keys_are_their_owners_alone(certificates: Certificates) -> None:
    assert certificates.directory.stat().st_mode & 0o077 == 0
    assert certificates.server_key.stat().st_mode & 0o077 == 0
    assert certificates.service_account_key.stat().st_mode & 0o077 == 0


def test_a_secret_file_loses_the_rights_that_an_older_one_gave(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)

    write_secret(path, "new")

    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o600
