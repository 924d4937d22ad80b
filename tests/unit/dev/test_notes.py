"""Which processes belong to a stack."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from claw_dev import notes


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own, as the stack starts them."""
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as process:
        yield process
        process.kill()


def started_after_boot(pid: int) -> float:
    return psutil.Process(pid).create_time() - psutil.boot_time()


def test_a_process_is_found_again_by_its_note(directory: Path, sleeper: subprocess.Popen[bytes]) -> None:
    notes.write_note(directory, "sleeper", sleeper.pid)

    (note,) = notes.read_notes(directory)

    process = note.process()
    assert process is not None
    assert process.pid == sleeper.pid


def test_a_later_process_with_the_same_id_is_somebody_elses(sleeper: subprocess.Popen[bytes]) -> None:
    note = notes.Note("sleeper", sleeper.pid, started_after_boot(sleeper.pid) - 60)

    assert note.process() is None


def test_sweeping_spares_a_later_process_with_the_same_id(directory: Path, sleeper: subprocess.Popen[bytes]) -> None:
    notes.write_note(directory, "sleeper", sleeper.pid)
    path = directory / "processes" / "sleeper.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"started_after_boot": 1.0}))

    assert notes.sweep(directory) == []

    assert sleeper.poll() is None


def test_sweeping_ends_a_process_that_bears_the_stacks_mark_but_has_no_note(directory: Path) -> None:
    environment = {**os.environ, notes.STACK_MARK: str(directory)}
    with subprocess.Popen(["sleep", "60"], env=environment, start_new_session=True) as stray:
        assert notes.sweep(directory) == ["sleep"]
        assert stray.wait(5) != 0


def test_sweeping_ends_the_runtimes_of_the_local_driver(directory: Path, sleeper: subprocess.Popen[bytes]) -> None:
    folder = directory / "instances" / "claw-mq6rz4snyvdbpctu2u6mdqa3ae"
    folder.mkdir(parents=True)
    after_boot = started_after_boot(sleeper.pid)
    record = {"mark": "m", "port": 1, "pid": sleeper.pid, "started": 0, "started_after_boot": after_boot}
    (folder / "compute.json").write_text(json.dumps(record))

    assert notes.sweep(directory) == ["runtime claw-mq6rz4snyvdbpctu2u6mdqa3ae"]

    assert sleeper.wait(5) != 0


@pytest.mark.parametrize("record", ["", "{", "[]", '{"pid": null}', '{"pid": "x", "started_after_boot": 1}'])
def test_a_record_that_names_no_process_does_no_harm(directory: Path, record: str) -> None:
    folder = directory / "instances" / "claw-x"
    folder.mkdir(parents=True)
    (folder / "compute.json").write_text(record)

    assert notes.sweep(directory) == []


@pytest.mark.parametrize("content", ["", "{", "[]", '{"name": "x"}'])
def test_a_broken_note_does_no_harm(directory: Path, content: str) -> None:
    (directory / "processes").mkdir(parents=True)
    (directory / "processes" / "x.json").write_text(content)

    assert notes.read_notes(directory) == []


def test_a_process_that_has_ended_needs_no_note(directory: Path) -> None:
    with subprocess.Popen(["true"]) as ended:
        pass

    notes.write_note(directory, "ended", ended.pid)

    assert notes.read_notes(directory) == []
