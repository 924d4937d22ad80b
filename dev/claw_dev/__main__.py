"""The `claw` command.

Its subcommands are entry points of the group `claw.commands`, so that no package has to import another to be part of
it. An entry point is a function, which becomes one command, or a `typer.Typer`, which becomes a group of them.
"""

import sys
from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint, entry_points

import typer
from rich.console import Console
from rich.text import Text

from claw_dev.errors import REINSTALL, StackError

GROUP = "claw.commands"


def main() -> None:
    """Run the command that the command line names."""
    try:
        application(sys.argv[1:])()
    except StackError as error:
        show_error(error)
        sys.exit(1)


def application(arguments: Sequence[str]) -> typer.Typer:
    """The command with the subcommand that is asked for, or with all of them when that cannot be told."""
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    # Each of them imports half a package; `claw down` must not wait for that of `claw demo`.
    asked = found.get(arguments[0]) if arguments else None
    app = typer.Typer(name="claw", no_args_is_help=True, add_completion=False, pretty_exceptions_show_locals=False)
    app.callback()(_describe)
    for entry in [asked] if asked else sorted(found.values(), key=lambda entry: entry.name):
        _add(app, entry)
    return app


def show_error(error: StackError) -> None:
    """Tell the person what happened, and what to do."""
    console = Console(stderr=True)
    console.print(Text(f"claw: {error}", style="bold red"))
    if error.hint:
        console.print(Text(error.hint))


def _describe() -> None:
    """Claw on this machine: a Kubernetes API, PostgreSQL, operator, webhook service, and simulators of the rest."""


def _add(app: typer.Typer, entry: EntryPoint) -> None:
    try:
        command = entry.load()
    except ImportError as error:
        # One broken package must not take the other commands away.
        app.command(entry.name)(_broken(entry.name, error))
        return
    if isinstance(command, typer.Typer):
        app.add_typer(command, name=entry.name)
    else:
        app.command(entry.name)(command)


def _broken(name: str, error: ImportError) -> Callable[[], None]:
    def command() -> None:
        raise StackError(f"`claw {name}` cannot be loaded: {error}", REINSTALL)

    command.__doc__ = f"(cannot be loaded: {error})"
    return command


if __name__ == "__main__":
    main()
