"""Nobody listens for three days, and the world goes on. Then the service starts, and one sweep makes it all good."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from claw_crds import naming
from claw_dev.cluster import ControlPlane
from claw_dev.processes import Processes
from claw_dev.simulators.stripe.records import Subscription, SubscriptionStatus
from claw_webhook.metrics import Metrics
from claw_webhook.services import open_services
from tests.billing.judge import Book, by_the_function
from tests.billing.lives import PLANS, Act, Deed, Life
from tests.billing.network import Network
from tests.billing.town import Town, days_after, town
from tests.eventually import eventually

pytestmark = pytest.mark.timeout(300)

_OUTAGE = range(30, 33)
_SWEEP_SECONDS = 3600.0
_EACH = 4


def _lives() -> Iterator[Life]:
    """Of each kind some: who comes, goes, changes, pays no more or comes back while nobody listens, or does nothing."""
    first, second, third = _OUTAGE
    kinds: list[list[Act]] = [
        [],
        [Act(first, Deed.LEAVE)],
        [Act(second, Deed.CHANGE_PLAN, "team")],
        [Act(3, Deed.CARD_FAILS)],  # the next bill is due on the first day
        [Act(3, Deed.PAUSE), Act(third, Deed.RESUME)],
        [Act(second, Deed.PAUSE)],
        [Act(third, Deed.RENAME)],
        [Act(2, Deed.LEAVE), Act(second, Deed.RETURN, "pro")],
    ]
    regulars = [acts for acts in kinds for _ in range(_EACH)]
    for number, acts in enumerate(regulars):
        yield Life(number, (Act(0, Deed.SUBSCRIBE, PLANS[number % 2]), *acts))
    for number in range(len(regulars), len(regulars) + 2 * _EACH):
        day = _OUTAGE[number % len(_OUTAGE)]
        yield Life(number, (Act(day, Deed.SUBSCRIBE, PLANS[number % 3]),))


async def test_after_three_days_without_the_service_one_sweep_makes_instances_equal_subscriptions(
    control_plane: ControlPlane, processes: Processes, namespace: str, database_url: str, tmp_path: Path
) -> None:
    random = Random(1)
    async with town(
        control_plane,
        processes,
        namespace=namespace,
        database_url=database_url,
        directory=tmp_path,
        lives=list(_lives()),
        random=random,
        sweep_seconds=_SWEEP_SECONDS,
    ) as world:
        beginning, network = world.clock.now(), Network(random)
        for day in range(_OUTAGE.start):
            world.clock.forward_to(days_after(beginning, day))
            await world.play.day(day)
            await world.bring(network.day(world.events()), kill_after=set())
        await world.settled()

        await world.receiver.stop()
        for day in _OUTAGE:
            world.clock.forward_to(days_after(beginning, day))
            await world.play.day(day)
        missed = {event["id"] for event in world.events() if event["type"] != "customer.created"}
        book = Book(world.stripe.account)
        assert len(book.faults(await world.cluster.instances(), world.clock.now())) >= 6 * _EACH

        await world.receiver.start()
        await _swept(world)
        await world.settled()
        assert await _faults(world) == []
        assert book.faults(await world.cluster.instances(), world.clock.now()) == []
        caught_up = {row["id"] for row in await world.rows(b"SELECT id FROM inbox WHERE source = 'sweep'")}
        assert missed - caught_up == set()


async def _swept(world: Town) -> None:
    """Wait until a sweep has ended that began after now."""
    now = world.clock.now()

    async def one_has_ended() -> bool:
        return bool(await world.rows(b"SELECT FROM sweeps WHERE ended_at > %(now)s", now=now))

    await eventually(one_has_ended, 60, lambda: world.receiver.log.read_text()[-3000:])


async def _faults(world: Town) -> list[str]:
    """What differs between the instances and the subscriptions, by name and by what the pure function says of each."""
    subscriptions = world.stripe.account.all(Subscription)
    instances = await world.cluster.instances()
    async with open_services(world.settings, metrics=Metrics(), clock=world.clock.now) as services:
        judgement = await by_the_function(services, [one.id for one in subscriptions], instances)
    living = {one.id for one in subscriptions if one.status is not SubscriptionStatus.CANCELED}
    annotated = {one["metadata"]["annotations"][naming.SUBSCRIPTION] for one in instances}
    return [*judgement.faults, *(f"{id_} has no instance" for id_ in living - annotated)]
