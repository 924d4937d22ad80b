"""What is an orphan, and what of it may be deleted."""

import uuid
from collections.abc import Container, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from claw_operator.external import Marked, Owner
from claw_operator.orphans import Judgement, Place, Policy, judge

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
FLEET = "f1ee7000-0000-4000-8000-000000000000"
POLICY = Policy(fleet=FLEET, namespace="claw")
RAILWAY, NEON = Place("compute", "railway"), Place("database", "neon")


def owner(number: int = 0, **differently: str) -> Owner:
    return replace(Owner("claw", f"ada-{number}", str(uuid.UUID(int=number)), FLEET), **differently)


def thing(number: int = 0, *, kept: timedelta | None = None, **differently: str) -> Marked:
    return Marked(owner(number, **differently), f"svc-{number}", None if kept is None else NOW + kept)


def uids(*numbers: int) -> set[str]:
    return {owner(number).uid for number in numbers}


def judged(
    *things: Marked,
    alive: Container[str] = (),
    times: int = 1,
    gap: float = 1800.0,
    policy: Policy = POLICY,
    now: datetime = NOW,
) -> Judgement:
    """The judgement after that many looks at the same things, `gap` seconds from each other."""
    judgement = judge({RAILWAY: things}, alive, {}, policy, now=now, at=0.0)
    for number in range(1, times):
        judgement = judge({RAILWAY: things}, alive, judgement.suspects, policy, now=now, at=number * gap)
    return judgement


def names(suspects: Sequence[object]) -> list[str]:
    return [getattr(suspect, "owner").name for suspect in suspects]  # noqa: B009 -- of whatever has an owner


def test_a_thing_without_its_instance_is_reported_at_first_sight_and_only_then() -> None:
    assert names(judged(thing(1)).appeared) == ["ada-1"]
    assert names(judged(thing(1), times=2).appeared) == []


def test_a_thing_whose_instance_exists_is_no_orphan_in_whatever_state_the_instance_is() -> None:
    judgement = judged(thing(1), alive=uids(1), times=10)
    assert not judgement.suspects
    assert not judgement.due


@pytest.mark.parametrize(
    "stranger",
    [
        {"fleet": "0ther000-0000-4000-8000-000000000000"},
        {"fleet": ""},
        {"namespace": "claw-staging"},
    ],
)
def test_another_fleet_s_things_are_none_of_our_business(stranger: dict[str, str]) -> None:
    assert not judged(Marked(owner(1, **stranger), "svc-1"), times=10).suspects


def test_who_does_not_know_its_own_fleet_takes_nothing_for_its_own() -> None:
    assert not judged(thing(1, fleet=""), times=10, policy=replace(POLICY, fleet="")).suspects


@pytest.mark.parametrize(
    ("times", "gap", "due"), [(3, 1800, True), (2, 3600, False), (10, 300, False), (13, 300, True)]
)
def test_it_is_deleted_after_several_sightings_and_the_grace(times: int, gap: float, due: bool) -> None:
    assert bool(judged(thing(1), times=times, gap=gap).due) is due


def test_deletion_can_be_switched_off_and_the_report_stays() -> None:
    judgement = judged(thing(1), times=10, policy=replace(POLICY, deletion=False))
    assert judgement.suspects
    assert not judgement.due


def test_one_that_was_gone_in_between_begins_anew() -> None:
    seen = judged(thing(1), times=9)
    away = judge({RAILWAY: []}, (), seen.suspects, POLICY, now=NOW, at=20_000)
    assert names(away.gone) == ["ada-1"]
    back = judge({RAILWAY: [thing(1)]}, (), away.suspects, POLICY, now=NOW, at=20_600)
    assert names(back.appeared) == ["ada-1"]
    assert not back.due


def test_one_whose_instance_is_there_again_is_none_any_more() -> None:
    seen = judged(thing(1), times=9)
    again = judge({RAILWAY: [thing(1)]}, uids(1), seen.suspects, POLICY, now=NOW, at=20_000)
    assert names(again.gone) == ["ada-1"]
    assert not again.due


def test_of_a_driver_that_could_not_be_asked_nothing_is_concluded() -> None:
    seen = judged(thing(1), times=9)
    unknown = judge({RAILWAY: None}, (), seen.suspects, POLICY, now=NOW, at=20_000)
    assert unknown.suspects == seen.suspects
    assert not unknown.gone
    assert not unknown.due
    assert RAILWAY not in unknown.archived
    known = judge({RAILWAY: [thing(1)]}, (), unknown.suspects, POLICY, now=NOW, at=20_600)
    assert names(known.due) == ["ada-1"], "a failure in between does not begin the count anew"


@pytest.mark.parametrize(
    ("orphans", "live", "too_many"), [(5, 0, False), (6, 0, True), (20, 80, False), (21, 79, True)]
)
def test_when_too_much_looks_orphaned_nothing_is_deleted(orphans: int, live: int, too_many: bool) -> None:
    things = [thing(number) for number in range(orphans + live)]
    judgement = judged(*things, alive=uids(*range(orphans, orphans + live)), times=3)
    assert judgement.too_many is too_many
    assert len(judgement.suspects) == orphans, "they are reported all the same"
    assert len(judgement.due) == (0 if too_many else orphans)


def test_other_fleets_do_not_make_ours_look_larger() -> None:
    things = [thing(n) for n in range(6)] + [thing(n, fleet="") for n in range(6, 100)]
    assert judged(*things, times=3).too_many


def test_what_is_kept_on_purpose_is_counted_and_left_alone() -> None:
    judgement = judged(thing(1, kept=timedelta(days=1)), thing(2, kept=timedelta(days=1)), times=10)
    assert judgement.archived == {RAILWAY: 2}
    assert not judgement.suspects


def test_what_was_kept_long_enough_is_deleted_under_the_same_conditions() -> None:
    expired = thing(1, kept=timedelta(seconds=-1))
    first = judged(expired)
    assert [suspect.expired for suspect in first.appeared] == [True]
    assert not first.due
    assert names(judged(expired, times=3).due) == ["ada-1"]
    assert not judged(expired, times=3, alive=uids(1)).suspects
    many = [thing(number, kept=timedelta(seconds=-1)) for number in range(6)]
    assert judged(*many, times=3).too_many, "a clock that is wrong by a year must not cost all archives"


def test_a_leftover_beside_an_archive_waits_for_it_since_deleting_takes_both() -> None:
    archive = replace(thing(1, kept=timedelta(days=1)), id="archive")
    assert not judged(thing(1), archive, times=10).suspects
    over = replace(archive, archived_until=NOW)
    (due,) = judged(thing(1), over, times=10).due
    assert (due.ids, due.expired) == (("archive", "svc-1"), False)


def test_the_compute_is_deleted_before_its_database() -> None:
    seen = {NEON: [thing(2), thing(1)], RAILWAY: [thing(1), thing(2)]}
    judgement = judge(seen, (), {}, replace(POLICY, sightings=1, grace=0), now=NOW, at=0)
    assert [(suspect.owner.name, suspect.place) for suspect in judgement.due] == [
        ("ada-1", RAILWAY),
        ("ada-1", NEON),
        ("ada-2", RAILWAY),
        ("ada-2", NEON),
    ]
