"""What a stack takes from the person: environment, `.env`, and a yes before anything costs money."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values
from rich.console import Console

from claw_dev import clouds
from claw_dev.errors import StackError
from claw_dev.parts import Providers

DOTENV = Path(".env")


def agreed_environment(providers: Providers, console: Console, *, yes: bool) -> Mapping[str, str]:
    """The environment that the stack is to know. With the real providers: with `.env`, and only after a yes.

    Raises StackError when something is missing, or when nobody is there who could agree.
    """
    if providers is not Providers.CLOUD:
        return os.environ
    environment = with_dotenv(os.environ)
    clouds.cloud_environment(environment)
    console.print("This uses the real Railway and Neon. For each customer it will create:")
    for line in clouds.bill(environment):
        console.print(f"  - {line}", highlight=False)
    console.print("All of it is named claw-…, bears an owner mark, and is removed at the end. A demo costs some cents.")
    if yes:
        return environment
    if not sys.stdin.isatty():
        raise StackError("nobody is here to agree to that", "run it in a terminal, or add --yes")
    if console.input("Go on? [y/N] ").strip().lower() not in {"y", "yes"}:
        raise StackError("nothing was created")
    return environment


def with_dotenv(environment: Mapping[str, str]) -> Mapping[str, str]:
    """The environment, and what `.env` in the working directory adds to it."""
    # What is set for this one command goes before what lies in a file.
    return {**{name: value for name, value in dotenv_values(DOTENV).items() if value}, **environment}
