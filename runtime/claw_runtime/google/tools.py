"""Everything that the assistant can do with the customer's Google account."""

from typing import Any

from claw_runtime.google import calendar_tools, gmail_tools
from claw_runtime.google.integration import Google
from claw_runtime.tools import Tool


def tools(google: Google) -> tuple[Tool[Any], ...]:
    """The tools for mail and calendar. Each says what to do while its part is not connected."""
    return (*gmail_tools.tools(google.gmail), *calendar_tools.tools(google.calendar, google.incoming))
