"""One stack per folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from claw_dev.errors import StackError
from claw_dev.lock import StackLock, holder


def test_a_second_stack_is_refused_and_told_who_has_the_folder(tmp_path: Path) -> None:
    message = rf"another stack runs in {tmp_path} \(process {os.getpid()}\)"

    with StackLock(tmp_path), pytest.raises(StackError, match=message):
        StackLock(tmp_path).acquire()


def test_the_holder_is_known_only_while_it_holds(tmp_path: Path) -> None:
    assert holder(tmp_path / "new") is None

    with StackLock(tmp_path / "new"):
        assert holder(tmp_path / "new") == os.getpid()

    assert holder(tmp_path / "new") is None


def test_a_killed_stack_holds_nothing(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys, pathlib; from claw_dev.lock import StackLock;"
        "lock = StackLock(pathlib.Path(sys.argv[1])); lock.acquire(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)

    assert (tmp_path / "stack.lock").read_text().isdigit()
    with StackLock(tmp_path):
        assert holder(tmp_path) == os.getpid()
