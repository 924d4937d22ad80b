"""The `claw` command and what it finds."""

import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from typer.testing import CliRunner

from claw_dev import __main__ as claw
from claw_dev.errors import StackError


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package that brings a command, a group of commands, and a command that cannot be imported."""
    (tmp_path / "claw_plugin.py").write_text(
        "import typer\n"
        "group = typer.Typer()\n"
        "@group.command()\n"
        "def show():\n    'Show it.'\n    typer.echo('shown')\n"
        "@group.command()\n"
        "def hide():\n    'Hide it.'\n"
        "def greet():\n    'Greet.'\n    typer.echo('hello')\n"
    )
    metadata = tmp_path / "claw_plugin-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: claw-plugin\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text(
        "[claw.commands]\ngreet = claw_plugin:greet\ngroup = claw_plugin:group\nbroken = claw_plugin_gone:main\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("plugin")
def test_a_package_brings_its_own_commands() -> None:
    run = CliRunner().invoke

    assert run(claw.application(["greet"]), ["greet"]).output == "hello\n"
    assert run(claw.application(["group", "show"]), ["group", "show"]).output == "shown\n"


@pytest.mark.usefixtures("plugin")
def test_only_the_command_that_is_asked_for_is_imported() -> None:
    claw.application(["greet"])

    assert "claw_plugin_gone" not in sys.modules


@pytest.mark.usefixtures("plugin")
def test_help_shows_what_works_and_names_what_does_not() -> None:
    shown = CliRunner().invoke(claw.application(["--help"]), ["--help"])

    assert shown.exit_code == 0
    assert "Greet." in shown.output
    assert "cannot be loaded" in shown.output


@pytest.mark.parametrize("name", ["up", "down", "doctor", "kubectl"])
def test_the_stack_brings_its_commands(name: str) -> None:
    assert entry_points(group=claw.GROUP, name=name)


def test_an_error_says_what_happened_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    claw.show_error(StackError("the disk is full", "make room [now]"))

    assert capsys.readouterr().err == "claw: the disk is full\nmake room [now]\n"
