"""The only file with Kopf handlers: log in, watch, and put what changed into the queue.

Kopf does what it is best at: it logs in again when a token expires, it watches without ever missing the last state
of an object, and it starts and stops in order. Nothing is decided here, and no handler does any I/O. The finalizer,
the status and every retry are our own, so none of Kopf's change handlers, timers or daemons are used.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any, cast

import kopf

from claw_crds.v1alpha1 import GROUP, VERSION, ClawInstance, ClawPlan
from claw_operator.kube import Access
from claw_operator.store import Body, Store
from claw_operator.workqueue import WorkQueue

log = logging.getLogger(__name__)


def build_registry(
    store: Store, queue: WorkQueue, access: Callable[[], Awaitable[Access]], stop: Callable[[], Awaitable[None]]
) -> kopf.OperatorRegistry:
    """The handlers of one operator. `stop` lets running passes finish."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.ConnectionInfo:
        return kopf.ConnectionInfo(**asdict(await access()))

    @kopf.on.event(GROUP, VERSION, ClawInstance.PLURAL, registry=registry)
    async def instance_seen(type: str | None, event: kopf.RawEvent, **_: Any) -> None:  # noqa: A002 - Kopf's name
        body = cast(Body, event["object"])
        if type == "DELETED":
            store.forget(body["metadata"]["uid"])
            queue.add(body["metadata"]["uid"])
        elif store.saw(body):
            queue.add(body["metadata"]["uid"])

    @kopf.on.event(GROUP, VERSION, ClawPlan.PLURAL, registry=registry)
    async def plan_seen(type: str | None, event: kopf.RawEvent, **_: Any) -> None:  # noqa: A002 - Kopf's name
        body = cast(Body, event["object"])
        name = body["metadata"]["name"]
        if type == "DELETED":
            store.forget_plan(name)
        elif not store.saw_plan(body):
            return
        for uid in store.instances_of_plan(name):
            queue.add(uid)

    @kopf.on.cleanup(registry=registry)
    async def finish(**_: Any) -> None:
        await stop()

    return registry


def build_settings() -> kopf.OperatorSettings:
    """Kopf's settings, each with its reason."""
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True  # our role may not list CRDs and namespaces, and need not
    settings.posting.enabled = False  # Events are written by kube.py, when something changed for the owner
    settings.peering.standalone = True  # two operators at once are harmless: names are the idempotency keys
    settings.queueing.worker_limit = None  # sleeping workers would hold their slot
    settings.queueing.idle_timeout = 1.0  # our handlers keep no state between events
    settings.networking.request_timeout = 30.0  # instead of five minutes
    settings.networking.connect_timeout = 5.0
    settings.watching.server_timeout = 600  # a belt beside Kopf's own inactivity timeout
    settings.watching.client_timeout = 630
    settings.process.ultimate_exiting_timeout = 60.0
    return settings
