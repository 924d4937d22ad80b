"""Two years of 500 subscriptions, told by 10,000 deliveries as bad as the network can make them.

Three in ten come again, those of a day in any order; one in twenty is forged, one in twenty was signed too long ago;
and some thirty times the process is killed right after a 200. Then each subscription's instance, in a real API server,
has to be exactly what the pure function says of the live subscription, and nobody who paid may have been without.
"""

import json
from collections import Counter
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from rich.console import Console

from claw_dev.cluster import ControlPlane
from claw_dev.processes import Processes
from claw_dev.simulators.stripe.records import Subscription, SubscriptionStatus
from claw_webhook.metrics import Metrics
from claw_webhook.services import open_services
from tests.billing.conftest import Scale
from tests.billing.judge import Book, Judgement, by_the_function
from tests.billing.lives import lives
from tests.billing.network import Kind, Network
from tests.billing.telling import Teller
from tests.billing.town import Town, days_after, town

pytestmark = pytest.mark.timeout(1800)

_MONTH = 30
_REST = 3
"""Days between two moments at which nothing is due any more. In between, deliveries and looks overtake each other."""
_KILLED_ONCE_IN = 400
"""Deliveries."""
_MAILS = b"SELECT cause, coalesce(reason, state) AS what, count(*) AS number FROM outbox GROUP BY 1, 2 ORDER BY 1, 2"
_HALF_A_DAY = timedelta(hours=12)
_NO_SWEEP = 1e9
"""Seconds: what the deliveries tell has to suffice here."""


async def test_two_years_of_bad_deliveries_leave_exactly_the_right_instances(
    control_plane: ControlPlane,
    processes: Processes,
    namespace: str,
    database_url: str,
    tmp_path: Path,
    scale: Scale,
    capsys: pytest.CaptureFixture[str],
) -> None:
    random = Random(scale.seed)
    with capsys.disabled(), Teller(Console(), scale.days) as teller:
        async with town(
            control_plane,
            processes,
            namespace=namespace,
            database_url=database_url,
            directory=tmp_path,
            lives=lives(random, subscriptions=scale.subscriptions, days=scale.days),
            random=random,
            sweep_seconds=_NO_SWEEP,
        ) as world:
            monthly = await _live(world, scale, random, teller)
            async with open_services(world.settings, metrics=Metrics(), clock=world.clock.now) as services:
                ids = [subscription.id for subscription in world.stripe.account.all(Subscription)]
                judgement = await by_the_function(services, ids, await world.cluster.instances())
            faults = {
                "lost": judgement.lost,
                "extra": judgement.extra,
                "different": judgement.different,
                "wrong at the end of a month": monthly,
                **await _of_deliveries(world),
                "errors logged": _errors(world),
            }
            teller.table(
                f"{scale.subscriptions} subscriptions in {scale.days} days, {world.play.done} deeds",
                await _figures(world, judgement),
                {what: len(found) for what, found in faults.items()},
            )
    assert {what: found[:20] for what, found in faults.items() if found} == {}
    assert len(ids) == scale.subscriptions
    assert world.receiver.answers.total() >= scale.deliveries


async def _live(world: Town, scale: Scale, random: Random, teller: Teller) -> list[str]:
    """Day after day. Returns what was wrong at the end of some month."""
    network, book = Network(random), Book(world.stripe.account)
    beginning, faults = world.clock.now(), list[str]()
    expected = 2 * scale.deliveries
    kill_after = set(random.sample(range(expected), expected // _KILLED_ONCE_IN))
    for day in range(scale.days):
        last = day == scale.days - 1
        if day == scale.days // 2:
            await world.play.after_retries(SubscriptionStatus.UNPAID)
        world.clock.forward_to(days_after(beginning, day))
        await world.play.day(day)
        await world.bring(network.day(world.events()), kill_after=kill_after)
        if last:
            # What comes due does so around the turn of a day: nothing may, between the rest and the judgement.
            world.clock.forward_to(days_after(beginning, day) + _HALF_A_DAY)
        if day % _REST == _REST - 1 or last:
            await world.settled()
            await world.provision()
        teller.day()
        if day % _MONTH == _MONTH - 1 or last:
            instances = await world.cluster.instances()
            faults += [f"day {day}: {fault}" for fault in book.faults(instances, world.clock.now())]
            teller.checkpoint(
                f"day {day + 1}: {world.receiver.answers.total()} deliveries, {world.receiver.kills} kills,"
                f" {len(instances)} instances, {world.mails.mails.total()} mails, {len(faults)} faults"
            )
    return faults


async def _of_deliveries(world: Town) -> dict[str, list[str]]:
    """What was wrong with the answers, and with what they promised."""
    stored = {row["id"] for row in await world.rows(b"SELECT id FROM inbox")}
    right = {Kind.FIRST: 200, Kind.AGAIN: 200, Kind.FORGED: 400, Kind.STALE: 400}
    sent_twice = [id_.decode() for id_, number in world.mails.mails.items() if number > 1]
    return {
        "acknowledged and not stored": sorted(world.receiver.acknowledged - stored),
        "forged and stored": sorted(id_ for id_ in stored if id_.startswith("evt_forged")),
        "wrong answers": [f"{kind}: {status}" for kind, status in world.receiver.answers if status != right[kind]],
        # SMTP has no other guarantee than at least once: a kill may come between sending a mail and noting that.
        "mails sent twice without a kill": sent_twice[world.receiver.kills :],
    }


def _errors(world: Town) -> list[str]:
    lines = map(json.loads, world.receiver.log.read_text().splitlines())
    return [json.dumps(line)[:2000] for line in lines if line["level"] not in {"DEBUG", "INFO", "WARNING"}]


async def _figures(world: Town, judgement: Judgement) -> dict[str, object]:
    answers, kinds = world.receiver.answers, Counter[Kind]()
    for (kind, _), number in answers.items():
        kinds[kind] += number
    causes = await world.rows(_MAILS)
    (log,) = await world.rows(b"SELECT count(*) AS entries FROM billing_log")
    return {
        "deliveries": answers.total(),
        **{f"  {kind}": kinds[kind] for kind in Kind},
        "kills after a 200": world.receiver.kills,
        "entries of the billing log": log["entries"],
        "mails": sum(row["number"] for row in causes),
        **{f"  {row['cause']}, {row['what']}": row["number"] for row in causes},
        "instances expected": judgement.expected,
        "instances found": judgement.found,
    }
