"""What outside belongs to no instance any more, and what of it may be deleted. Pure.

An orphan costs money every month, and deleting something that is none loses a customer's data. So a thing is reported
when it is first seen without its instance, and deleted only when it was seen so several times over a long while, when
few things look like that at once, and never while it is kept on purpose.

Things are judged per owner and driver, because that is how drivers delete: everything that bears the owner's mark.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from claw_operator.external import Marked, Owner


@dataclass(frozen=True)
class Place:
    """One driver, and what it makes."""

    what: str
    """`compute` or `database`."""
    driver: str

    def __str__(self) -> str:
        return f"{self.what} of driver {self.driver}"


@dataclass(frozen=True)
class Policy:
    """When an orphan may be deleted."""

    fleet: str
    """The UID of the operator's namespace; other fleets' things are none of our business."""
    namespace: str
    deletion: bool = True
    """False: orphans are only reported."""
    sightings: int = 3
    grace: float = 3600.0
    """Seconds since it was first seen."""
    few: int = 5
    """So many may look like orphans however small the fleet is ..."""
    share: float = 0.2
    """... and in a larger one this share of it. With more, the mistake is rather ours, and a person decides."""


@dataclass(frozen=True)
class Suspect:
    """What one driver has of an instance that does not exist."""

    place: Place
    owner: Owner
    ids: tuple[str, ...]
    expired: bool
    """It was kept on purpose, and that time is over: no orphan, but to be deleted likewise."""
    since: float
    """When it was first seen, by a clock that only goes forward."""
    sightings: int = 1

    @property
    def key(self) -> tuple[Place, str]:
        """What it is remembered by."""
        return self.place, self.owner.uid


Suspects = Mapping[tuple[Place, str], Suspect]


@dataclass(frozen=True)
class Judgement:
    """What is to be thought of everything that was seen."""

    suspects: Suspects
    appeared: Sequence[Suspect]
    gone: Sequence[Suspect]
    """Suspects that are not there any more, or are none any more."""
    due: Sequence[Suspect]
    """What may be deleted now, in this order."""
    archived: Mapping[Place, int]
    """How many things are kept on purpose. Only of the places that were seen completely."""
    too_many: bool
    """So many are due for deletion that none is."""


def judge(
    seen: Mapping[Place, Sequence[Marked] | None],
    alive: Container[str],
    before: Suspects,
    policy: Policy,
    *,
    now: datetime,
    at: float,
) -> Judgement:
    """Compare what was seen outside with the UIDs of the instances that exist.

    A place whose inventory could not be read is None: its suspects stay as they are, neither seen again nor gone.
    `before` are the suspects of the last time; `at` is now, by the clock of `Suspect.since`.
    """
    ours = {place: _ours(things, policy) for place, things in seen.items() if things is not None}
    suspects = {key: suspect for key, suspect in before.items() if suspect.place not in ours}
    appeared = []
    for place, owners in ours.items():
        for owner, things in owners.items():
            if owner.uid in alive or _kept(things, now):
                continue
            suspect = _suspect(place, owner, things, at)
            known = before.get(suspect.key)
            if known is None:
                appeared.append(suspect)
            else:
                suspect = replace(suspect, since=known.since, sightings=known.sightings + 1)
            suspects[suspect.key] = suspect
    looked_at = [suspect for suspect in suspects.values() if suspect.place in ours]
    # Counted before the grace: who waits for a person's look must see the flood at its beginning.
    marked = sum(len(things) for owners in ours.values() for things in owners.values())
    too_many = sum(len(s.ids) for s in looked_at) > max(policy.few, policy.share * marked)
    due = [s for s in looked_at if s.sightings >= policy.sightings and at - s.since >= policy.grace]
    return Judgement(
        suspects=suspects,
        appeared=appeared,
        gone=[suspect for key, suspect in before.items() if key not in suspects],
        # The compute first, so that nothing writes into a database that is being removed.
        due=sorted(due, key=lambda s: (s.owner.uid, s.place.what)) if policy.deletion and not too_many else [],
        archived={
            place: sum(_kept(things, now) and owner.uid not in alive for owner, things in owners.items())
            for place, owners in ours.items()
        },
        too_many=too_many,
    )


def _ours(things: Sequence[Marked], policy: Policy) -> dict[Owner, list[Marked]]:
    """By owner. A mark without a fleet could be anybody's, and so could everything while we do not know our own."""
    owners: dict[Owner, list[Marked]] = {}
    for thing in things:
        owner = thing.owner
        if policy.fleet and owner.fleet == policy.fleet and owner.namespace == policy.namespace:
            owners.setdefault(owner, []).append(thing)
    return owners


def _kept(things: Sequence[Marked], now: datetime) -> bool:
    # One is enough: a driver's delete takes everything of the owner, the archive included.
    return any(thing.archived_until is not None and thing.archived_until > now for thing in things)


def _suspect(place: Place, owner: Owner, things: Sequence[Marked], at: float) -> Suspect:
    expired = all(thing.archived_until is not None for thing in things)
    return Suspect(place, owner, tuple(sorted(thing.id for thing in things)), expired, at)
