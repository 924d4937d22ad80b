"""What the network, and somebody who means harm, make of a day's events. Pure but for its random source.

Of a hundred deliveries sixty bring an event for the first time and thirty again, up to three days later; five are
forged, and five were signed too long ago. Those of one day come in any order.
"""

import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random
from typing import Any

_AGAIN, _FORGED, _STALE = 30 / 60, 5 / 60, 5 / 60
"""For one first delivery."""
_DAYS_REMEMBERED = 3

Json = Mapping[str, Any]


class Kind(StrEnum):
    """What is the matter with a delivery."""

    FIRST = "first"
    AGAIN = "again"
    FORGED = "forged"
    STALE = "stale"


@dataclass(frozen=True)
class Delivery:
    """One POST to the endpoint."""

    kind: Kind
    event: str
    body: bytes


class Network:
    """Between Stripe and the endpoint."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._days: deque[Sequence[Delivery]] = deque(maxlen=_DAYS_REMEMBERED)
        self._owed = dict.fromkeys((Kind.AGAIN, Kind.FORGED, Kind.STALE), 0.0)
        self._forgeries = 0

    def day(self, events: Sequence[Json]) -> list[Delivery]:
        """All deliveries of a day with these events, in the order in which they arrive."""
        deliveries = [_of(Kind.FIRST, event) for event in events]
        self._days.append(tuple(deliveries))
        remembered = [delivery for day in self._days for delivery in day]
        for kind, share in ((Kind.AGAIN, _AGAIN), (Kind.FORGED, _FORGED), (Kind.STALE, _STALE)):
            self._owed[kind] += share * len(events)
            while self._owed[kind] >= 1:
                self._owed[kind] -= 1
                genuine = self._random.choice(remembered)
                deliveries.append(self._forged(genuine) if kind is Kind.FORGED else replace(genuine, kind=kind))
        self._random.shuffle(deliveries)
        return deliveries

    def _forged(self, genuine: Delivery) -> Delivery:
        """As damaging as it can be: the customer's subscription, ended. Under an id that tells in the inbox."""
        self._forgeries += 1
        event = json.loads(genuine.body)
        ended = {**event["data"]["object"], "object": "subscription", "status": "canceled"}
        made_up = {"id": f"evt_forged{self._forgeries}", "type": "customer.subscription.deleted"}
        return _of(Kind.FORGED, {**event, **made_up, "data": {"object": ended}})


def _of(kind: Kind, event: Json) -> Delivery:
    # Indented as Stripe does it: whoever parses and dumps it again breaks the signature.
    return Delivery(kind, event["id"], json.dumps(event, indent=2).encode())
