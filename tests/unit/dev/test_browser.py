"""Where the Chromium comes from that takes the pictures."""

from pathlib import Path

import pytest

from claw_dev.browser import find_chromium
from claw_dev.errors import StackError


def program(folder: Path, name: str) -> Path:
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("name", ["chromium", "chromium-browser", "google-chrome"])
async def test_the_machines_own_is_taken_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    own = program(tmp_path, name)
    assert await find_chromium({"PATH": str(tmp_path)}, pytest.fail, is_root=False) == own


@pytest.mark.parametrize("is_root", [True, False])
async def test_where_none_is_and_none_can_be_installed_a_person_is_told_what_to_do(
    tmp_path: Path, is_root: bool
) -> None:
    if not is_root:
        program(tmp_path, "apt-get")
    with pytest.raises(StackError, match="no Chromium") as refused:
        await find_chromium({"PATH": str(tmp_path)}, pytest.fail, is_root=is_root)
    assert "apt-get install chromium" in refused.value.hint


async def test_an_installation_that_fails_tells_why(tmp_path: Path) -> None:
    apt = program(tmp_path, "apt-get")
    apt.write_text("#!/bin/sh\necho no mirror answers >&2\nexit 100\n")
    told: list[str] = []
    with pytest.raises(StackError, match="could not be installed") as refused:
        await find_chromium({"PATH": str(tmp_path)}, told.append, is_root=True)
    assert "no mirror answers" in refused.value.hint
    assert told == ["installing Debian's chromium"]
