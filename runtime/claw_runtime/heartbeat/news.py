"""A beat: why it was, and what came of it. Pure."""

import uuid
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from claw_crds.resource import Model, Timestamp

Cause = Literal["time", "arrival", "customer"]
Outcome = Literal["told", "quiet", "skipped", "failed"]
Way = Literal["conversation", "webhook", "mail"]

EMPTY_CHECKLIST = "empty-checklist"
NO_BUDGET = "no-budget"
REPEATED = "repeated"
TOO_SLOW = "too-slow"
INTERNAL = "internal"


class Beat(Model):
    """One look at the checklist."""

    due_at: Timestamp
    cause: Cause = Field(description="It was time, something arrived, or the customer asked for it.")
    started_at: Timestamp
    ended_at: Timestamp | None = Field(description="Null while it goes on.")
    outcome: Outcome | None = Field(
        description="told: there was news; quiet: there was none; skipped: the model was not asked; failed."
    )
    reason: str | None = Field(
        description="Why it was skipped, failed or kept quiet: empty-checklist, no-budget, repeated, too-slow, "
        "interrupted, or the kind of a problem, such as limit-reached and model-busy."
    )
    text: str | None = Field(description="The news.")
    conversation_id: uuid.UUID | None
    untold: tuple[Way, ...] = Field(description="Where the news is still to be told: it is tried again for a day.")
    problem: str | None = Field(description="Why the news did not get everywhere.")


class BeatList(Model):
    """The latest beats, the newest first. While the checklist is empty, only the first skipped beat is among them."""

    beats: tuple[Beat, ...]


@dataclass(frozen=True)
class Ended:
    """What came of a beat."""

    outcome: Outcome
    reason: str | None = None
    text: str | None = None
    """What is to be told."""
    ways: tuple[Way, ...] = ()
    """Where."""
