"""What of the workspace the model reads, and which paths a file can have."""

from datetime import date

import pytest

from claw_runtime.tools import ToolRefused
from claw_runtime.workspace.folders import confined, folder_of, own_name
from claw_runtime.workspace.paths import is_path
from claw_runtime.workspace.sections import FILE_LIMIT, TOTAL_LIMIT, prompt_paths, prompt_sections
from tests.unit.templates.pro_customer import TODAY

PATHS = prompt_paths(TODAY)
EXPECTED = {"AGENTS.md": "a", "SOUL.md": "s", "USER.md": "u", "TOOLS.md": "t", "MEMORY.md": "m"}


def test_stable_files_come_first_and_the_days_notes_last() -> None:
    everything = {path: path for path in (*PATHS, "notes.md", "memory/2026-11-20.md")}
    assert [path for path, _ in prompt_sections(everything, PATHS)] == [
        *("AGENTS.md", "SOUL.md", "USER.md", "IDENTITY.md", "TOOLS.md", "HEARTBEAT.md", "BOOTSTRAP.md", "MEMORY.md"),
        *("STATE.json", "memory/2026-11-21.md", "memory/2026-11-22.md"),
    ]


def test_yesterday_is_the_day_before_also_on_the_first_of_a_year() -> None:
    assert prompt_paths(date(2027, 1, 1))[-2:] == ("memory/2026-12-31.md", "memory/2027-01-01.md")


def test_a_missing_file_is_told_unless_it_need_not_be_there() -> None:
    sections = dict(prompt_sections({"SOUL.md": "s"}, PATHS))
    assert sections == {
        "SOUL.md": "s",
        **dict.fromkeys(("AGENTS.md", "USER.md", "TOOLS.md", "MEMORY.md"), "(This file is missing.)"),
    }


def test_an_empty_file_takes_no_room() -> None:
    assert "MEMORY.md" not in dict(prompt_sections(EXPECTED | {"MEMORY.md": ""}, PATHS))


def test_a_long_file_is_cut_and_says_how_much_is_missing() -> None:
    text = dict(prompt_sections(EXPECTED | {"MEMORY.md": "x" * 200_000}, PATHS))["MEMORY.md"]
    kept = text.count("x")
    assert text.endswith(f"\n\n(Cut here: {200_000 - kept} more characters are in the file.)")
    assert FILE_LIMIT - 200 < len(text) <= FILE_LIMIT


def test_all_files_together_stay_within_the_limit_and_those_without_room_say_so() -> None:
    sections = prompt_sections(dict.fromkeys(PATHS, "x" * 200_000), PATHS)
    assert [path for path, _ in sections] == list(PATHS)
    assert TOTAL_LIMIT - 2_000 < sum(len(text) for _, text in sections) <= TOTAL_LIMIT
    assert sections[-1][1] == "(Left out: the prompt has no room for its 200000 characters.)"


@pytest.mark.parametrize(
    "path",
    [
        *("SOUL.md", "memory/2026-11-22.md", "a/b/c/d/e/f/g/h", "_x-1.txt", ".env", "a" * 200, "a b.md", "é.md"),
        *("メモ/買い物.md", "हिन्दी.md", "agents/bob/SOUL.md", "projects/Agents/soul.md"),
    ],
)
def test_paths_of_files(path: str) -> None:
    assert is_path(path)


@pytest.mark.parametrize(
    "path",
    [
        *("", "/", "/etc/passwd", "..", "../x", "a/../b", "a/./b", "a//b", "a/", ".hidden", "a/.env", "a/" * 8 + "b"),
        *(" a", "a ", "a\nb", "a\x00", "e\u0301.md", "C:\\x", "a\\b", "~/x", "${{x}}", "a" * 201, "日" * 67),
        *("a\u202eb", "a\u200b", "\u0301a", "\ud800", '"', "<file>", "history/a.md", "snapshots", "history"),
        *("soul.md", "Agents/bob/SOUL.md", "agents/bob/Soul.md", "Memory/a.md", "state.json", "agents/bob/SKILLS/x"),
    ],
)
def test_what_is_no_path_of_a_file(path: str) -> None:
    assert not is_path(path)


def test_an_agent_has_a_folder_and_main_has_the_rest() -> None:
    assert (folder_of("main"), folder_of("bob")) == ("", "agents/bob/")
    assert confined("main", "notes/a.md") == "notes/a.md"
    assert confined("bob", "notes/a.md") == confined("bob", "agents/bob/notes/a.md") == "agents/bob/notes/a.md"
    assert own_name("bob", "agents/bob/notes/a.md") == own_name("main", "notes/a.md") == "notes/a.md"
    assert own_name("bob", "notes/a.md") is own_name("main", "agents/bob/notes/a.md") is None
    assert own_name("bob", "agents/bobby/a.md") is None


@pytest.mark.parametrize("path", ["agents/eve/SOUL.md", "agents", "Agents/eve/SOUL.md", "./agents/eve/SOUL.md"])
@pytest.mark.parametrize("agent_id", ["main", "bob"])
def test_no_agent_reaches_another(agent_id: str, path: str) -> None:
    with pytest.raises(ToolRefused):
        confined(agent_id, path)


@pytest.mark.parametrize("path", ["../eve/SOUL.md", "x/../../eve/SOUL.md", "agents/bob/../eve/SOUL.md", "/etc/passwd"])
def test_what_leads_out_of_an_agents_folder_is_no_path(path: str) -> None:
    assert not is_path(confined("bob", path))
