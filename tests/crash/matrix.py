"""The differential oracle: a run with one strike ends as the undisturbed one did, by as many creates and deletes.

A right end can hide a wrong way, and everything that is made twice costs money; so both are compared.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.crash.calls import Call, Neighbour, Point, points
from tests.crash.gate import Moment
from tests.crash.lane import Ended, Lane, Picture, Stuck
from tests.crash.phases import PHASES, Phase
from tests.crash.telling import Teller

_TRIES = 3
"""For a write that did not come this time, since what runs side by side may come in another order."""

_DEPLOYED = "Deployment created"
_STATUS = Call(Neighbour.KUBERNETES, "PATCH clawinstances/status", changes=True)


@dataclass(frozen=True)
class Expected:
    """What a phase leads to when nothing goes wrong, and the calls that it takes."""

    ended: Ended
    points: list[Point]

    def struck_at(self, moment: Moment) -> list[Point]:
        """A kill matters at what changes something; an answer may be missed of everything."""
        return [point for point in self.points if point.call.changes or moment is Moment.LOST]


@dataclass
class Row:
    """What happened to one phase under one kind of strike."""

    what: str
    phase: str
    points: int
    runs: int = 0
    unmet: list[Point] = field(default_factory=list)
    """Points that did not come: this run took fewer looks."""
    orphans: int = 0
    duplicates: int = 0
    stuck: int = 0
    different: int = 0
    redeployed: int = 0
    """Two operators that see one wish at the same moment may both deploy: Railway has no key by which the second
    deployment would be the first again. It replaces the first, so nothing of it is left over."""
    stories: list[str] = field(default_factory=list)
    """What went wrong, for the person who has to find out why."""

    @property
    def missed(self) -> list[Point]:
        """Writes that were never struck. How many statuses are written depends on how much each look finds."""
        return [point for point in self.unmet if point.call.changes and point.call != _STATUS]

    @property
    def well(self) -> bool:
        """Whether every run ended as the undisturbed one, and no write was missed."""
        return not self.stories and not self.missed

    def judge(self, ended: Ended, expected: Ended, story: str) -> None:
        """Compare one run with the undisturbed one."""
        too_many = sum((ended.made - expected.made).values())
        orphans = _surplus(ended.picture, expected.picture)
        different = ended.picture != expected.picture or ended.made != expected.made
        self.duplicates += too_many
        self.orphans += orphans
        self.different += different and not too_many and not orphans
        if different:
            self.stories.append(f"{story}\n{_differences(ended, expected)}")


async def undisturbed_life(lane: Lane) -> dict[str, Expected]:
    """What each phase leads to, and takes, when nothing goes wrong."""
    expected = {}
    for phase in PHASES:
        (name,) = await lane.take(phase, 1)
        lane.gate.listen()
        ended = await lane.undisturbed(phase, [name])
        expected[phase.name] = Expected(ended, points(lane.gate.calls))
        lane.give_back(phase, name)
    return expected


async def struck_lives(lane: Lane, moment: Moment, expected: Mapping[str, Expected], teller: Teller) -> list[Row]:
    """Strike once at every point of every phase, each time in the life of an instance that rests."""
    rows = []
    for phase in PHASES:
        wanted = expected[phase.name]
        struck = wanted.struck_at(moment)
        row = Row(moment.value, phase.name, len(struck))
        with teller.phase(moment.value, phase.name, len(struck)) as done:
            names = iter(await lane.take(phase, len(struck)))
            for point in struck:
                told = len(row.stories)
                await _strike(lane, phase, next(names), point, moment, wanted.ended, row)
                done()
                for story in row.stories[told:]:
                    teller.trouble(story)
        rows.append(row)
    left = await lane.strangers()
    if left:
        rows[-1].orphans += len(left)
        rows[-1].stories.append(f"{moment}: left over in the end: {left}")
    return rows


async def struck_starts(lane: Lane, expected: Mapping[str, Expected], teller: Teller) -> list[Row]:
    """Lose each answer of a start in turn; the operator has to serve the next customer all the same."""
    await lane.start_again()
    struck = points(lane.gate.calls)
    row, create = Row(Moment.LOST, "start", len(struck)), PHASES[0]
    wanted = expected[create.name].ended
    with teller.phase(Moment.LOST, "start", len(struck)) as done:
        for point in struck:
            story = f"start, {Moment.LOST} {point}:"
            row.runs += 1
            try:
                met = await lane.start_again(point)
                (name,) = await lane.take(create, 1)
                ended = await lane.undisturbed(create, [name])
            except Stuck as stuck:
                row.stuck += 1
                row.stories.append(f"{story} stuck: {stuck}")
                teller.trouble(row.stories[-1])
                await lane.start_again()
                continue
            row.judge(ended, wanted, story)
            if not met:
                row.unmet.append(point)
            done()
    return [row]


async def crowd_lives(lane: Lane, what: str, names: list[str], expected: Mapping[str, Expected]) -> list[Row]:
    """Let all of them live together, and judge each, and what was made for all."""
    rows: list[Row] = []
    for phase in PHASES:
        wanted = expected[phase.name].ended
        row = Row(what, phase.name, 0, runs=len(names))
        rows.append(row)
        story = f"{what}, {phase.name}:"
        try:
            ended = await lane.undisturbed(phase, names)
        except Stuck as stuck:
            row.stuck += 1
            row.stories.append(f"{story} stuck: {stuck}")
            return rows
        # The second operator may deploy once more, after the first one has said that all is well.
        for name, picture in (await lane.come_to(wanted.picture, names)).items():
            row.judge(Ended(picture, Counter()), Ended(wanted.picture, Counter()), f"{story} {name}")
        due = Counter({kind: number * len(names) for kind, number in wanted.made.items()})
        row.redeployed = max(0, ended.made.pop(_DEPLOYED, 0) - due.pop(_DEPLOYED, 0))
        row.duplicates += sum((ended.made - due).values())
        if ended.made != due:
            row.stories.append(f"{story} made {dict(ended.made)} for {len(names)} instances")
    return rows


async def _strike(lane: Lane, phase: Phase, name: str, point: Point, moment: Moment, wanted: Ended, row: Row) -> None:
    story = f"{phase.name}, {moment} {point}:"
    for attempt in range(_TRIES):
        if attempt:
            (name,) = await lane.take(phase, 1)
        row.runs += 1
        try:
            ended = await lane.disturbed(phase, name, point, moment, wanted.picture)
        except Stuck as stuck:
            row.stuck += 1
            row.stories.append(f"{story} stuck: {stuck}")
            return
        if ended is not None:
            before = len(row.stories)
            row.judge(ended, wanted, story)
            if len(row.stories) == before:
                lane.give_back(phase, name)
            return
        lane.give_back(phase, name)
        if not point.call.changes:
            break
    row.unmet.append(point)


def _surplus(found: Picture, expected: Picture) -> int:
    """How many things there are outside beyond those that should be."""
    return sum(max(0, len(rows) - len(expected["outside"].get(kind, []))) for kind, rows in found["outside"].items())


def _differences(ended: Ended, expected: Ended) -> str:
    found = ended.picture | {"made": dict(ended.made)}
    wanted = expected.picture | {"made": dict(expected.made)}
    return "\n".join(f"  {line}" for line in _apart("", found, wanted))


def _apart(where: str, found: Any, wanted: Any) -> Iterator[str]:
    """Each place at which the two differ, with what is there and what should be."""
    if found == wanted:
        return
    if isinstance(found, dict) and isinstance(wanted, dict):
        for name in sorted(found.keys() | wanted.keys()):
            yield from _apart(f"{where}.{name}", found.get(name), wanted.get(name))
    elif isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        for position, (one, other) in enumerate(zip(found, wanted, strict=True)):
            yield from _apart(f"{where}[{position}]", one, other)
    else:
        yield f"{where}: {json.dumps(found)}, undisturbed {json.dumps(wanted)}"
