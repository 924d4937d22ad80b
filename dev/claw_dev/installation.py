"""What the chart would install: CRDs, the namespace, service accounts with their roles, the default plans."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from claw_dev.errors import StackError
from claw_dev.kubectl import Kubectl

ROOT = Path(__file__).parent.parent.parent
CRDS = ROOT / "crds"
PLANS = ROOT / "charts" / "claw" / "plans"
MANIFESTS = Path(__file__).parent / "manifests"
_ESTABLISHED_TIMEOUT = 30


async def install_api(kubectl: Kubectl) -> None:
    """Apply the CRDs, and the default plans once the API server knows the kind."""
    crds = list(documents(CRDS))
    if not crds:
        raise StackError(f"there are no CRDs in {CRDS}", "make generate")
    await kubectl.apply(crds)
    names = [f"crd/{crd['metadata']['name']}" for crd in crds]
    await kubectl.run("wait", "--for=condition=Established", f"--timeout={_ESTABLISHED_TIMEOUT}s", *names)
    await kubectl.apply(documents(PLANS))


def documents(directory: Path) -> Iterator[dict[str, Any]]:
    """Every document of every manifest in a directory, in order."""
    for path in sorted(directory.glob("*.yaml")):
        yield from (document for document in yaml.safe_load_all(path.read_text()) if document)
