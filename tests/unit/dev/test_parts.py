"""What a stack consists of, and how far it has come."""

import graphlib

from claw_dev.parts import EVERYTHING, NEEDS, SIMULATORS, Part, Providers, everything, with_needs
from claw_dev.progress import PartProgress, Progress, State


def test_a_part_brings_everything_that_it_needs() -> None:
    assert with_needs([Part.OPERATOR]) == {Part.OPERATOR, Part.KUBERNETES, Part.POSTGRES, Part.CLAUDE}


def test_a_part_without_needs_comes_alone() -> None:
    assert with_needs([Part.MAIL]) == {Part.MAIL}


def test_every_part_can_be_started_after_what_it_needs() -> None:
    order = list(graphlib.TopologicalSorter(NEEDS).static_order())

    assert set(order) == EVERYTHING | SIMULATORS


def test_the_clouds_are_simulated_only_when_asked_for() -> None:
    assert everything(Providers.LOCAL) == everything(Providers.CLOUD) == EVERYTHING
    assert everything(Providers.SIMULATED) == set(Part)
    assert with_needs([Part.OPERATOR], Providers.SIMULATED) >= SIMULATORS


class FakeClock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_progress_counts_the_seconds_of_a_start() -> None:
    clock = FakeClock()
    progress = Progress([Part.POSTGRES], clock=clock)

    progress.starting(Part.POSTGRES, "making its data directory")
    clock.now += 2
    progress.starting(Part.POSTGRES, "starting")
    clock.now += 1
    progress.ready(Part.POSTGRES, "here")
    clock.now += 50

    assert progress[Part.POSTGRES].state is State.READY
    assert progress.elapsed(progress[Part.POSTGRES]) == 3


def test_progress_counts_anew_when_a_part_is_started_again() -> None:
    clock = FakeClock()
    progress = Progress([Part.OPERATOR], clock=clock)
    progress.starting(Part.OPERATOR, "")
    progress.ready(Part.OPERATOR, "")
    clock.now += 60

    progress.starting(Part.OPERATOR, "")
    clock.now += 4

    assert progress.elapsed(progress[Part.OPERATOR]) == 4


def test_progress_tells_of_changes_and_of_nothing_else() -> None:
    heard: list[PartProgress] = []
    progress = Progress([Part.MAIL, Part.STRIPE], heard.append)

    progress.starting(Part.MAIL, "")
    progress.starting(Part.MAIL, "")
    progress.failed(Part.MAIL, "port taken")

    assert [(change.part, change.state) for change in heard] == [
        (Part.MAIL, State.STARTING),
        (Part.MAIL, State.FAILED),
    ]


def test_parts_are_shown_in_one_order_whatever_the_order_they_were_asked_for() -> None:
    progress = Progress([Part.WEBHOOK, Part.KUBERNETES])

    assert [shown.part for shown in progress.all()] == [Part.KUBERNETES, Part.WEBHOOK]


def test_why_a_part_failed_is_still_shown_when_everything_has_been_stopped() -> None:
    progress = Progress([Part.MAIL, Part.STRIPE])
    progress.failed(Part.MAIL, "port taken")

    progress.stopped(Part.MAIL)
    progress.stopped(Part.STRIPE)

    assert (progress[Part.MAIL].state, progress[Part.MAIL].note) == (State.FAILED, "port taken")
    assert progress[Part.STRIPE].state is State.STOPPED
