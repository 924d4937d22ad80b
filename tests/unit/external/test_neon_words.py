"""Our own word about a database at Neon: when it counts, and how long operations are expected to take."""

import math
from dataclasses import replace

from claw_operator.external import Owner
from claw_operator.external.neon.database import NeonDatabase
from claw_operator.external.neon.models import Branch
from claw_operator.external.neon.words import Words
from claw_operator.external.neon.writer import Durations

OWNER = Owner(namespace="claw", name="claw-one", uid="3f2504e0-4f89-41d3-9a0c-0305e82c3301")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def database(name: str = "a") -> NeonDatabase:
    return NeonDatabase("br-1", name, OWNER.mark, "p", Branch(id="br-1", name=name), None)


def test_our_word_counts_until_reads_cannot_lag_any_more() -> None:
    clock = Clock()
    words = Words(settle_seconds=15, monotonic=clock)
    assert words.of(OWNER) is None
    assert words.begun_within(OWNER) == math.inf
    words.is_so(database())
    clock.now += 15
    assert words.of(OWNER) == database()
    clock.now += 3
    assert words.of(OWNER) is None
    assert words.begun_within(OWNER) == 3  # a reading that began earlier may lack it


def test_the_answer_to_a_write_is_as_good_as_a_reading_of_that_age() -> None:
    clock = Clock()
    words = Words(settle_seconds=15, monotonic=clock)
    words.is_so(database())
    clock.now += 40
    assert words.of(OWNER, max_age=60) == database()
    assert words.of(OWNER, max_age=30) is None
    words.is_gone(database())
    clock.now += 40
    assert words.of(OWNER, max_age=60) is None


def test_what_we_deleted_is_gone_even_if_reads_still_show_it() -> None:
    clock = Clock()
    words = Words(settle_seconds=15, monotonic=clock)
    words.is_so(database())
    words.is_gone(database())
    assert words.of(OWNER) is None
    assert words.over([database()]) == []
    assert words.begun_within(OWNER) == math.inf
    clock.now += 17
    assert words.begun_within(OWNER) == 2
    assert words.over([database()]) == [database()]  # if it is still shown, it is still there


def test_our_word_is_put_over_what_was_read_while_it_counts() -> None:
    clock = Clock()
    words = Words(settle_seconds=15, monotonic=clock)
    words.is_so(database("new"))
    assert words.over([database("old")]) == [database("new")]
    assert words.over([]) == [database("new")]
    clock.now += 16
    assert words.over([database("old")]) == [database("old")]


def test_words_are_forgotten_when_nobody_can_hold_an_older_reading() -> None:
    clock = Clock()
    words = Words(settle_seconds=15, monotonic=clock)
    words.is_so(database())
    clock.now += 4000
    words.is_gone(replace(database(), id="br-2", mark="another"))
    assert words.begun_within(OWNER) == math.inf


def test_operations_are_expected_to_take_a_little_longer_than_lately() -> None:
    durations, create, reset = Durations(), ("create_branch", "start_compute"), ("apply_config",)
    assert durations.expected(create) is None
    durations.learn(create, 2.0)
    durations.learn(reset, 0.5)
    first = durations.expected(create)
    assert first is not None
    assert 2.0 < first < 2.5
    for _ in range(20):
        durations.learn(create, 4.0)
    later = durations.expected(create)
    assert later is not None
    assert 4.0 < later < 5.0
    assert durations.expected(reset) != later
