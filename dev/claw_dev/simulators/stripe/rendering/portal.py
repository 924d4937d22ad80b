"""The customers' portal."""

from claw_dev.simulators.stripe.records import PortalConfiguration, PortalSession
from claw_dev.simulators.stripe.rendering.shapes import Json, head, nothing


def configuration(record: PortalConfiguration) -> Json:
    """What customers may do."""
    return head(record) | {
        "active": record.active,
        "application": None,
        "business_profile": dict(record.business_profile),
        "default_return_url": record.default_return_url,
        "features": _features(record),
        "is_default": record.is_default,
        "login_page": {"enabled": False, "url": None},
        "metadata": dict(record.metadata),
        "name": record.name,
        "updated": record.updated,
    }


def _features(record: PortalConfiguration) -> Json:
    update = record.features["subscription_update"]
    fixed = {"maximum": None, "minimum": 1, "enabled": False}
    return {
        **record.features,
        "payment_method_update": {
            **record.features["payment_method_update"],
            "payment_method_configuration": None,
        },
        "subscription_update": {
            **update,
            "billing_cycle_anchor": None,
            "products": [{**product, "adjustable_quantity": fixed} for product in update["products"]],
            "trial_update_behavior": "continue_trial",
        },
    }


def session(record: PortalSession) -> Json:
    """A visit."""
    return head(record) | {
        "configuration": record.configuration,
        "customer": record.customer,
        "flow": record.flow and _flow(record),
        "locale": record.locale,
        "return_url": record.return_url,
        "url": record.url,
        **nothing("customer_account", "on_behalf_of"),
    }


def _flow(record: PortalSession) -> Json:
    flow = dict(record.flow or {})
    cancel = flow.get("subscription_cancel")
    return {
        "after_completion": {"type": "portal_homepage", "hosted_confirmation": None, "redirect": None},
        "subscription_cancel": cancel and {**cancel, "retention": None},
        "subscription_update": flow.get("subscription_update"),
        "type": flow["type"],
        **nothing("customer_update", "subscription_update_confirm"),
    }
