"""What customers, Google and the front do around a connected account."""

import base64
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from claw_crds import configuration as wire
from claw_dev.simulators.google.simulator import GoogleSimulator
from claw_runtime.google.tools import tools
from claw_runtime.settings import Settings
from claw_runtime.tools import ToolContext, ToolResult
from claw_runtime.tools.toolbox import Toolbox
from claw_runtime.turns.messages import ToolUse
from tests.eventually import eventually
from tests.integration.runtime.world import Answer, Runtime

TOPIC = "projects/claw/topics/gmail"
PUSHER = "pusher@claw.iam.gserviceaccount.com"
FRONT = "http://127.0.0.1:9"
"""Nobody answers there: what Google sends is handed on by the tests, as the front does."""
KEY = base64.urlsafe_b64encode(bytes(range(32))).decode()


TEN: dict[str, Any] = {"since": "2026-12-01T00:00:00", "until": "2026-12-02T00:00:00"}
DENTIST: dict[str, Any] = {"title": "Dentist", "starts_at": "2026-12-01T10:00:00", "ends_at": "2026-12-01T11:00:00"}


def with_google(settings: Settings, google: GoogleSimulator, **changes: Any) -> Settings:
    """The same settings, and everything that Google needs; `changes` by the names of the environment."""
    given = {
        wire.ENV_ENCRYPTION_KEY: KEY,
        wire.ENV_FRONT_URL: FRONT,
        wire.ENV_GOOGLE_CLIENT_ID: google.world.client.id,
        wire.ENV_GOOGLE_CLIENT_SECRET: google.world.client.secret,
        wire.ENV_GOOGLE_TOPIC: TOPIC,
        wire.ENV_GOOGLE_PUSH_ACCOUNT: PUSHER,
        wire.ENV_GOOGLE_URL: google.url,
    }
    return Settings.model_validate(settings.model_dump(by_alias=True) | given | changes)


@dataclass
class GoogleWorld:
    """A runtime and the account."""

    runtime: Runtime
    google: GoogleSimulator

    async def begin(self, *scopes: str) -> Answer:
        """The customer wants to connect."""
        return await self.runtime.post("/api/integrations/google", {"scopes": list(scopes)})

    async def consent(self, url: str) -> dict[str, str]:
        """The customer's browser goes to the consent page. Returns what it comes back with."""
        async with self.runtime.session.get(url, allow_redirects=False) as response:
            assert response.status == 302, await response.text()
            back = urlsplit(response.headers["Location"])
        return {name: values[0] for name, values in parse_qs(back.query).items()}

    async def finish(self, returned: dict[str, str]) -> Answer:
        """The front hands on what the browser came back with."""
        body = {"code": returned["code"], "state": returned["state"]}
        return await self.runtime.post("/api/integrations/google/callback", body)

    async def connect(self, *scopes: str) -> Answer:
        """The whole way."""
        begun = await self.begin(*scopes)
        assert begun.status == 200, begun.text
        return await self.finish(await self.consent(begun.json["authorizationUrl"]))

    async def integration(self) -> Any:
        """What the customer is shown."""
        return (await self.runtime.get("/api/integrations")).json["integrations"][0]

    async def watching(self) -> None:
        """Until Google tells us of changes, and the first look is over."""
        await eventually(lambda: self.google.mailbox.watch is not None and bool(self.google.agenda.channels))
        await self.quiet()

    async def quiet(self) -> None:
        """Until nothing is being read."""
        await eventually(lambda: not self.runtime.services.google.incoming.busy)

    async def push(self, *, history_id: int | None = None, address: str | None = None, **claims: Any) -> Answer:
        """Pub/Sub pushes, and the front hands it on. `claims` replace what the token usually says."""
        usual = {"aud": f"{FRONT}/google/gmail"}
        body = self.google.sender.message(history_id or self.google.mailbox.history_id, address)
        return await self.deliver(body, self.google.sender.token(**(usual | claims)))

    async def deliver(self, body: Any, token: str | None) -> Answer:
        """A push as it arrives."""
        return await self.runtime.post("/webhooks/gmail", body, bearer=token)

    async def notify(self, **headers: str) -> Answer:
        """Calendar notifies through the newest channel, and the front hands it on."""
        channel = list(self.google.agenda.channels.values())[-1]
        usual = {
            "X-Goog-Channel-ID": channel.id,
            "X-Goog-Channel-Token": channel.token or "",
            "X-Goog-Message-Number": "2",
            "X-Goog-Resource-State": "exists",
        }
        return await self.runtime.post("/webhooks/calendar", bearer=None, headers=usual | headers)

    async def arrivals(self) -> list[str]:
        """What came in."""
        return [arrival.summary for arrival in await self.runtime.services.google.arrivals.unseen()]


async def use(world: GoogleWorld, name: str, *, confirmed: bool = False, **given: Any) -> ToolResult:
    """Use a tool as the loop does, or as the runtime does once it is confirmed."""
    services = world.runtime.services
    active = services.configurations.active
    assert active is not None
    context = ToolContext(
        configuration=active.document,
        agent_id="main",
        conversation_id=uuid.UUID(int=1),
        turn=uuid.UUID(int=2),
        confirmed=frozenset({uuid.UUID(int=3)}) if confirmed else frozenset(),
    )
    box = Toolbox(tools(services.google))
    return (await box.use(context, {"gmail", "calendar"}, ToolUse("toolu_1", name, given))).result
