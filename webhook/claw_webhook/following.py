"""What the cluster shows: instances that become available or go, and plans that change.

Both followers are level-triggered: each begins with everything there is, so a change that was missed, or whose handling
failed, is made good by beginning again.
"""

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from claw_crds.conditions import ConditionStatus, ConditionType
from claw_crds.resource import Model, ObjectMeta
from claw_crds.v1alpha1 import SecretRef
from claw_webhook.billing import HEALED_BY_PLANS
from claw_webhook.inbox import Inbox
from claw_webhook.instances import Changed, Gone, Instances, Listed
from claw_webhook.mails.outbox import Outbox
from claw_webhook.metrics import Metrics
from claw_webhook.sightings import SeenInstance, Sightings, keep_until

logger = logging.getLogger(__name__)


class _Condition(Model):
    type: str
    status: str
    reason: str | None = None


class _Status(Model):
    conditions: tuple[_Condition, ...] = ()
    url: str | None = None
    credentials_secret_ref: SecretRef | None = None
    usage: dict[str, Any] | None = None


class _Instance(Model):
    """The few fields that matter here. The whole model would refuse a reason that a newer operator invents."""

    metadata: ObjectMeta
    status: _Status = _Status()


def seen(body: dict[str, Any]) -> SeenInstance:
    """What a ClawInstance, as the API server wrote it, means to its customer."""
    instance = _Instance.model_validate(body)
    status = instance.status
    ready = next((condition for condition in status.conditions if condition.type == ConditionType.READY), None)
    is_ready = ready is not None and ready.status == ConditionStatus.TRUE
    secret = status.credentials_secret_ref
    return SeenInstance(
        name=instance.metadata.name,
        uid=instance.metadata.uid,
        available=is_ready and status.url is not None and secret is not None,
        url=status.url,
        secret_name=secret.name if secret else None,
        ready_reason=ready.reason if ready else None,
        keep_until=keep_until(instance.metadata.annotations),
        usage=status.usage,
    )


async def follow_instances(
    instances: Instances, sightings: Sightings, outbox: Outbox, metrics: Metrics
) -> AsyncGenerator[None, None]:
    """Keep the database's picture of the instances, and ask for a welcome mail when one becomes available.

    A step for each change, without end. Raises psycopg.Error while the database is away; then begin anew.
    """
    async with aclosing(instances.watch_instances()) as changes:
        async for change in changes:
            match change:
                case Listed(objects):
                    names = {body["metadata"]["name"] for body in objects}
                    for name in await sightings.seen_before() - names:
                        # Another replica may have seen it since this list was made.
                        if await instances.get(name) is None:
                            await sightings.gone(name)
                    for body in objects:
                        await _follow_one(seen(body), sightings, outbox, metrics)
                case Changed(body):
                    await _follow_one(seen(body), sightings, outbox, metrics)
                case Gone(name):
                    await sightings.gone(name)
            yield


async def _follow_one(instance: SeenInstance, sightings: Sightings, outbox: Outbox, metrics: Metrics) -> None:
    seconds = await sightings.seen(instance)
    if seconds is None:
        return
    metrics.available_seconds.observe(seconds)
    logger.info("instance %s is available after %.1f s", instance.name, seconds)
    outbox.arrived.set()


async def follow_plans(instances: Instances, inbox: Inbox) -> AsyncGenerator[None, None]:
    """Whenever a plan may be different, try again what was refused because of the plans.

    A step for each change, without end. Raises psycopg.Error while the database is away; then begin anew.
    """
    async with aclosing(instances.watch_plans()) as changes:
        async for _ in changes:
            revived = await inbox.revive(HEALED_BY_PLANS)
            if revived:
                logger.info("a plan changed: %d refused subscriptions are tried again", revived)
            yield
