"""Installing the API into a cluster that has just been started."""

import json
from pathlib import Path

import pytest

from claw_dev.errors import StackError
from claw_dev.installation import CRDS, documents, install_api
from claw_dev.kubectl import Kubectl

NAMES = [crd["metadata"]["name"] for crd in documents(CRDS)]
ESTABLISHED = {"conditions": [{"type": "NamesAccepted", "status": "True"}, {"type": "Established", "status": "True"}]}
PLAN = "\nkind: ClawPlan\n"
NOT_YET = {"conditions": [{"type": "Established", "status": "False"}]}

# Answers `get` with the next of the folder's answers, and the last one for ever; `wait` fails as kubectl's own does
# when it meets a definition that nobody has looked at yet.
KUBECTL = """#!/bin/sh
cd {folder}
case "$1" in
wait) echo "error: .status.conditions accessor error: <nil> is of the type <nil>" >&2; exit 1;;
get) first=$(ls | grep answer | head -1); cat "$first"; [ $(ls | grep -c answer) -gt 1 ] && rm "$first"; exit 0;;
apply) cat >> applied; exit 0;;
esac
"""


def server(folder: Path, *statuses: object) -> Kubectl:
    """A kubectl whose API server gives its definitions these statuses, one after the other."""
    for number, status in enumerate(statuses):
        items = [{"metadata": {"name": name}, "status": status} for name in NAMES]
        (folder / f"answer-{number}").write_text(json.dumps({"items": items}))
    program = folder / "kubectl"
    program.write_text(KUBECTL.format(folder=folder))
    program.chmod(0o755)
    kubectl = Kubectl(folder / "kubeconfig", cache=folder / "cache")
    kubectl.program = program
    return kubectl


async def test_definitions_that_nobody_has_looked_at_yet_are_waited_for(tmp_path: Path) -> None:
    kubectl = server(tmp_path, {}, {"conditions": None}, NOT_YET, ESTABLISHED)

    await install_api(kubectl)

    assert PLAN in (tmp_path / "applied").read_text()


async def test_definitions_that_are_never_served_are_named(tmp_path: Path) -> None:
    kubectl = server(tmp_path, NOT_YET)

    with pytest.raises(StackError, match=NAMES[0]):
        await install_api(kubectl, deadline=0.3)

    assert PLAN not in (tmp_path / "applied").read_text()
