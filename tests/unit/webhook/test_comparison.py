"""Subscriptions against instances: what is found, and what is left alone."""

from typing import Any

import pytest

from claw_crds import naming
from claw_webhook.billing import Account, Decision, Gone, Memory, Nothing, Standing, decide
from claw_webhook.sweeps.comparison import REPAIRED, Finding, Kind, Present, compare, unpaid
from tests.unit.webhook.stripe_documents import day, plan, subscription

PLANS = [
    plan("pro", price_ids=("price_pro",), terms={"retentionDays": 30}),
    plan("starter", price_ids=("price_starter",)),
]
NOW = day(1)
SUB = "sub_Pro1"


def body(decision: Decision, *, of: str | None = SUB, **spec: Any) -> dict[str, Any]:
    """The ClawInstance that the decision leads to, as the API server writes it; `spec` changes it."""
    wished = decision.spec.wire() if hasattr(decision, "spec") else {}
    annotations = {naming.SUBSCRIPTION: of} if of else {}
    return {"metadata": {"name": "claw-1", "annotations": annotations}, "spec": wished | spec}


def decided(memory: Memory | None = None, **changes: Any) -> Decision:
    return decide(Account(subscription(**changes), memory=memory or Memory()), PLANS, NOW)


def found(decision: Decision, present: dict[str, Any] | None) -> Finding:
    finding = compare(SUB, decision, Present.of(present) if present else None, NOW)
    assert finding is not None
    return finding


def test_an_instance_as_billing_wishes_is_no_finding() -> None:
    wished = decided()
    assert compare(SUB, wished, Present.of(body(wished)), NOW) is None


def test_what_a_person_chose_in_the_spec_is_no_finding() -> None:
    wished = decided()
    present = body(wished, assistant={"name": "Ada's"}, skills={"enabled": ["chat"]}, runtime={"ref": 17})
    assert compare(SUB, wished, Present.of(present), NOW) is None


def test_a_subscription_without_its_instance_is_missing_one() -> None:
    finding = found(decided(), None)
    assert finding.kind is Kind.MISSING
    assert finding.message == "subscription sub_Pro1 (Active) has no instance"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"planRef": {"name": "starter"}}, "plan is starter, should be pro"),
        ({"state": "Suspended"}, "state is Suspended, should be Running"),
        (
            {"state": "Suspended", "deleteAfter": "2026-12-01T00:00:00Z"},
            "state is Suspended, should be Running, deletion date is 2026-12-01T00:00:00Z, should be none",
        ),
        ({"planRef": 5}, "spec cannot be read"),
    ],
)
def test_another_plan_state_or_date_is_found_in_words(spec: dict[str, Any], words: str) -> None:
    finding = found(decided(), body(decided(), **spec))
    assert finding.kind is Kind.DIFFERENT
    assert finding.message == f"instance claw-1 of subscription sub_Pro1 (Active): {words}"


def test_a_customers_details_are_compared_and_not_told() -> None:
    wished = decided()
    present = body(wished)
    present["spec"]["customer"] = present["spec"]["customer"] | {"email": "charles@example.com"}
    finding = found(wished, present)
    assert finding.kind is Kind.DIFFERENT
    assert finding.message.endswith("customer's details")


def test_an_instance_that_is_being_deleted_although_it_is_paid_for_is_missing() -> None:
    present = body(decided())
    present["metadata"]["deletionTimestamp"] = "2026-09-21T12:00:00Z"
    assert found(decided(), present).kind is Kind.MISSING


def test_a_refused_subscription_is_found_with_its_reason() -> None:
    finding = found(decided(prices=(("price_odd", None),)), None)
    assert finding.kind is Kind.REFUSED
    assert "price_odd" in finding.message


@pytest.mark.parametrize("nothing", [Nothing(Standing.ENDED), Nothing(Standing.NOT_YET), Gone()])
def test_nothing_wished_and_nothing_there_is_no_finding(nothing: Decision) -> None:
    assert compare(SUB, nothing, None, NOW) is None


def test_an_instance_whose_time_is_over_gets_a_look() -> None:
    assert found(Gone(), body(decided())).kind in REPAIRED


def test_an_instance_of_an_ended_subscription_that_nothing_is_remembered_of_is_for_a_person() -> None:
    finding = found(Nothing(Standing.ENDED), body(decided()))
    assert finding.kind is Kind.UNPAID
    assert finding.kind not in REPAIRED


@pytest.mark.parametrize("nothing", [Nothing(Standing.ENDED), Gone()])
def test_a_deletion_takes_its_time_and_not_more_than_a_day(nothing: Decision) -> None:
    present = body(decided())
    present["metadata"]["deletionTimestamp"] = day(0.5).isoformat()
    assert compare(SUB, nothing, Present.of(present), NOW) is None
    late = compare(SUB, nothing, Present.of(present), day(2))
    assert late is not None
    assert late.kind is Kind.UNPAID


def test_an_ended_one_that_is_kept_is_compared_with_its_date() -> None:
    wished = decided(Memory(instance="claw-1"), status="canceled", ended_at=int(NOW.timestamp()))
    assert compare(SUB, wished, Present.of(body(wished)), NOW) is None
    assert "deletion date is none" in found(wished, body(wished, deleteAfter=None)).message


@pytest.mark.parametrize(
    ("of", "known", "words"),
    [
        (None, False, "made by hand"),
        ("sub_Lost", False, "Stripe does not know"),
        (SUB, True, "is not the one of subscription sub_Pro1"),
    ],
)
def test_an_instance_that_nobody_accounts_for_is_unpaid(of: str | None, known: bool, words: str) -> None:
    finding = unpaid(Present.of(body(decided(), of=of)), known=known)
    assert finding.kind is Kind.UNPAID
    assert words in finding.message
