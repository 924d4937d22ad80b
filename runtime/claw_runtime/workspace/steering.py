"""Which files steer the assistant, and what the customer is shown before one of them changes. Pure.

The assistant reads its workspace with every question. Most files hold what it knows: it writes them freely, and what
they say is information. A few are orders: who it is, how it works, what it does when nobody asks, what its skills tell
it. A page or a mail that talked it into changing one of those would speak with the customer's voice from then on, in
every conversation. So there the assistant only proposes, and the customer decides:

    AGENTS.md  SOUL.md  IDENTITY.md  TOOLS.md  HEARTBEAT.md  BOOTSTRAP.md  skills/…     proposed, then confirmed
    STATE.json  .env                                                                    the system's
    USER.md  MEMORY.md  memory/…  and everything else                                   free

What is confirmed is shown in full, as the lines that go and the lines that come. A change too long to be read is not
proposed: its end could say anything.
"""

import difflib

from claw_runtime.text import visible
from claw_runtime.tools import ToolRefused

STEERING = ("AGENTS.md", "SOUL.md", "IDENTITY.md", "TOOLS.md", "HEARTBEAT.md", "BOOTSTRAP.md")
_STEERING_FOLDER = "skills/"

MAX_SHOWN = 1_500
MAX_COMPARED = 60_000
"""Characters. Comparing texts takes time that grows faster than they do."""

_TOO_LONG = (
    "{name} steers the assistant, so its owner reads every change of it before it is made, and this one is too long to "
    "be read in one go. Change less at a time, with edit_file."
)


def steers(name: str) -> bool:
    """Whether the file, by its name within the agent's folder, tells the assistant what to do."""
    return name in STEERING or name.startswith(_STEERING_FOLDER)


def summary(name: str, before: str | None, after: str | None) -> str:
    """For the customer: what would change. None is a file that is not there. Raises ToolRefused when it is too long."""
    if after is None:
        return f"Delete {name}"
    if len(before or "") + len(after) > MAX_COMPARED:
        raise ToolRefused(_TOO_LONG.format(name=name))
    lines = difflib.unified_diff((before or "").splitlines(), after.splitlines(), lineterm="", n=0)
    shown = "\n".join(visible(line) for line in lines if not line.startswith(("---", "+++", "@@")))
    if len(shown) > MAX_SHOWN:
        raise ToolRefused(_TOO_LONG.format(name=name))
    return f"{'Write' if before is None else 'Change'} {name}:\n{shown}"
