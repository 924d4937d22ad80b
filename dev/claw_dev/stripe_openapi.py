"""Stripe's own description of its API, an OpenAPI document, for whoever judges our simulator by it.

Stripe ships it inside the Go module of stripe-mock, so it comes as every Go module does, by the same Go that builds the
control plane, and is kept in Claw's cache. The module is pinned by version and by hash.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from claw_dev.build import go_environment
from claw_dev.controlplane import MODULE as CONTROL_PLANE
from claw_dev.controlplane import cache_directory
from claw_dev.errors import StackError
from claw_dev.execution import execute
from claw_dev.toolchain import Report, find_go

MODULE = "github.com/stripe/stripe-mock"
VERSION = "v0.203.0"
HASH = "h1:EzW7nb/fphqcAkgVRHAaC88OaAZo6SBWSl54cflDTio="

_DOCUMENT = Path("embedded") / "openapi" / "spec3.json"
_DOWNLOAD_SECONDS = 300
_TAIL = 1500


async def stripe_openapi(environment: Mapping[str, str], report: Report) -> Path:
    """The path of the document, downloaded if it is not there yet. Raises StackError when it cannot be had."""
    cache = cache_directory(environment)
    document = cache / "stripe-openapi" / f"{VERSION}.json"
    if document.exists():
        return document
    go = await find_go(CONTROL_PLANE / "toolchain.txt", cache, environment, report)
    report("downloading Stripe's OpenAPI")
    module = await _download(go, environment)
    _publish(module / _DOCUMENT, document)
    return document


async def _download(go: Path, environment: Mapping[str, str]) -> Path:
    """The directory of the module. Go checks a module against what others have seen of it; we know its hash."""
    settings = go_environment(environment) | {"GOFLAGS": "-mod=mod", "GONOSUMDB": MODULE}
    with tempfile.TemporaryDirectory(prefix="claw-stripe-openapi-") as nowhere:
        command = (str(go), "-C", nowhere, "mod", "download", "-json", f"{MODULE}@{VERSION}")
        download = await execute(*command, deadline=_DOWNLOAD_SECONDS, environment=settings)
    try:
        told = json.loads(download.output)
    except ValueError:
        told = {"Error": download.errors[-_TAIL:]}
    if download.exit_code != 0 or "Error" in told:
        hint = f"see whether Go can reach its modules:\n{told.get('Error') or download.errors[-_TAIL:]}"
        raise StackError(f"Go could not download {MODULE} {VERSION}", hint)
    if told["Sum"] != HASH:
        raise StackError(f"{MODULE} {VERSION} is not what it was: {told['Sum']}", "do not use it, and find out why")
    return Path(told["Dir"])


def _publish(source: Path, target: Path) -> None:
    """Let the document appear all at once, whoever else is at it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(prefix=".openapi-", dir=target.parent)
    os.close(handle)
    try:
        shutil.copyfile(source, draft)
        os.replace(draft, target)
    finally:
        Path(draft).unlink(missing_ok=True)
