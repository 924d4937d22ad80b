"""What a ClawInstance, as the API server wrote it, means to its customer."""

from typing import Any

import pytest

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
