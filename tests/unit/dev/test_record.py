"""stack.json."""

from pathlib import Path

import pytest

from claw_dev.errors import StackError
from claw_dev.lock import StackLock
from claw_dev.record import RECORD_FILE, StackRecord, read_record


@pytest.fixture
def record(directory: Path) -> StackRecord:
    directory.mkdir()
    return StackRecord(pid=1, directory=directory, logs=directory / "logs", namespace="claw", webhook_url="http://x")


def test_what_one_process_writes_another_reads(record: StackRecord) -> None:
    record.write()

    with StackLock(record.directory):
        assert read_record(record.directory) == record


def test_it_is_its_owners_alone_because_it_has_secrets(record: StackRecord) -> None:
    record.write()

    assert (record.directory / RECORD_FILE).stat().st_mode & 0o777 == 0o600


def test_the_record_of_a_killed_stack_is_none(record: StackRecord) -> None:
    record.write()

    with pytest.raises(StackError, match="no stack runs in"):
        read_record(record.directory)


def test_a_broken_record_is_a_clear_error(directory: Path) -> None:
    directory.mkdir()
    (directory / RECORD_FILE).write_text("{")

    with pytest.raises(StackError, match="cannot be read"):
        read_record(directory)
