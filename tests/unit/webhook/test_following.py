"""What a ClawInstance, as the API server wrote it, means to its customer."""

from datetime import UTC, datetime
from typing import Any

import pytest

from claw_crds import naming
from claw_webhook.following import seen

COMPLETE: dict[str, Any] = {"url": "https://ada.example", "credentialsSecretRef": {"name": "claw-1-credentials"}}


def body(*, ready: str = "True", **status: Any) -> dict[str, Any]:
    conditions = [{"type": "Synced", "status": "True"}, {"type": "Ready", "status": ready, "reason": "OfTomorrow"}]
    return {"metadata": {"name": "claw-1", "uid": "uid-1"}, "status": {"conditions": conditions, **status}}


def test_ready_with_address_and_secret_is_available() -> None:
    instance = seen(body(**COMPLETE))
    assert (instance.name, instance.uid, instance.available) == ("claw-1", "uid-1", True)
    assert (instance.url, instance.secret_name) == ("https://ada.example", "claw-1-credentials")


@pytest.mark.parametrize(
    "manifest",
    [
        {"metadata": {"name": "claw-1", "uid": "uid-1"}},
        body(ready="False", **COMPLETE),
        body(ready="Unknown", **COMPLETE),
        body(url="https://ada.example"),
        body(credentialsSecretRef={"name": "claw-1-credentials"}),
    ],
)
def test_anything_less_is_not(manifest: dict[str, Any]) -> None:
    assert not seen(manifest).available


def test_what_the_status_column_says_and_what_was_used_is_known() -> None:
    usage = {"periodStart": "2026-11-01T00:00:00Z", "messagesUsed": 12}
    instance = seen(body(ready="False", usage=usage))
    assert (instance.ready_reason, instance.usage) == ("OfTomorrow", usage)


@pytest.mark.parametrize(
    ("annotations", "kept"),
    [
        ({}, None),
        ({naming.KEEP_UNTIL: "2027-01-31T12:00:00Z"}, datetime(2027, 1, 31, 12, tzinfo=UTC)),
        ({naming.KEEP_UNTIL: "2027-01-31"}, datetime(2027, 1, 31, tzinfo=UTC)),
        ({naming.KEEP_UNTIL: "until Ada is back"}, datetime.max.replace(tzinfo=UTC)),
        ({naming.KEEP_UNTIL: ""}, datetime.max.replace(tzinfo=UTC)),
    ],
)
def test_until_when_a_person_wants_it_kept(annotations: dict[str, str], kept: datetime | None) -> None:
    manifest = body(**COMPLETE)
    manifest["metadata"]["annotations"] = annotations
    assert seen(manifest).keep_until == kept
