"""What is told to whoever comes back from the payment page."""

from typing import Any

import pytest

from claw_webhook.front.stages import Outcome, Picture, progress, ready_conditions
from claw_webhook.stripe_objects import CheckoutSession


def session(**changes: Any) -> CheckoutSession:
    """A checkout that was paid."""
    paid = {"id": "cs_1", "status": "complete", "payment_status": "paid", "subscription": "sub_1"}
    return CheckoutSession.model_validate(paid | changes)


def done(picture: Picture) -> list[str]:
    """Names of the stages that are behind."""
    return [stage.name for stage in progress(session(), picture).stages if stage.done]


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"status": "open", "payment_status": "unpaid", "subscription": None}, Outcome.OPEN),
        ({"status": "expired", "payment_status": "unpaid", "subscription": None}, Outcome.EXPIRED),
        ({"payment_status": "unpaid"}, Outcome.BANK),
        ({"payment_status": "no_payment_required"}, Outcome.WORKING),
        ({}, Outcome.WORKING),
        ({"subscription": None}, Outcome.OPEN),
        ({"status": "something new"}, Outcome.OPEN),
    ],
)
def test_what_the_page_is_about_depends_on_the_payment(changes: dict[str, Any], outcome: Outcome) -> None:
    assert progress(session(**changes), Picture()).outcome == outcome


def test_stages_come_one_by_one_and_in_any_order() -> None:
    assert done(Picture()) == ["payment"]
    assert done(Picture(recorded=True)) == ["payment", "order"]
    assert done(Picture(recorded=True, ready={"ComputeReady"})) == ["payment", "order", "compute"]
    assert done(Picture(recorded=True, ready={"DatabaseReady", "ComputeReady", "RuntimeReady"}))[-1] == "runtime"


def test_once_it_answers_everything_is_behind() -> None:
    shown = progress(session(), Picture(recorded=True, available=True))
    assert (shown.outcome, shown.goes_on) == (Outcome.READY, False)
    assert all(stage.done for stage in shown.stages)


def test_what_answers_needs_nobody_although_an_event_is_refused() -> None:
    assert progress(session(), Picture(recorded=True, available=True, refused=True)).outcome == Outcome.READY
    assert progress(session(), Picture(refused=True)).outcome == Outcome.STUCK
    assert progress(session(), Picture(recorded=True, available=True, gone=True)).outcome == Outcome.GONE


def test_the_key_is_no_part_of_what_is_told() -> None:
    document = progress(session(), Picture(recorded=True, available=True, mail=7)).document()
    assert document["outcome"] == "ready"
    assert set(document) == {"outcome", "stages"}


@pytest.mark.parametrize(
    ("body", "ready"),
    [
        (None, set()),
        ({}, set()),
        ({"status": {"conditions": "?"}}, set()),
        ({"status": {"conditions": [{"type": "ComputeReady", "status": "Unknown", "reason": "New"}]}}, set()),
        ({"status": {"conditions": [{"type": "ComputeReady", "status": "True"}]}, "spec": {}}, {"ComputeReady"}),
    ],
)
def test_of_an_instance_only_what_is_true_counts(body: dict[str, Any] | None, ready: set[str]) -> None:
    assert ready_conditions(body) == ready
