"""How much customers used, out of the events that meters count."""

from claw_dev.simulators.stripe.account import Account
from claw_dev.simulators.stripe.records import Meter, MeterEvent


def usage_of(account: Account, meter_id: str, customer: str, start: int, end: int) -> float:
    """The customer's usage from `start` until before `end`, by the meter's formula."""
    meter = account.get(Meter, meter_id)
    counted = [
        float(event.payload[meter.value_key])
        for event in sorted(account.all(MeterEvent), key=lambda event: event.timestamp)
        if event.event_name == meter.event_name
        and event.payload[meter.customer_key] == customer
        and start <= event.timestamp < end
    ]
    match meter.formula:
        case "count":
            return len(counted)
        case "last":
            return counted[-1] if counted else 0
    return sum(counted)
