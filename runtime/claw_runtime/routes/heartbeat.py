"""`/api/heartbeat`: when the assistant looks at its checklist without being asked, and what it found."""

from typing import Any

from pydantic import Field

from claw_crds.resource import Timestamp
from claw_runtime.heartbeat.news import Beat, BeatList
from claw_runtime.heartbeat.settings import HeartbeatChanges, HeartbeatSettings
from claw_runtime.problems import HEARTBEAT_GOES_ON, MAILS_OFF, NOT_FOUND, Problem
from claw_runtime.routes import Access, Call, Nothing, Route


class Heartbeat(HeartbeatSettings):
    """The settings, and what follows from them."""

    next_at: Timestamp | None = Field(
        description="When the next beat is due; null while it is off, its hours never come, or its checklist is empty."
    )
    webhook_secret: str | None = Field(
        default=None, description="Signs what is posted to the webhook. Told once, by the change that sets the webhook."
    )


async def read(call: Call[Nothing, Nothing]) -> Heartbeat:
    """How the heartbeat is set."""
    return _answer(call, None)


async def change(call: Call[HeartbeatChanges, Nothing]) -> Heartbeat:
    """Change the heartbeat. What is left out stays."""
    if call.body.deliver.mail and not call.services.heart.can_mail:
        raise Problem(MAILS_OFF, "This installation has no service that sends mails. Choose a webhook instead.")
    if call.body.agent_id != call.services.heart.settings.agent_id and "agent_id" in call.body.model_fields_set:
        await call.services.agents.get(call.configuration.plan, call.body.agent_id)  # which says so if there is none
    return _answer(call, await call.services.heart.change(call.body))


async def run(call: Call[Nothing, Nothing]) -> Beat:
    """Look at the checklist now, at any hour, and also while the heartbeat is off."""
    beat = await call.services.heart.beat_now(call.configuration)
    if beat is None:
        raise Problem(HEARTBEAT_GOES_ON, "The assistant is looking just now. Try again in a minute.", retry_after=60)
    return beat


async def beats(call: Call[Nothing, Nothing]) -> BeatList:
    """The latest beats, and what came of them."""
    return BeatList(beats=await call.services.heart.latest())


def _answer(call: Call[HeartbeatChanges, Nothing] | Call[Nothing, Nothing], secret: str | None) -> Heartbeat:
    heart = call.services.heart
    members = {name: getattr(heart.settings, name) for name in HeartbeatSettings.model_fields}
    return Heartbeat(**members, next_at=heart.next_at, webhook_secret=secret)


ROUTES: tuple[Route[Any, Any], ...] = (
    Route("GET", "/api/heartbeat", read, Access.CUSTOMER, Nothing, Nothing, Heartbeat),
    Route(
        "PATCH",
        "/api/heartbeat",
        change,
        Access.CUSTOMER,
        HeartbeatChanges,
        Nothing,
        Heartbeat,
        problems=(NOT_FOUND, MAILS_OFF),
    ),
    Route(
        "POST",
        "/api/heartbeat/run",
        run,
        Access.CUSTOMER,
        Nothing,
        Nothing,
        Beat,
        problems=(HEARTBEAT_GOES_ON,),
    ),
    Route("GET", "/api/heartbeat/beats", beats, Access.CUSTOMER, Nothing, Nothing, BeatList),
)
