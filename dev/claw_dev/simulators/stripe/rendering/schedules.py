"""Subscription schedules."""

from claw_dev.simulators.stripe.account import Account
from claw_dev.simulators.stripe.records import Customer, Phase, Price, Schedule
from claw_dev.simulators.stripe.rendering.shapes import Json, head, nothing


def schedule(record: Schedule, account: Account) -> Json:
    """A schedule, with the phase that its customer is in now."""
    running = None if record.is_over else record.phase_at(account.now())
    return head(record) | {
        "billing_mode": {"flexible": None, "type": "classic"},
        "canceled_at": record.canceled_at,
        "completed_at": record.completed_at,
        "current_phase": running and {"end_date": running.end, "start_date": running.start},
        "customer": record.customer,
        "default_settings": {
            "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
            "billing_cycle_anchor": "automatic",
            "collection_method": "charge_automatically",
            "invoice_settings": {"account_tax_ids": None, "days_until_due": None, "issuer": {"type": "self"}},
            **nothing(
                "application_fee_percent",
                "billing_thresholds",
                "default_payment_method",
                "description",
                "on_behalf_of",
                "transfer_data",
            ),
        },
        "end_behavior": record.end_behavior,
        "metadata": dict(record.metadata),
        "phases": [_phase(phase, account) for phase in record.phases],
        "released_at": record.released_at,
        "released_subscription": record.released_subscription,
        "status": record.status,
        "subscription": record.subscription,
        "test_clock": account.get(Customer, record.customer).test_clock,
        **nothing("application", "customer_account"),
    }


def _phase(record: Phase, account: Account) -> Json:
    return {
        "add_invoice_items": [],
        "currency": account.get(Price, record.items[0].price).currency,
        "discounts": [],
        "end_date": record.end,
        "items": [
            {
                "billing_thresholds": None,
                "discounts": [],
                "metadata": {},
                "price": item.price,
                "quantity": item.quantity,
                "tax_rates": [],
            }
            for item in record.items
        ],
        "metadata": dict(record.metadata),
        "proration_behavior": record.proration_behavior,
        "start_date": record.start,
        **nothing(
            "application_fee_percent",
            "billing_cycle_anchor",
            "billing_thresholds",
            "collection_method",
            "default_payment_method",
            "description",
            "invoice_settings",
            "on_behalf_of",
            "transfer_data",
            "trial_end",
        ),
    }
