"""The network of the proof: what it does with deliveries, in which shares."""

from collections import Counter
from random import Random
from typing import Any

from tests.billing.network import Kind, Network


def events(day: int, number: int) -> list[dict[str, Any]]:
    return [
        {"id": f"evt_{day}_{index}", "type": "customer.updated", "data": {"object": {"id": "cus_1"}}}
        for index in range(number)
    ]


def test_thirty_in_a_hundred_come_again_five_are_forged_and_five_are_stale() -> None:
    network = Network(Random(1))
    kinds = Counter(delivery.kind for day in range(100) for delivery in network.day(events(day, 6)))
    assert kinds == {Kind.FIRST: 600, Kind.AGAIN: 300, Kind.FORGED: 50, Kind.STALE: 50}


def test_every_event_comes_and_what_comes_again_is_the_same_to_the_byte() -> None:
    network = Network(Random(1))
    bodies: dict[str, set[bytes]] = {}
    for day in range(20):
        deliveries = network.day(events(day, 10))
        for delivery in deliveries:
            bodies.setdefault(delivery.event, set()).add(delivery.body)
        first = [delivery.event for delivery in deliveries if delivery.kind is Kind.FIRST]
        assert sorted(first) == sorted(event["id"] for event in events(day, 10))
        assert first != [event["id"] for event in events(day, 10)]
    assert {len(same) for same in bodies.values()} == {1}


def test_what_is_forged_has_an_id_of_its_own() -> None:
    deliveries = Network(Random(1)).day(events(0, 60))
    forged = [delivery for delivery in deliveries if delivery.kind is Kind.FORGED]
    assert sorted(delivery.event for delivery in forged) == [f"evt_forged{number}" for number in range(1, 6)]
