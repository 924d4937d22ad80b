"""Tables for the terminal: what commands found, as wide as there is room, ids always whole."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from rich.table import Column, Table
from rich.text import Text

from claw_webhook.billing_log import Entry
from claw_webhook.console.registers import CustomerLine, CustomerPage, Hold, SubscriptionLine
from claw_webhook.console.replaying import InboxEvent
from claw_webhook.sweeps.comparison import Finding, Kind

_STYLES = {"dead": "bold red", "refused": "yellow", "pending": "cyan", "ignored": "dim"}
_WORDS = {
    Kind.MISSING: "no instance",
    Kind.DIFFERENT: "different",
    Kind.REFUSED: "refused",
    Kind.UNPAID: "not paid",
}


def events_table(events: Iterable[InboxEvent]) -> Table:
    """Events: what each was, whom it is about and when it came, and why it is where it is."""
    table = _table(_id("STATE"), _prose("EVENT"))
    for event in events:
        tries = f"{event.attempts} failures" if event.attempts else f"by {event.source}"
        table.add_row(
            Text(event.state, style=_STYLES.get(event.state, "")),
            _lines(
                f"{event.id}  {event.type}",
                f"{event.subject or 'nothing of ours'}  {_moment(event.received_at)}, {tries}",
                ": ".join(filter(None, (event.reason, event.message))),
            ),
        )
    return table


def log_table(entries: Iterable[Entry]) -> Table:
    """The billing log, oldest first."""
    table = _table(_id("WHEN (UTC)"), _prose("WHAT"))
    for entry in entries:
        who = entry.actor if entry.why == entry.actor else f"{entry.actor}: {entry.why}"
        what = f"{entry.action}: {_told(entry.before)} → {_told(entry.after)}"
        table.add_row(_moment(entry.at), _lines(what, entry.subscription or entry.customer or "", who))
    return table


def holds_table(holds: Iterable[Hold]) -> Table:
    """What is not deleted until a person decides."""
    table = _table(_id("SUBSCRIPTION"), _id("STANDING"), _prose("HELD BECAUSE"))
    for hold in holds:
        deletion = f"would go {_day(hold.deletion_at)}" if hold.deletion_at else "no deletion planned"
        table.add_row(
            _lines(hold.subscription, hold.customer or "", hold.instance or "no instance"),
            _lines(hold.standing or "unknown", deletion),
            Text(hold.hold),
        )
    return table


def findings_table(findings: Iterable[Finding]) -> Table:
    """What a sweep has found."""
    table = _table(Column("FOUND", no_wrap=True), _prose("WHAT"))
    for finding in findings:
        style = "bold red" if finding.kind is Kind.UNPAID else "yellow"
        table.add_row(Text(_WORDS[finding.kind], style=style), Text(finding.message))
    return table


def customers_table(customers: Iterable[CustomerLine]) -> Table:
    """Customers, newest first."""
    table = _table(_id("CUSTOMER"), Column("ADDRESS", overflow="fold"), _prose("SUBSCRIPTIONS"), _id("SINCE"))
    for one in customers:
        address = Text("erased", style="dim") if one.erased_at else Text(one.email)
        table.add_row(Text(one.id), address, Text("\n".join(one.subscriptions)), _day(one.created_at))
    return table


def customer_table(customer: CustomerPage) -> Table:
    """All that is known of a customer."""
    table = Table(Column(style="dim", no_wrap=True), Column(overflow="fold"), box=None, padding=(0, 2, 0, 0))
    table.show_header = False
    told = {
        "customer": customer.id,
        "address": customer.email,
        "name": customer.name,
        "company": customer.company,
        "timezone": customer.timezone,
        "locale": customer.locale,
        "since": _moment(customer.created_at),
        "erased": _moment(customer.erased_at) if customer.erased_at else None,
    }
    for name, value in told.items():
        if value:
            table.add_row(name, Text(value))
    for subscription in customer.subscriptions:
        table.add_row("", "")
        for name, value in _subscription(subscription):
            table.add_row(name, Text(value))
    return table


def _subscription(line: SubscriptionLine) -> Iterable[tuple[str, str]]:
    since = f" since {_moment(line.since)}" if line.since else ""
    yield "subscription", line.id
    yield "standing", f"{line.standing or 'not looked at yet'}{since} (Stripe: {line.status})"
    if line.plan:
        yield "plan", line.plan
    if line.paid_until:
        yield "paid until", _day(line.paid_until)
    if line.instance:
        yield "instance", " ".join(filter(None, (line.instance, line.instance_status, line.url)))
    if line.deletion_at:
        yield "deletion", _moment(line.deletion_at)
    if line.hold:
        yield "held because", line.hold


def _table(*columns: Column) -> Table:
    return Table(*columns, box=None, padding=(0, 2, 1, 0), header_style="bold")


def _id(header: str) -> Column:
    return Column(header, no_wrap=True)


def _prose(header: str) -> Column:
    return Column(header, overflow="fold", ratio=1)


def _lines(first: str, *others: str) -> Text:
    return Text("\n").join([Text(first), *(Text(line, style="dim") for line in others if line)])


def _told(value: Any) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value)


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"


def _day(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d}"
