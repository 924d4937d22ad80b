"""When a suspended instance is deleted: the spec says a moment, and a person can only make it later."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from claw_crds import naming
from claw_crds.retention import Retention, retention

FRIDAY = datetime(2027, 1, 15, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def kept_until(text: str, delete_after: datetime | None = FRIDAY) -> Retention:
    return retention(delete_after, {naming.KEEP_UNTIL: text})


def test_without_annotation_the_spec_decides() -> None:
    assert retention(FRIDAY, {}) == Retention(FRIDAY)
    assert retention(None, {"claw.dev/paused": "true"}) == Retention(None)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2027-01-16T12:00:00Z", FRIDAY + DAY),
        ("2027-01-16T13:00:00+01:00", FRIDAY + DAY),
        (" 2027-01-16T12:00:00 ", FRIDAY + DAY),
        ("2027-01-17", FRIDAY + DAY * 1.5),
        ("2027-01-15T11:59:59Z", FRIDAY),
        ("1970-01-01", FRIDAY),
    ],
)
def test_the_later_of_the_two_moments_counts(text: str, moment: datetime) -> None:
    assert kept_until(text) == Retention(moment)


def test_the_annotation_alone_deletes_nothing() -> None:
    assert kept_until("2020-01-01", delete_after=None) == Retention(None)


@pytest.mark.parametrize("text", ["", "forever", "2027-02-30", "20.01.2027", "9999-12-31T23:59:59-12:00", "٢٠٢٧"])
@pytest.mark.parametrize("delete_after", [FRIDAY, None])
def test_what_is_no_moment_deletes_nothing_and_is_told(text: str, delete_after: datetime | None) -> None:
    assert kept_until(text, delete_after) == Retention(None, unreadable=text)


def test_only_the_beginning_of_a_long_annotation_is_told() -> None:
    assert kept_until("x" * 1000).unreadable == "x" * 64


def test_the_time_is_told_in_utc_whatever_zone_it_was_written_in() -> None:
    told = kept_until("2027-01-16T00:00:00-08:00").deletion_time

    assert told is not None
    assert told.tzinfo is UTC
    assert told == datetime(2027, 1, 16, tzinfo=timezone(timedelta(hours=-8)))
