"""Subscriptions against instances, both ways. Pure.

A finding is a reason to look, or something to tell a person; never a reason to delete. An instance without payment may
be a friend's, a test's, or of another Stripe account: a program cannot know.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from claw_crds import naming
from claw_crds.resource import ObjectMeta
from claw_crds.v1alpha1 import ClawInstanceSpec
from claw_webhook.billing import Decision, Gone, Nothing, Refusal, Wished

_LONGEST_DELETION = timedelta(days=1)
"""Taking an instance down takes minutes; after a day its finalizer is stuck, and it still costs money."""


class Kind(StrEnum):
    """What is not as it should be."""

    MISSING = "missing"
    """Paid for, or kept for somebody, and not there."""
    DIFFERENT = "different"
    """There, with another plan, state, date or customer than billing wishes."""
    REFUSED = "refused"
    """Paid for, and it cannot be served as it is."""
    UNPAID = "unpaid"
    """There, and nobody pays for it."""


REPAIRED = frozenset({Kind.MISSING, Kind.DIFFERENT, Kind.REFUSED})
"""Another look may put these right. An UNPAID one is for a person."""


@dataclass(frozen=True)
class Finding:
    """One difference between Stripe and the cluster."""

    kind: Kind
    message: str
    """For the person who runs the service: ids and plans, no personal data."""
    subscription: str | None
    instance: str | None


@dataclass(frozen=True)
class Present:
    """A ClawInstance of the cluster, as far as billing is concerned. Small: all of them are held at once."""

    name: str
    subscription: str | None
    """By its annotation; None for one that was made by hand."""
    spec: ClawInstanceSpec | None
    """None when it cannot be read, or is not known."""
    leaving_since: datetime | None = None
    """When its deletion was asked for."""

    @classmethod
    def of(cls, body: dict[str, Any]) -> "Present":
        """From the object as the API server writes it."""
        metadata = ObjectMeta.model_validate(body["metadata"])
        try:
            # Only what billing writes: a workspace of 32 files times ten thousand instances would not fit.
            owned = {field: body["spec"][field] for field in _BILLINGS if field in body["spec"]}
            spec = ClawInstanceSpec.model_validate(owned)
        except (ValidationError, KeyError, TypeError):
            spec = None
        return cls(
            name=metadata.name,
            subscription=metadata.annotations.get(naming.SUBSCRIPTION),
            spec=spec,
            leaving_since=metadata.deletion_timestamp,
        )


_BILLINGS = {
    "customer": "customer's details",
    "planRef": "plan",
    "state": "state",
    "deleteAfter": "deletion date",
}
"""The fields of a spec that billing writes, and what they are called when they differ."""


def compare(subscription: str, decision: Decision, present: Present | None, now: datetime) -> Finding | None:
    """What is wrong with the instance of a subscription; None when it is as billing wishes."""
    if isinstance(decision, Refusal):
        return Finding(Kind.REFUSED, decision.message, subscription, present.name if present else None)
    if present is None:
        if not isinstance(decision, Wished):
            return None
        message = f"subscription {subscription} ({decision.standing}) has no instance"
        return Finding(Kind.MISSING, message, subscription, None)
    if isinstance(decision, Wished):
        return _compare_with_wish(subscription, decision, present)
    return _compare_with_nothing(subscription, decision, present, now)


def _compare_with_wish(subscription: str, wished: Wished, present: Present) -> Finding | None:
    if present.leaving_since is not None:
        message = f"instance {present.name} is being deleted, and subscription {subscription} wishes for it"
        return Finding(Kind.MISSING, message, subscription, present.name)
    differences = _differences(wished.spec, present.spec) if present.spec else ["spec cannot be read"]
    if not differences:
        return None
    message = f"instance {present.name} of subscription {subscription} ({wished.standing}): {', '.join(differences)}"
    return Finding(Kind.DIFFERENT, message, subscription, present.name)


def _compare_with_nothing(
    subscription: str, decision: Gone | Nothing, present: Present, now: datetime
) -> Finding | None:
    if present.leaving_since is not None:
        if now - present.leaving_since < _LONGEST_DELETION:
            return None
        since = f"{present.leaving_since:%Y-%m-%d}"
        message = (
            f"instance {present.name} of subscription {subscription}, which has ended, is being deleted since {since}"
        )
        return Finding(Kind.UNPAID, message, subscription, present.name)
    if isinstance(decision, Gone):
        message = f"instance {present.name} of subscription {subscription} should be deleted by now"
        return Finding(Kind.DIFFERENT, message, subscription, present.name)
    message = f"instance {present.name} is there, and its subscription {subscription} is {decision.standing}"
    return Finding(Kind.UNPAID, message, subscription, present.name)


def unpaid(present: Present, *, known: bool) -> Finding:
    """An instance that no subscription accounts for. `known`: Stripe has the one that its annotation names."""
    if present.subscription is None:
        message = f"instance {present.name} was made by hand: no subscription pays for it"
    elif known:
        message = f"instance {present.name} is not the one of subscription {present.subscription}, which it names"
    else:
        message = f"instance {present.name} names the subscription {present.subscription}, which Stripe does not know"
    return Finding(Kind.UNPAID, message, present.subscription, present.name)


def _differences(wished: ClawInstanceSpec, present: ClawInstanceSpec) -> list[str]:
    should, is_ = _written(wished), _written(present)
    found = []
    for field, words in _BILLINGS.items():
        if should.get(field) == is_.get(field):
            continue
        # The customer is personal data, and the difference may be one letter of a name.
        found.append(
            words
            if field == "customer"
            else f"{words} is {_told(is_.get(field))}, should be {_told(should.get(field))}"
        )
    return found


def _written(spec: ClawInstanceSpec) -> dict[str, Any]:
    return spec.model_dump(mode="json", by_alias=True, include={"customer", "plan_ref", "state", "delete_after"})


def _told(value: Any) -> str:
    return str(value["name"] if isinstance(value, dict) else value or "none")
