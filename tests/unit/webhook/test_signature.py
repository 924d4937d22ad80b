"""What counts as Stripe's signature, and what does not."""

import time

import pytest
import stripe

from claw_webhook.signature import TOLERANCE_SECONDS, Forged, verify

SECRET = "whsec_current"
OLD = "whsec_previous"
PAYLOAD = '{"id": "evt_1", "name": "Ünal"}'


def signed(payload: str = PAYLOAD, secret: str = SECRET, *, age: float = 0) -> str:
    moment = int(time.time() - age)
    return str(stripe.WebhookSignature.generate_signature_header(payload, secret, moment))


def part(header: str, name: str) -> str:
    return next(item.split("=", 1)[1] for item in header.split(",") if item.startswith(f"{name}="))


def test_a_fresh_signature_holds() -> None:
    assert verify(PAYLOAD.encode(), signed(), [SECRET]) == PAYLOAD


def test_any_of_several_secrets_may_have_signed() -> None:
    assert verify(PAYLOAD.encode(), signed(secret=OLD), [SECRET, OLD]) == PAYLOAD
    assert verify(PAYLOAD.encode(), signed(secret=SECRET), [SECRET, OLD]) == PAYLOAD


def test_while_stripe_rolls_a_secret_one_known_signature_among_several_is_enough() -> None:
    header = signed(secret="whsec_of_tomorrow")
    both = f"{header},v1={part(signed(secret=SECRET), 'v1')}"
    assert verify(PAYLOAD.encode(), both, [SECRET]) == PAYLOAD


def test_a_secret_that_was_rolled_away_no_longer_counts() -> None:
    with pytest.raises(Forged):
        verify(PAYLOAD.encode(), signed(secret=OLD), [SECRET])


def test_a_delivery_that_was_under_way_for_minutes_still_holds() -> None:
    assert verify(PAYLOAD.encode(), signed(age=TOLERANCE_SECONDS - 5), [SECRET])


def test_an_old_delivery_is_a_replay() -> None:
    with pytest.raises(Forged, match="tolerance"):
        verify(PAYLOAD.encode(), signed(age=TOLERANCE_SECONDS + 5), [SECRET])


def test_the_age_cannot_be_changed_without_the_secret() -> None:
    old = signed(age=TOLERANCE_SECONDS + 5)
    with pytest.raises(Forged):
        verify(PAYLOAD.encode(), f"t={int(time.time())},v1={part(old, 'v1')}", [SECRET])


def test_a_stamp_of_the_future_means_that_our_clock_is_late_and_not_that_the_payment_is_false() -> None:
    assert verify(PAYLOAD.encode(), signed(age=-3600), [SECRET])


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "t=yesterday,v1=certainly",
        "v1=" + "0" * 64,
        f"t={int(time.time())}",
        f"t={int(time.time())},v0=" + "0" * 64,
        f"t={int(time.time())},v1=" + "0" * 64,
        f"t={int(time.time())},v1=\udcff",
        "t=" + "9" * 5000 + ",v1=x",
        ",,,=",
    ],
)
def test_a_header_that_proves_nothing_is_refused(header: str | None) -> None:
    with pytest.raises(Forged):
        verify(PAYLOAD.encode(), header, [SECRET])


@pytest.mark.parametrize("changed", [PAYLOAD.encode() + b" ", PAYLOAD.replace("evt_1", "evt_2").encode(), b"", b"\xff"])
def test_a_changed_body_is_refused(changed: bytes) -> None:
    with pytest.raises(Forged):
        verify(changed, signed(), [SECRET])


def test_without_a_secret_nothing_is_believed() -> None:
    with pytest.raises(Forged):
        verify(PAYLOAD.encode(), signed(secret=""), [""])
    with pytest.raises(Forged):
        verify(PAYLOAD.encode(), signed(), [])
