"""How the counter of an instance becomes stretches of usage, each of which is told to Stripe once. Pure.

A stretch goes from one value of the counter to a later one. The next begins where the last one ended, so nothing is
counted twice and nothing is left out, however often the counter is read. While a stretch is open it grows with the
counter; it is closed, and never changes again, before Stripe first hears of it.
"""

from dataclasses import dataclass
from datetime import datetime

from claw_crds.plan import Metered
from claw_crds.v1alpha1 import UsageStatus


@dataclass(frozen=True)
class Reading:
    """What a counter shows."""

    event_name: str
    """Of the Stripe meter that the plan names now."""
    period_start: datetime
    """When the counter was last at zero by itself."""
    value: int


@dataclass(frozen=True)
class Stretch:
    """Usage from one value to another, within one period and for one meter."""

    event_name: str
    period_start: datetime
    from_value: int
    to_value: int
    open: bool = True
    """Nobody was told of it yet."""


class WentBackwards(Exception):
    """The counter shows less than before in the same period: what was told cannot be taken back.

    The message says how far it went.
    """


def counted(usage: UsageStatus, what: Metered) -> int:
    """The counter that a meter is about."""
    return usage.messages_used if what is Metered.MESSAGES else usage.input_tokens + usage.output_tokens


def gather(newest: Stretch | None, reading: Reading, *, made_at: datetime) -> Stretch | None:
    """The stretch that the reading begins or makes longer; None when it says nothing new. Raises WentBackwards.

    `newest` is the instance's newest stretch for any meter, `made_at` when the instance was asked for. A stretch that
    is longer has the event name, period and `from_value` of `newest`.
    """

    def stretch(from_value: int) -> Stretch:
        return Stretch(reading.event_name, reading.period_start, from_value, reading.value)

    if newest is None:
        # What was used before the plan had a meter is not billed; what a new instance has used is.
        return stretch(0 if made_at >= reading.period_start else reading.value)
    if reading.period_start < newest.period_start:
        return None
    if reading.event_name != newest.event_name:
        return stretch(reading.value)
    if reading.period_start > newest.period_start:
        return stretch(0) if reading.value else None
    if reading.value < newest.to_value:
        raise WentBackwards(
            f"went back from {newest.to_value} to {reading.value} within the month of {reading.period_start:%B %Y}"
        )
    if reading.value == newest.to_value:
        return None
    return stretch(newest.from_value if newest.open else newest.to_value)
