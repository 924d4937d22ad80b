"""Meters, and the events of usage that they count. An event is counted once a day by its identifier."""

from claw_dev.simulators.stripe.account import Account
from claw_dev.simulators.stripe.errors import invalid
from claw_dev.simulators.stripe.events import change, tell
from claw_dev.simulators.stripe.listing import Page, page
from claw_dev.simulators.stripe.params import (
    CreateMeter,
    CreateMeterEvent,
    ListMeters,
    ListUsage,
    Params,
    UpdateMeter,
)
from claw_dev.simulators.stripe.records import Customer, Meter, MeterEvent, UsageSummary
from claw_dev.simulators.stripe.usage import usage_of

_OLDEST = 35 * 24 * 3600
_AHEAD = 5 * 60
_UNIQUE_FOR = 24 * 3600
"""Seconds for which an identifier is known. Who reports the same usage again later is billed for it twice."""


def create_meter(account: Account, params: CreateMeter) -> Meter:
    """`POST /v1/billing/meters`."""
    if _active(account, params.event_name) is not None:
        raise invalid(f"There is already an active meter with the event name {params.event_name}.", "event_name")
    meter = account.new(
        Meter,
        display_name=params.display_name,
        event_name=params.event_name,
        formula=params.default_aggregation.formula,
        customer_key=params.customer_mapping.event_payload_key,
        value_key=params.value_settings.event_payload_key,
        event_time_window=params.event_time_window,
        updated=account.now(),
    )
    tell(account, "billing.meter.created", meter)
    return meter


def update_meter(account: Account, meter_id: str, params: UpdateMeter) -> Meter:
    """`POST /v1/billing/meters/{id}`: only what it is called."""
    before = account.get(Meter, meter_id)
    name = params.display_name or before.display_name
    return change(account, "billing.meter.updated", before, display_name=name, updated=account.now())


def deactivate_meter(account: Account, meter_id: str, _: Params) -> Meter:
    """`POST /v1/billing/meters/{id}/deactivate`."""
    now = account.now()
    meter = account.get(Meter, meter_id)
    facts = {"status": "inactive", "deactivated_at": now, "updated": now}
    return change(account, "billing.meter.deactivated", meter, **facts)


def reactivate_meter(account: Account, meter_id: str, _: Params) -> Meter:
    """`POST /v1/billing/meters/{id}/reactivate`."""
    meter = account.get(Meter, meter_id)
    facts = {"status": "active", "deactivated_at": None, "updated": account.now()}
    return change(account, "billing.meter.reactivated", meter, **facts)


def retrieve_meter(account: Account, meter_id: str, _: Params) -> Meter:
    """`GET /v1/billing/meters/{id}`."""
    return account.get(Meter, meter_id)


def list_meters(account: Account, params: ListMeters) -> Page[Meter]:
    """`GET /v1/billing/meters`."""
    return page(account.all(Meter), params, lambda meter: params.status in (None, meter.status))


def create_meter_event(account: Account, params: CreateMeterEvent) -> MeterEvent:
    """`POST /v1/billing/meter_events`: refused under an identifier of the last 24 hours."""
    meter = _active(account, params.event_name)
    if meter is None:
        raise invalid(f"No active meter found for event name {params.event_name}.", "event_name")
    for key in (meter.customer_key, meter.value_key):
        if key not in params.payload:
            raise invalid(f"The payload is missing the key {key}.", f"payload[{key}]", "parameter_missing")
    try:
        float(params.payload[meter.value_key])
    except ValueError:
        raise invalid("The value has to be a number.", f"payload[{meter.value_key}]") from None
    account.get(Customer, params.payload[meter.customer_key], f"payload[{meter.customer_key}]")
    now = account.now()
    moment = now if params.timestamp is None else params.timestamp
    if not now - _OLDEST <= moment <= now + _AHEAD:
        raise invalid("The timestamp has to be within the past 35 days or up to 5 minutes ahead.", "timestamp")
    identifier = params.identifier or account.new_id(MeterEvent.PREFIX)
    if any(one.identifier == identifier and one.created > now - _UNIQUE_FOR for one in account.all(MeterEvent)):
        raise invalid(f"An event already exists with identifier {identifier}.", "identifier")
    return account.new(
        MeterEvent, identifier=identifier, event_name=params.event_name, payload=params.payload, timestamp=moment
    )


def list_usage(account: Account, meter_id: str, params: ListUsage) -> Page[UsageSummary]:
    """`GET /v1/billing/meters/{id}/event_summaries`: one for the whole span."""
    account.get(Meter, meter_id)
    account.get(Customer, params.customer, "customer")
    summary = UsageSummary(
        id=account.new_id(UsageSummary.PREFIX),
        created=account.now(),
        meter=meter_id,
        value=usage_of(account, meter_id, params.customer, params.start_time, params.end_time),
        start=params.start_time,
        end=params.end_time,
    )
    return Page([summary], has_more=False)


def _active(account: Account, event_name: str) -> Meter | None:
    return next((m for m in account.all(Meter) if m.event_name == event_name and m.status == "active"), None)
