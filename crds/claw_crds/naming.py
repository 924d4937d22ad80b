"""Every name that Claw gives: labels, annotations, the finalizer, and the names of external things. Pure.

Railway and Neon have no idempotency keys, but both refuse a second thing of the same name within a project. So the
name is the key: it follows from the instance's UID alone, it is looked up before every create, and a lost answer is
answered by looking again.
"""

import base64
import hashlib
import re
import uuid

FINALIZER = "claw.dev/external-resources"

# Annotations with which a person steers the operator.
PAUSED = "claw.dev/paused"
"""`"true"` stops reconciliation of the instance. A deletion is carried out all the same."""
RECONCILE_REQUESTED_AT = "claw.dev/reconcile-requested-at"
"""Any new value asks for a pass now."""
RETRY_REQUESTED_AT = "claw.dev/retry-requested-at"
"""Any new value after the failure makes a Failed instance try again."""
ACCEPT_DATABASE_LOSS = "claw.dev/accept-database-loss"
"""The id of a database that vanished: allows the operator to make a new, empty one in its place."""
KEEP_UNTIL = "claw.dev/keep-until"
"""A moment (RFC 3339) before which an instance that is to be deleted stays: later than `spec.deleteAfter`, it wins."""

STEERING = (PAUSED, RECONCILE_REQUESTED_AT, RETRY_REQUESTED_AT, ACCEPT_DATABASE_LOSS, KEEP_UNTIL)
"""All of them: a change of any other annotation asks for nothing."""

# Labels on what the webhook service and the operator create.
MANAGED_BY = "app.kubernetes.io/managed-by"
INSTANCE = "claw.dev/instance"
INSTANCE_UID = "claw.dev/instance-uid"
SUBSCRIPTION = "claw.dev/stripe-subscription"
"""Annotation, because a subscription's id is case-sensitive and may be longer than a label."""

# Keys of the credentials Secret.
SECRET_API_KEY = "api-key"
SECRET_PREVIOUS_API_KEY = "previous-api-key"
SECRET_PREVIOUS_API_KEY_EXPIRES_AT = "previous-api-key-expires-at"
SECRET_CREDENTIALS_REVISION = "credentials-revision"
SECRET_CONFIGURATION_TOKEN = "configuration-token"
SECRET_DATABASE_URL = "database-url"
SECRET_DATABASE_POOLED_URL = "database-pooled-url"
SECRET_DATABASE_ID = "database-id"

OPERATOR_FIELD_MANAGER = "claw-operator"
WEBHOOK_FIELD_MANAGER = "claw-webhook"

_OWNER_MARK = re.compile(
    r"claw\.dev/instance=(?P<namespace>[a-z0-9-]+)/(?P<name>[a-z0-9.-]+),uid=(?P<uid>[0-9a-f-]{36})"
    r"(,fleet=(?P<fleet>[0-9a-f-]{36}))?"
)
_LABEL_VALUE = re.compile(r"[^A-Za-z0-9_.-]")


def external_name(uid: str) -> str:
    """The name of every external thing of an instance, for example `claw-mq6rz4snyvdbpctu2u6mdqa3ae`.

    31 characters of a-z, 2-7 and one hyphen: Railway allows 32, PostgreSQL 63. The whole UID is in it, so two
    instances never share one, and an instance that was deleted and made again gets another.
    """
    return "claw-" + _base32(uuid.UUID(uid).bytes)


def uid_of(name: str) -> str | None:
    """The UID in an external name; None when the name is not one of ours."""
    if not re.fullmatch(r"claw-[a-z2-7]{26}", name):
        return None
    uid = str(uuid.UUID(bytes=base64.b32decode(name.removeprefix("claw-").upper() + "======")))
    # The last character carries two bits more than a UID has; only with zeros there is it a name that we give.
    return uid if external_name(uid) == name else None


def owner_mark(namespace: str, name: str, uid: str, fleet: str = "") -> str:
    """What is written onto an external thing to say whose it is. `fleet` tells apart clusters that share an account."""
    mark = f"claw.dev/instance={namespace}/{name},uid={uid}"
    return f"{mark},fleet={fleet}" if fleet else mark


def parse_owner_mark(mark: str) -> tuple[str, str, str, str] | None:
    """Namespace, name, UID and fleet in an owner mark; None when it is none."""
    found = _OWNER_MARK.fullmatch(mark)
    return None if found is None else (found["namespace"], found["name"], found["uid"], found["fleet"] or "")


def instance_name(subscription_id: str) -> str:
    """The name of the ClawInstance of a Stripe subscription, for example `claw-5gl2y4bsn3ekzkgq`.

    Stripe's ids tell upper from lower case and Kubernetes' names may not, so it is a hash: 80 bits.
    """
    return "claw-" + _base32(hashlib.sha256(subscription_id.encode()).digest()[:10])


def credentials_secret_name(instance: str) -> str:
    """The Secret that holds the API key, the database URL and the configuration token of an instance."""
    return f"{instance}-credentials"


def label_value(text: str) -> str:
    """The text as far as a label can carry it: at most 63 characters, alphanumeric at both ends."""
    return _LABEL_VALUE.sub("_", text)[:63].strip("_.-")


def _base32(raw: bytes) -> str:
    return base64.b32encode(raw).decode().rstrip("=").lower()
