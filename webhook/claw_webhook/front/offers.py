"""A plan in words for the person who may buy it. Pure."""

from collections.abc import Sequence

from claw_crds.v1alpha1 import ClawPlan

_SYMBOLS = {"usd": "$", "eur": "€", "gbp": "£"}
_WITHOUT_CENTS = frozenset(
    ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv", "xaf", "xof", "xpf"]
)
"""Currencies whose smallest unit is the whole one, as Stripe counts them."""


def money(amount: int, currency: str) -> str:
    """An amount in the currency's smallest unit as it is written: 2900 usd is $29, 2950 chf is CHF 29.50."""
    whole, cents = (amount, 0) if currency in _WITHOUT_CENTS else divmod(amount, 100)
    number = f"{whole:,}.{cents:02}" if cents else f"{whole:,}"
    symbol = _SYMBOLS.get(currency)
    return f"{symbol}{number}" if symbol else f"{currency.upper()} {number}"


def promises(plan: ClawPlan) -> tuple[str, ...]:
    """What the plan promises, in words for the customer."""
    limits = plan.spec.limits
    return (
        _counted(limits.messages_per_month, "message", "a month"),
        _counted(limits.agents, "agent"),
        f"{_size(plan.spec.resources.storage)} of storage",
        "every skill" if plan.spec.offers("*") else _listed(plan.spec.skills),
    )


def _counted(limit: int | None, what: str, span: str = "") -> str:
    number = "unlimited" if limit is None else f"{limit:,}"
    return f"{number} {what}{'' if limit == 1 else 's'} {'' if limit is None else span}".strip()


def _size(quantity: str) -> str:
    return f"{quantity[:-2]} {quantity[-2:].replace('i', 'B')}"


def _listed(skills: Sequence[str]) -> str:
    names = [skill.replace("_", " ") for skill in skills]
    return f"skills: {', '.join(names)}" if names else "no skills"
