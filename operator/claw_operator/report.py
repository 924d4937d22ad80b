"""Writes statuses and Events: only when they tell something new."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from claw_crds.v1alpha1 import ClawInstanceStatus, ObjectMeta
from claw_operator import status
from claw_operator.decide import Step
from claw_operator.events import news
from claw_operator.findings import Findings
from claw_operator.kube import Kube
from claw_operator.metrics import Metrics
from claw_operator.store import Store

log = logging.getLogger(__name__)

Body = dict[str, Any]


class Reporter:
    """The only writer of statuses."""

    def __init__(self, kube: Kube, store: Store, metrics: Metrics, clock: Callable[[], datetime]) -> None:
        self._kube = kube
        self._store = store
        self._metrics = metrics
        self._clock = clock

    async def write(self, body: Body, found: ClawInstanceStatus, done: Sequence[Step] = ()) -> Body:
        """Write the status if it differs from the body's, tell the owner what changed, return the newest body."""
        before = status.earlier(body)
        if not status.same(before, found):
            body = await self._kube.write_status(body, found)
            self._store.wrote(body)
        meta = ObjectMeta.model_validate(body["metadata"])
        for item in news(before, found, done):
            log.log(logging.WARNING if item.kind == "Warning" else logging.INFO, item.message)
            await self._kube.emit_event(meta, item, self._clock())
        self._metrics.saw(meta.uid, found)
        return body

    async def say(self, body: Body, findings: Findings) -> Body:
        """Set some conditions of an object of which only the metadata needs to be valid; the others stay."""
        generation = body["metadata"]["generation"]
        found = status.with_findings(status.earlier(body), findings, generation, self._clock())
        return await self.write(body, found)
