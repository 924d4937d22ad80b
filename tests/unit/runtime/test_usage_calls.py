"""How many calls of the API a process takes at a time."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claw_runtime.usage.calls import LARGEST_BLOCK, Block, block_size


@pytest.mark.parametrize(
    ("limit", "taken", "size"),
    [
        (None, 10**9, 50),
        (10_000, 0, 50),
        (100, 0, 10),
        (100, 60, 4),
        (100, 95, 1),
        (100, 100, 0),
        (100, 130, 0),
        (0, 0, 0),
    ],
)
def test_blocks_shrink_as_the_limit_comes_near(limit: int | None, taken: int, size: int) -> None:
    assert block_size(limit, taken) == size


@given(limit=st.integers(0, 5_000))
def test_blocks_add_up_to_the_limit_exactly(limit: int) -> None:
    taken = 0
    while size := block_size(limit, taken):
        assert 1 <= size <= LARGEST_BLOCK
        taken += size
    assert taken == limit


def test_a_block_belongs_to_the_month_of_its_day() -> None:
    moment = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)
    held = Block(date(2026, 11, 30), None, moment, used=0, size=5, left=5)
    assert held.month == datetime(2026, 11, 1, tzinfo=UTC)
