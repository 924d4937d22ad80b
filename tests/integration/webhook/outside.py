"""The outside of the webhook service, as real servers: a mail server, a cluster to look into, and a wire to cut."""

import asyncio
import base64
import email
import email.policy
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiosmtpd.smtp import SMTP, Envelope, Session

from claw_dev.cluster import ControlPlane

LOOPBACK = "127.0.0.1"


@dataclass
class MailServer:
    """Takes mails. `answers` are given to the next ones instead of taking them; `hold` keeps its answers back."""

    url: str = ""
    mails: list[EmailMessage] = field(default_factory=list)
    envelopes: list[list[str]] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    refusal: str = "550 5.1.1 nobody of that name here"
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.hold.set()

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return self.refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.arrived.set()
        await self.hold.wait()
        if self.answers:
            return self.answers.pop(0)
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails.append(email.message_from_bytes(content, policy=email.policy.SMTP))
        self.envelopes.append(list(envelope.rcpt_tos))
        return "250 taken"


@asynccontextmanager
async def mail_server() -> AsyncIterator[MailServer]:
    """A mail server on a free port."""
    catcher = MailServer()
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(catcher, enable_SMTPUTF8=True, hostname="mail.test"), LOOPBACK, 0
    )
    catcher.url = f"smtp://{LOOPBACK}:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield catcher


class Wire:
    """A TCP connection to a server that can be cut and joined again, for everybody at once."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._writers: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def join(self) -> None:
        """Let connections through, from now on, on the same port."""
        self._server = await asyncio.start_server(self._connected, LOOPBACK, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Break every connection and refuse new ones."""
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers.add(far_writer)
        for source, target in ((reader, far_writer), (far_reader, writer)):
            pump = asyncio.create_task(self._pump(source, target))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                target.write(data)
                await target.drain()
        target.transport.abort() if source.exception() else target.close()
        self._writers.discard(target)


@asynccontextmanager
async def wire_to(url: str) -> AsyncIterator[tuple[Wire, str]]:
    """A wire to the server of that URL, and the URL by which it is reached through the wire."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    wire = Wire(parts.hostname, parts.port)
    await wire.join()
    try:
        yield wire, url.replace(f":{parts.port}", f":{wire.port}", 1)
    finally:
        await wire.cut()


class Cluster:
    """What a person with kubectl would see and do in one namespace."""

    def __init__(self, control_plane: ControlPlane, namespace: str, session: aiohttp.ClientSession) -> None:
        self.namespace = namespace
        self._url = control_plane.url
        self._session = session
        self._ssl = ssl.create_default_context(cafile=str(control_plane.ca_file))
        self._headers = {"Authorization": f"Bearer {control_plane.admin_token}"}
        self._instances = f"/apis/claw.dev/v1alpha1/namespaces/{namespace}/clawinstances"
        self._secrets = f"/api/v1/namespaces/{namespace}/secrets"

    async def instances(self) -> list[dict[str, Any]]:
        """All ClawInstances."""
        listed: list[dict[str, Any]] = (await self._call("GET", self._instances))["items"]
        return listed

    async def instance(self, name: str) -> dict[str, Any]:
        """One of them."""
        return await self._call("GET", f"{self._instances}/{name}")

    async def put_instance(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """Create one by hand."""
        return await self._call("POST", self._instances, manifest)

    async def change_spec(self, name: str, spec: dict[str, Any]) -> None:
        """Edit the spec, as with kubectl edit."""
        await self._patch(f"{self._instances}/{name}", {"spec": spec})

    async def annotate(self, name: str, **annotations: str) -> None:
        """Touch it, so that every watch hears of it."""
        await self._patch(f"{self._instances}/{name}", {"metadata": {"annotations": annotations}})

    async def delete_instance(self, name: str) -> None:
        """Delete it by hand."""
        await self._call("DELETE", f"{self._instances}/{name}")

    async def make_available(self, name: str, *, key: str, url: str = "http://127.0.0.1:4242") -> None:
        """Do what the operator does once the runtime answers: Secret first, then the status."""
        secret = f"{name}-credentials"
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": secret},
            "data": {"api-key": base64.b64encode(key.encode()).decode()},
        }
        await self._call("POST", self._secrets, body)
        await self.set_ready(name, True, url=url, credentialsSecretRef={"name": secret})

    async def set_ready(self, name: str, ready: bool, **status: Any) -> None:
        """Write the Ready condition."""
        condition = {
            "type": "Ready",
            "status": "True" if ready else "False",
            "reason": "Available" if ready else "Degraded",
            "message": "",
            "lastTransitionTime": "2026-11-22T12:00:00Z",
        }
        await self._patch(f"{self._instances}/{name}/status", {"status": {"conditions": [condition], **status}})

    async def put_into_secret(self, name: str, **values: str) -> None:
        """Add values; an underscore in a name stands for the hyphen."""
        data = {key.replace("_", "-"): base64.b64encode(value.encode()).decode() for key, value in values.items()}
        await self._patch(f"{self._secrets}/{name}", {"data": data})

    async def delete_secret(self, name: str) -> None:
        """Delete a Secret by hand."""
        await self._call("DELETE", f"{self._secrets}/{name}")

    async def sell(self, plan: str, price: str, **stripe: Any) -> None:
        """Create a plan that is the pro plan under another price; `stripe` adds to its spec.stripe."""
        plans = "/apis/claw.dev/v1alpha1/clawplans"
        spec = (await self._call("GET", f"{plans}/pro"))["spec"] | {"stripe": {"priceIds": [price], **stripe}}
        body = {
            "apiVersion": "claw.dev/v1alpha1",
            "kind": "ClawPlan",
            "metadata": {"name": plan},
            "spec": spec,
        }
        await self._call("POST", plans, body)

    async def edit_plan(self, plan: str, **spec: Any) -> None:
        """Edit its spec, as with kubectl edit."""
        await self._patch(f"/apis/claw.dev/v1alpha1/clawplans/{plan}", {"spec": spec})

    async def withdraw(self, plan: str) -> None:
        """Delete a plan."""
        await self._call("DELETE", f"/apis/claw.dev/v1alpha1/clawplans/{plan}")

    async def _patch(self, path: str, body: dict[str, Any]) -> None:
        await self._call("PATCH", path, body, content_type="application/merge-patch+json")

    async def _call(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> dict[str, Any]:
        async with self._session.request(
            method,
            self._url + path,
            json=body,
            ssl=self._ssl,
            headers=self._headers | ({"Content-Type": content_type} if body is not None else {}),
        ) as response:
            answer: dict[str, Any] = await response.json()
            assert response.status < 300, answer
            return answer
