"""The scenario itself: repeatable, of the size that was asked for, and with everything in it that can happen."""

from collections import Counter
from random import Random

from tests.billing.lives import Deed, lives

DRAWN = lives(Random(1), subscriptions=500, days=730)


def test_a_seed_gives_the_same_lives() -> None:
    assert lives(Random(1), subscriptions=500, days=730) == DRAWN
    assert lives(Random(2), subscriptions=500, days=730) != DRAWN


def test_there_are_as_many_subscriptions_as_asked_for() -> None:
    deeds = Counter(act.deed for life in DRAWN for act in life.acts)
    assert deeds[Deed.SUBSCRIBE] + deeds[Deed.RETURN] == 500


def test_every_deed_is_done_often() -> None:
    deeds = Counter(act.deed for life in DRAWN for act in life.acts)
    assert min(deeds[deed] for deed in Deed) >= 10, deeds


def test_a_life_begins_with_a_subscription_and_goes_on_by_day_within_the_time() -> None:
    for life in DRAWN:
        days = [act.day for act in life.acts]
        assert life.acts[0].deed == Deed.SUBSCRIBE
        assert days == sorted(days)
        assert 0 <= days[0] <= days[-1] < 730
