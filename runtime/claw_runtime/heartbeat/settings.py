"""What the customer can set about the heartbeat, and what is made of it. Pure.

It is off until somebody turns it on: it costs tokens, and it speaks without being asked.
"""

import re
from datetime import timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, StringConstraints

from claw_crds.resource import Model
from claw_runtime.heartbeat.schedule import Hours
from claw_runtime.text import Name, Text
from claw_runtime.web.addresses import Forbidden, Perimeter

LEAST, MOST = timedelta(minutes=5), timedelta(hours=24)

_DURATION = re.compile(r"(?:([0-9]{1,2})h)?(?:([0-9]{1,4})m)?")
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"


def duration(text: str) -> timedelta:
    """Of "30m", "1h" or "1h30m". Raises ValueError for anything else."""
    found = _DURATION.fullmatch(text)
    if found is None or not text:
        raise ValueError("must be a time such as 30m, 1h or 1h30m")
    hours, minutes = found.groups("0")
    return timedelta(hours=int(hours), minutes=int(minutes))


def _interval(text: str) -> str:
    if not LEAST <= duration(text) <= MOST:
        raise ValueError("must be from 5m to 24h; to turn the heartbeat off, set enabled to false")
    return text


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):  # not a name, a folder of names, unknown
        raise ValueError("must be a time zone of the IANA database, such as Europe/London") from None
    return name


def _public(url: str) -> str:
    """What the fetcher would never go to is refused at once, and not at three in the morning."""
    try:
        Perimeter().address(url)
    except Forbidden as error:
        raise ValueError(f"cannot be called: {error}") from None
    return url


Interval = Annotated[str, StringConstraints(max_length=8, pattern=rf"^{_DURATION.pattern}$"), AfterValidator(_interval)]
TimeZone = Annotated[Text, StringConstraints(max_length=64), AfterValidator(_zone)]
WebAddress = Annotated[
    str, StringConstraints(max_length=2000, pattern=r"^https://[\x21\x22\x24-\x7e]+$"), AfterValidator(_public)
]


class ActiveHours(Model):
    """When beats may be, by the clock on the customer's wall. Over midnight when the end comes first."""

    start: Annotated[str, StringConstraints(pattern=rf"^{_TIME}$")] = Field(description="Included.")
    end: Annotated[str, StringConstraints(pattern=rf"^(?:{_TIME}|24:00)$")] = Field(
        description="Not included; 24:00 is midnight. Equal to the start: never."
    )

    @property
    def hours(self) -> Hours:
        """In minutes since midnight."""
        return Hours(_minute(self.start), _minute(self.end))


class Webhook(Model):
    """Where results are posted to, signed as standard-webhooks says."""

    url: WebAddress


class Delivery(Model):
    """Where the assistant tells what it found."""

    conversation: bool = Field(default=True, description="As a conversation of its own.")
    webhook: Webhook | None = Field(default=None, description="Sending it again gives it a new secret.")
    mail: bool = Field(default=False, description="To the address of the subscription; at most 24 a day.")


class HeartbeatSettings(Model):
    """When the assistant looks at its checklist without being asked, and where it tells what it found."""

    enabled: bool = False
    every: Interval = Field(default="30m", description="From 5m to 24h: 30m, 1h, 1h30m.")
    active_hours: ActiveHours | None = Field(default=None, description="Null: at any time.")
    time_zone: TimeZone | None = Field(default=None, description="Of the active hours; null: the customer's own.")
    deliver: Delivery = Delivery()
    agent_id: Name = Field(default="main", description="Which agent looks, with its own HEARTBEAT.md.")

    @property
    def interval(self) -> timedelta:
        """`every`, as a duration."""
        return duration(self.every)

    @property
    def hours(self) -> Hours | None:
        """The active hours; None is always."""
        return self.active_hours.hours if self.active_hours is not None else None


class DeliveryChanges(Delivery):
    """Members that are left out stay as they are."""


class HeartbeatChanges(HeartbeatSettings):
    """What is to be different. Members that are left out stay as they are."""

    deliver: DeliveryChanges = DeliveryChanges()

    @property
    def sets_webhook(self) -> bool:
        """Whether results are to be posted somewhere from now on."""
        return self.deliver.webhook is not None


def changed(settings: HeartbeatSettings, changes: HeartbeatChanges) -> HeartbeatSettings:
    """The settings with the changes in them."""
    deliver = {**_members(settings.deliver), **_members(changes.deliver, only_set=True)}
    members: dict[str, Any] = {**_members(settings), **_members(changes, only_set=True), "deliver": Delivery(**deliver)}
    return HeartbeatSettings(**members)


def _members(model: Model, *, only_set: bool = False) -> dict[str, Any]:
    names = model.model_fields_set if only_set else type(model).model_fields
    return {name: getattr(model, name) for name in names}


def _minute(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)
