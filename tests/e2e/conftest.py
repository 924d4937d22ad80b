"""A whole stack for the stories in which every part is real."""

import os
from collections.abc import AsyncIterator

import pytest

from claw_dev.stack import Stack


@pytest.fixture(scope="session")
async def running_stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """Everything, started once. Without a key of the person's, so that nothing here can cost money."""
    environment = {name: value for name, value in os.environ.items() if name != "ANTHROPIC_API_KEY"}
    async with Stack(tmp_path_factory.mktemp("stack") / ".claw", environment=environment) as stack:
        yield stack
