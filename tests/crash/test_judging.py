"""The judge itself: what it takes for an orphan, for a duplicate, and for a difference."""

from collections import Counter
from typing import Any

from tests.crash.gate import Moment
from tests.crash.lane import Ended
from tests.crash.matrix import Row

SERVICE = {"live": ["SUCCESS"], "domains": 1}
WANTED = Ended({"status": {"reason": "Available"}, "outside": {"services": [SERVICE]}}, Counter({"Service created": 1}))


def test_an_equal_end_by_equal_means_is_well() -> None:
    assert _judged(WANTED).well


def test_a_second_thing_is_an_orphan() -> None:
    row = _judged(Ended(WANTED.picture | {"outside": {"services": [SERVICE, SERVICE]}}, WANTED.made))
    assert (row.orphans, row.duplicates, row.different, row.well) == (1, 0, 0, False)


def test_a_thing_made_twice_is_a_duplicate_even_if_one_of_them_is_gone() -> None:
    row = _judged(Ended(WANTED.picture, Counter({"Service created": 2, "Service deleted": 1})))
    assert (row.orphans, row.duplicates, row.different, row.well) == (0, 2, 0, False)


def test_another_end_is_a_difference_and_told_where_it_is() -> None:
    other: dict[str, Any] = {"status": {"reason": "Updating"}, "outside": {"services": [SERVICE | {"live": []}]}}
    row = _judged(Ended(other, WANTED.made))
    assert (row.orphans, row.duplicates, row.different, row.well) == (0, 0, 1, False)
    (story,) = row.stories
    assert story.splitlines() == [
        "create:",
        '  .outside.services[0].live: [], undisturbed ["SUCCESS"]',
        '  .status.reason: "Updating", undisturbed "Available"',
    ]


def test_a_thing_that_was_never_made_is_a_difference() -> None:
    row = _judged(Ended(WANTED.picture, Counter()))
    assert (row.different, row.well) == (1, False)


def _judged(ended: Ended) -> Row:
    row = Row(Moment.BEFORE.value, "create", points=1)
    row.judge(ended, WANTED, "create:")
    return row
