"""The revision of a configuration is the operator's, whatever this runtime understands of it."""

import json
import uuid
from datetime import UTC, datetime

from claw_crds.configuration import (
    AssistantConfiguration,
    InstanceIdentity,
    KeyHash,
    PlanConfiguration,
    RuntimeConfiguration,
    revision_of,
)
from claw_crds.instance import Customer, State, WorkspaceFile


def configuration() -> RuntimeConfiguration:
    return RuntimeConfiguration(
        instance=InstanceIdentity(namespace="claw", name="a", uid=str(uuid.UUID(int=7))),
        state=State.RUNNING,
        customer=Customer(id="cus_1", email="jörg@example.com", name="Jörg {{7*7}}"),
        assistant=AssistantConfiguration(name="Claw", model="claude-test"),
        plan=PlanConfiguration(name="pro", display_name="Pro", skills=("*",)),
        keys=(KeyHash(sha256="0" * 64, expires_at=datetime(2026, 1, 1, tzinfo=UTC)), KeyHash(sha256="1" * 64)),
        workspace_files=(WorkspaceFile(path="SOUL.md", content="a\nb"),),
    )


def test_a_document_has_the_same_revision_here_and_at_the_operator() -> None:
    document = configuration()

    assert revision_of(document.wire()) == document.revision
    assert revision_of(json.loads(document.model_dump_json(by_alias=True))) == document.revision


def test_members_of_a_newer_operator_count_in_the_revision() -> None:
    newer = configuration().wire() | {"fromTheFuture": True}

    assert revision_of(newer) != configuration().revision
