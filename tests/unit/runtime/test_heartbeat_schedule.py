"""When beats are due: the grid, active hours, and the two days a year on which a clock lies."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from claw_runtime.heartbeat.schedule import Hours, Rhythm, latest_due, next_due, offset_of

HALF_HOUR = timedelta(minutes=30)
LONDON, BERLIN, APIA = ZoneInfo("Europe/London"), ZoneInfo("Europe/Berlin"), ZoneInfo("Pacific/Apia")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def rhythm(
    hours: tuple[int, int] | None = None, *, every: timedelta = HALF_HOUR, minute: int = 0, zone: ZoneInfo = LONDON
) -> Rhythm:
    """On the grid of that minute. `hours` are of the day."""
    bounds = Hours(hours[0] * 60, hours[1] * 60) if hours is not None else None
    return Rhythm(every, timedelta(minutes=minute), zone, bounds)


def day_of(beats: Rhythm, midnight: str) -> list[str]:
    """The local times of all beats in 24 hours from there."""
    begins = at(midnight)
    due, found = next_due(beats, begins - timedelta.resolution), []
    while due is not None and due < begins + timedelta(days=1):
        found.append(f"{due.astimezone(beats.zone):%H:%M}")
        due = next_due(beats, due)
    return found


def test_beats_come_at_the_interval_on_the_instances_own_grid() -> None:
    beats = rhythm(minute=7)
    assert next_due(beats, at("2026-11-23T10:00")) == at("2026-11-23T10:07")
    assert next_due(beats, at("2026-11-23T10:07")) == at("2026-11-23T10:37")


def test_two_processes_agree_and_instances_are_spread_over_the_interval() -> None:
    offsets = [offset_of(f"uid-{number}", HALF_HOUR) for number in range(1000)]
    assert offsets == [offset_of(f"uid-{number}", HALF_HOUR) for number in range(1000)]
    assert all(timedelta() <= offset < HALF_HOUR for offset in offsets)
    in_each_minute = [sum(offset // timedelta(minutes=1) == minute for offset in offsets) for minute in range(30)]
    assert min(in_each_minute) > 10


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        ((9, 11), ["09:00", "09:30", "10:00", "10:30"]),
        ((22, 1), ["00:00", "00:30", "22:00", "22:30", "23:00", "23:30"]),
        ((23, 24), ["23:00", "23:30"]),
        ((9, 9), []),
        ((0, 0), []),
    ],
)
def test_active_hours_include_their_start_and_not_their_end(hours: tuple[int, int], expected: list[str]) -> None:
    assert day_of(rhythm(hours), "2026-11-23T00:00") == expected


def test_the_whole_day_is_from_midnight_to_24() -> None:
    assert len(day_of(rhythm((0, 24)), "2026-11-23T00:00")) == 48


def test_hours_that_the_grid_would_miss_begin_with_a_beat() -> None:
    short = Rhythm(timedelta(hours=6), timedelta(), LONDON, Hours(9 * 60 + 40, 10 * 60 + 20))
    assert day_of(short, "2026-11-23T00:00") == ["09:40"]
    assert next_due(short, at("2026-11-23T09:40")) == at("2026-11-24T09:40")


def test_hours_that_never_are_have_no_beat() -> None:
    assert next_due(rhythm((9, 9)), at("2026-11-23T00:00")) is None


def test_hours_are_those_of_the_wall_in_summer_and_in_winter() -> None:
    assert next_due(rhythm((9, 17), zone=BERLIN), at("2026-07-01T00:00")) == at("2026-07-01T07:00")
    assert next_due(rhythm((9, 17), zone=BERLIN), at("2026-12-01T00:00")) == at("2026-12-01T08:00")


def test_an_hour_that_the_clock_skips_is_not_there() -> None:
    # In Berlin 02:00 is followed by 03:00 on 29 March 2026.
    assert day_of(rhythm((2, 3), zone=BERLIN), "2026-03-28T23:00") == []
    assert day_of(rhythm((1, 4), zone=BERLIN), "2026-03-28T23:00") == ["01:00", "01:30", "03:00", "03:30"]
    assert next_due(rhythm((2, 3), zone=BERLIN), at("2026-03-28T23:00")) == at("2026-03-30T00:00")


def test_hours_that_begin_within_the_skipped_hour_begin_after_it() -> None:
    half_past = Rhythm(timedelta(hours=24), timedelta(hours=12), BERLIN, Hours(2 * 60 + 30, 5 * 60))
    due = next_due(half_past, at("2026-03-28T23:00"))
    assert due is not None
    assert f"{due.astimezone(BERLIN):%d %H:%M}" == "29 03:30"


def test_an_hour_that_the_clock_shows_twice_is_there_twice() -> None:
    # In Berlin 03:00 is followed by 02:00 on 25 October 2026.
    assert day_of(rhythm((2, 3), zone=BERLIN), "2026-10-24T22:00") == ["02:00", "02:30", "02:00", "02:30"]


def test_a_day_that_a_country_skipped_does_not_stop_the_beats() -> None:
    # Samoa had no 30 December 2011.
    due = next_due(rhythm((9, 10), zone=APIA), at("2011-12-30T09:00"))
    assert due is not None
    assert f"{due.astimezone(APIA):%d %H:%M}" == "31 09:00"


def test_of_missed_beats_only_the_last_is_made_up_for() -> None:
    now = at("2026-11-23T10:10")
    assert latest_due(rhythm(), now - timedelta(hours=5), now) == at("2026-11-23T10:00")
    assert latest_due(rhythm(), now - timedelta(days=900), now) == at("2026-11-23T10:00")
    assert latest_due(rhythm(), at("2026-11-23T10:00"), now) is None


@pytest.mark.parametrize("zone", [LONDON, BERLIN, APIA, ZoneInfo("Asia/Kolkata"), ZoneInfo("Australia/Lord_Howe")])
@pytest.mark.parametrize("hours", [None, (9, 17), (22, 6), (2, 3), (0, 24)])
@pytest.mark.parametrize("minutes", [5, 47, 180, 1440])
def test_every_due_moment_is_later_active_and_at_most_two_days_away(
    zone: ZoneInfo, hours: tuple[int, int] | None, minutes: int
) -> None:
    beats = rhythm(hours, every=timedelta(minutes=minutes), minute=3, zone=zone)
    for begins in ("2026-03-27T00:00", "2026-10-23T00:00", "2026-04-03T00:00"):
        moment = at(begins)
        for _ in range(40):
            due = next_due(beats, moment)
            assert due is not None
            assert moment < due <= moment + timedelta(days=2)
            assert beats.is_active(due)
            moment = due
