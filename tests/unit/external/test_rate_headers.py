"""What headers say of rate limits, in all the shapes that are met."""

from datetime import UTC, datetime

import pytest

from claw_operator.external.rate_headers import Limits, limits, retry_after

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
EPOCH = int(NOW.timestamp())


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({}, (None, None, None)),
        ({"x-ratelimit-remaining": "7", "x-ratelimit-reset": "30"}, (None, 7, 30)),
        ({"x-ratelimit-remaining": "7", "x-ratelimit-reset": str(EPOCH + 30)}, (None, 7, 30)),
        ({"x-ratelimit-remaining": "7", "x-ratelimit-reset": str((EPOCH + 30) * 1000)}, (None, 7, 30)),
        ({"x-ratelimit-reset": "2026-11-22T12:00:30Z"}, (None, None, 30)),
        ({"x-ratelimit-reset": "Sun, 22 Nov 2026 12:00:30 GMT"}, (None, None, 30)),
        ({"ratelimit-remaining": "7", "ratelimit-reset": "30"}, (None, 7, 30)),
        ({"ratelimit": "limit=10, remaining=7, reset=30"}, (None, 7, 30)),
        ({"ratelimit": '"default";r=7;t=30'}, (None, 7, 30)),
        ({"ratelimit-policy": "1000;w=3600"}, (1000, None, None)),
        ({"ratelimit-policy": '"default";q=700;w=60'}, (42_000, None, None)),
        ({"ratelimit-policy": '"burst";q=10;w=1, "hour";q=1000;w=3600'}, (1000, None, None)),
        ({"ratelimit-policy": '10;w=1, 1000;w=3600;comment="per hour"'}, (1000, None, None)),
        ({"ratelimit-policy": "1000;w=0"}, (None, None, None)),
        ({"x-ratelimit-limit": "many", "x-ratelimit-remaining": "nan", "x-ratelimit-reset": "soon"}, (None,) * 3),
        ({"x-ratelimit-remaining": "inf", "x-ratelimit-reset": "1e300"}, (None, None, None)),
    ],
)
def test_limits_are_read_in_every_shape(headers: dict[str, str], found: tuple[float | None, ...]) -> None:
    assert limits(headers, NOW) == Limits(*found)


def test_a_bare_limit_counts_only_where_its_window_is_known() -> None:
    headers = {"x-ratelimit-limit": "700"}
    assert limits(headers, NOW).per_hour is None
    assert limits(headers, NOW, limit_window=60).per_hour == 42_000
    assert limits(headers | {"ratelimit-policy": "500;w=60"}, NOW, limit_window=3600).per_hour == 30_000


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        ("1.5", 1.5),
        ("86400", 86_400),
        ("Sun, 22 Nov 2026 12:02:00 GMT", 120),
        ("Sun, 22 Nov 2026 11:59:00 GMT", None),
        ("0", None),
        ("-5", None),
        ("later", None),
        ("", None),
    ],
)
def test_retry_after_is_read_as_seconds_and_as_a_date(value: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": value}, NOW) == seconds


def test_a_date_is_measured_by_the_clock_that_wrote_it() -> None:
    headers = {"retry-after": "Sun, 22 Nov 2026 11:50:30 GMT", "date": "Sun, 22 Nov 2026 11:50:00 GMT"}
    assert retry_after(headers, NOW) == 30
