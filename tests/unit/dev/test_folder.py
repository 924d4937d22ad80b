"""The folder of a stack."""

from pathlib import Path

import pytest

from claw_dev.errors import StackError
from claw_dev.folder import take_folder
from claw_dev.lock import StackLock


def test_what_an_earlier_stack_wrote_is_removed(directory: Path) -> None:
    with StackLock(directory):
        (directory / "etcd").mkdir()
        (directory / "etcd" / "db").write_text("old")
        (directory / "stack.json").write_text("{}")

    lock = StackLock(directory)
    take_folder(directory, lock)
    lock.release()

    assert [entry.name for entry in directory.iterdir()] == ["stack.lock"]


def test_a_folder_with_somebody_elses_files_is_refused_and_left_alone(directory: Path) -> None:
    directory.mkdir()
    (directory / "thesis.txt").write_text("three years")

    with pytest.raises(StackError, match="is not a stack's folder"):
        take_folder(directory, StackLock(directory))

    assert (directory / "thesis.txt").read_text() == "three years"


def test_a_link_in_the_folder_is_removed_and_not_followed(directory: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    with StackLock(directory):
        (directory / "link").symlink_to(elsewhere)

    lock = StackLock(directory)
    take_folder(directory, lock)
    lock.release()

    assert (elsewhere / "kept").exists()
    assert not (directory / "link").is_symlink()


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StackError, match=r"cannot use .*Not a directory"):
        take_folder(tmp_path / "file" / ".claw", StackLock(tmp_path / "file" / ".claw"))
