"""What a customer is shown before something of theirs leaves. Pure.

They confirm what they can read, and all of it: a proposal that shows only the beginning of a mail would let whoever
talked the assistant into it write the end.
"""

from typing import Final

from claw_runtime.text import visible
from claw_runtime.tools import ToolRefused

MAX_SHOWN: Final = 8_000
"""Characters."""


def shown(text: str, otherwise: str) -> str:
    """The text as it is shown. Raises ToolRefused when nobody would read it all, with what to do `otherwise`."""
    if len(text) > MAX_SHOWN:
        raise ToolRefused(f"More than {MAX_SHOWN:,} characters are too many to be read and confirmed. {otherwise}")
    return visible(text)
