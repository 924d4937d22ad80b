"""Who is right about a file, for everything that disk and database may hold."""

import itertools

import pytest

from claw_runtime.workspace.reconciling import Step, step

CONTENTS = (None, "a", "b", "c")


@pytest.mark.parametrize(
    ("known", "disk", "database", "expected"),
    [
        ("a", "a", "a", Step.NOTHING),
        ("a", "a", "b", Step.TO_DISK),
        ("a", "a", None, Step.TO_DISK),
        ("a", "b", "a", Step.TAKE_IN),
        ("a", None, "a", Step.TAKE_IN),
        ("a", "b", "b", Step.NOTHING),
        ("a", "b", "c", Step.KEEP_BOTH),
        ("a", "b", None, Step.KEEP_BOTH),
        ("a", None, "b", Step.TO_DISK),
        ("a", None, None, Step.NOTHING),
        (None, "a", None, Step.TAKE_IN),
        (None, None, "a", Step.TO_DISK),
        (None, "a", "b", Step.KEEP_BOTH),
    ],
)
def test_the_rule(known: str | None, disk: str | None, database: str | None, expected: Step) -> None:
    assert step("notes.md", known=known, disk=disk, database=database) is expected


def test_no_text_is_ever_thrown_away_and_no_step_is_taken_twice() -> None:
    for known, disk, database in itertools.product(CONTENTS, repeat=3):
        what = step("notes.md", known=known, disk=disk, database=database)
        if what is Step.TO_DISK:
            assert disk in (known, None), "a text that only the disk has would be overwritten"
        if what is Step.TAKE_IN:
            assert database == known, "a text that the disk never had would be overwritten"
        after = disk if what is Step.TAKE_IN else database
        assert step("notes.md", known=after, disk=after, database=after) is Step.NOTHING


@pytest.mark.parametrize("disk", [None, "b"])
def test_nobody_changes_the_systems_files_on_the_disk(disk: str | None) -> None:
    for path in ("STATE.json", ".env"):
        assert step(path, known="a", disk=disk, database="a") is Step.TO_DISK
