"""Which part of the workspace is whose. Pure.

The first agent, `main`, lives in the workspace itself; every other one in `agents/<its id>/`, which is all that it sees
and writes, so its paths begin there. It reads three files of the root besides its own: who the person is, what is known
about the tools, and what the plan allows. `main` sees everything but the other agents' folders.
"""

from claw_runtime.tools import ToolRefused
from claw_runtime.workspace.paths import AGENTS_FOLDER, STATE, folded, normal

MAIN = "main"
SHARED = ("USER.md", "TOOLS.md", STATE)
"""Files of the root that every agent reads, unless it has its own."""


def folder_of(agent_id: str) -> str:
    """The agent's folder: empty for `main`, `agents/<id>/` for every other."""
    return "" if agent_id == MAIN else f"{AGENTS_FOLDER}/{agent_id}/"


def confined(agent_id: str, path: str) -> str:
    """The path in the workspace of what the agent calls by this path.

    An agent may also write its own folder before the path. Raises ToolRefused when it leads to another agent.
    """
    folder, path = folder_of(agent_id), normal(path).removeprefix("./")
    within = path.removeprefix(folder)
    if folded(within).partition("/")[0] == AGENTS_FOLDER:
        raise ToolRefused(f"{path} belongs to another agent. You work with the files of your own folder.")
    return folder + within


def own_name(agent_id: str, path: str) -> str | None:
    """What the agent calls this file of the workspace; None when it is not the agent's."""
    folder = folder_of(agent_id)
    if not path.startswith(folder):
        return None
    within = path.removeprefix(folder)
    return None if within.startswith(f"{AGENTS_FOLDER}/") else within
