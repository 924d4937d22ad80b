"""Whether HEARTBEAT.md asks for anything. Pure.

A checklist with nothing on it costs nothing: the model is not called. What counts as nothing: blank lines, headings,
comments, rules, and list items or check boxes that nobody has written anything behind. A file that is not there is
another matter: then the assistant looks around by itself.
"""

import re

CHECKLIST = "HEARTBEAT.md"

_COMMENT = re.compile(r"<!--.*?(-->|\Z)", re.DOTALL)
_NOTHING = re.compile(
    r"""
    \s* (
        \#{1,6} (\s.*)?                          # a heading
      | ([-*+]|[0-9]{1,9}[.)]) (\s+\[[ xX]?\])?  # an item or a check box without words
      | \[[ xX]?\]                               # a check box that stands alone
      | [-*_] (\s*[-*_]){2,}                     # a rule
    )? \s*
    """,
    re.VERBOSE,
)


def is_empty(checklist: str) -> bool:
    """Whether there is nothing to look after."""
    lines = _COMMENT.sub("", checklist.removeprefix("\ufeff")).splitlines()
    return all(_NOTHING.fullmatch(line) for line in lines)
