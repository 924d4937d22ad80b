"""How far one thought may go. Pure.

A model may go round in circles, and each round costs money. So everything is bounded: calls of the model, uses of
tools, the same use over and over, how long the prompt grows, and the tokens that the month has left.
"""

import json
from collections import Counter

from claw_runtime.turns.messages import Tokens, ToolUse

MAX_CALLS = 12
MAX_USES = 24
MAX_SAME = 2
"""Uses of one tool with one input."""
MAX_PROMPT = 120_000
"""Tokens that one call may read. Tools that answer at length reach it before anything else does."""
LEAST_ANSWER = 256
"""Tokens that are kept for the answer."""

ENOUGH = "You have used as many tools as one answer may. Answer now with what you know, and say what is missing."
AGAIN = "You have done exactly this before, and its answer is above. Do something else, or answer with what you know."
CUT_OFF = "What you gave a tool was no complete JSON: it was cut off, or malformed. Go on in smaller steps, or answer."
SAY_SOMETHING = "You have said nothing yet. Answer now."
GO_ON = "Go on."


class Bounds:
    """Counts what a thought takes. `room` is how many tokens it may take; None for any number."""

    def __init__(self, room: int | None) -> None:
        self._room = room
        self._calls = 0
        self._uses: Counter[str] = Counter()

    def is_last(self, spent: Tokens, latest: Tokens) -> bool:
        """Count one call of the model; whether it is the last one, after so many tokens in all and in the latest."""
        self._calls += 1
        left = self._left(spent)
        return (
            self._calls >= MAX_CALLS
            or self._uses.total() >= MAX_USES
            or latest.read >= MAX_PROMPT
            or (left is not None and left <= latest.read + LEAST_ANSWER)
        )

    def answer_tokens(self, wish: int, spent: Tokens) -> int:
        """How long the next answer may be."""
        left = self._left(spent)
        return wish if left is None else max(LEAST_ANSWER, min(wish, left))

    def refusal(self, use: ToolUse) -> str | None:
        """Count a use of a tool; why it is one too many."""
        key = f"{use.name} {json.dumps(use.input, sort_keys=True)}"
        self._uses[key] += 1
        if self._uses.total() > MAX_USES:
            return ENOUGH
        if self._uses[key] > MAX_SAME:
            return AGAIN
        return None

    def _left(self, spent: Tokens) -> int | None:
        return None if self._room is None else self._room - spent.read - spent.output
