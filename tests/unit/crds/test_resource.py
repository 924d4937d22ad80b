"""Moments on the wire: as Kubernetes writes them, also at the calendar's ends."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from claw_crds.resource import Model, Timestamp


class Moment(Model):
    at: Timestamp


@pytest.mark.parametrize(
    ("moment", "written"),
    [
        (datetime(2027, 1, 15, 12, 30, 1, 999_999, UTC), "2027-01-15T12:30:01Z"),
        (datetime(2027, 1, 15, 0, 30, tzinfo=timezone(timedelta(hours=1))), "2027-01-14T23:30:00Z"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00Z"),
        (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))), "0001-01-01T00:00:00Z"),
        (datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-12))), "9999-12-31T23:00:00Z"),
    ],
)
def test_a_moment_is_written_in_utc_with_whole_seconds(moment: datetime, written: str) -> None:
    assert Moment(at=moment).wire() == {"at": written}
    assert Moment.model_validate(Moment(at=moment).wire()).at.tzinfo is not None
