"""What happened, told to whoever listens: one event for one change of one object. And the list of it all."""

from typing import Any, TypeVar

from claw_dev.simulators.stripe.account import Account
from claw_dev.simulators.stripe.listing import Page, page
from claw_dev.simulators.stripe.params import ListEvents, Params
from claw_dev.simulators.stripe.records import Event, Record
from claw_dev.simulators.stripe.rendering import render
from claw_dev.simulators.stripe.rendering.shapes import Json

R = TypeVar("R", bound=Record)


def tell(account: Account, kind: str, subject: Record, *, before: Record | None = None) -> Event:
    """Record that `subject` changed, or came to be when there is no `before`, and let the listener know."""
    snapshot = render(subject, account, account.api_version)
    previous = None if before is None else _difference(render(before, account, account.api_version), snapshot)
    account.forget_old_events()
    event = account.new(
        Event,
        type=kind,
        snapshot=snapshot,
        previous_attributes=previous,
        api_version=account.api_version,
        request_id=account.cause.request_id,
        idempotency_key=account.cause.idempotency_key,
    )
    account.on_event(event)
    return event


def change(account: Account, kind: str, before: R, **facts: Any) -> R:
    """The object with these facts; told as an event of this type if that changes anything."""
    after = account.change(before, **facts)
    if after != before:
        tell(account, kind, after, before=before)
    return after


def _difference(before: Json, after: Json) -> Json:
    """Every field that changed, as it was."""
    return {name: before.get(name) for name in before | after if before.get(name) != after.get(name)}


def retrieve_event(account: Account, event_id: str, _: Params) -> Event:
    """`GET /v1/events/{id}`."""
    account.forget_old_events()
    return account.get(Event, event_id)


def list_events(account: Account, params: ListEvents) -> Page[Event]:
    """`GET /v1/events`."""
    account.forget_old_events()
    kinds = [*params.types, *([params.type] if params.type else [])]

    def matches(event: Event) -> bool:
        delivered = event.pending_webhooks == 0
        return (not kinds or event.type in kinds) and params.delivery_success in (None, delivered)

    return page(account.all(Event), params, matches)
