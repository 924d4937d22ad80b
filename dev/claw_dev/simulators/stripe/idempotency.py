"""Idempotency keys: one request is answered once, and another with its key refused. Pure."""

from dataclasses import dataclass

from claw_dev.simulators.stripe.errors import idempotency_conflict, invalid

_MAX_KEY_LENGTH = 255
_KEPT = 24 * 3600


@dataclass(frozen=True)
class Answer:
    """What a request was answered."""

    status: int
    body: bytes
    request_id: str


@dataclass(frozen=True)
class _Entry:
    path: str
    content: bytes
    answer: Answer
    moment: int


class IdempotencyKeys:
    """The answers of all requests that came with a key. Stripe forgets them after a day, and then does it again."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}

    def answer(self, key: str, path: str, content: bytes, *, now: int) -> Answer | None:
        """What the same request was answered; None for a new key. Raises StripeProblem for a key of another request."""
        if len(key) > _MAX_KEY_LENGTH:
            raise invalid(f"Idempotency keys have at most {_MAX_KEY_LENGTH} characters.")
        entry = self._entries.get(key)
        if entry is None or entry.moment <= now - _KEPT:
            return None
        advice = f"Try using a key other than '{key}' if you meant to execute a different request."
        if entry.path != path:
            raise idempotency_conflict(
                "Keys for idempotent requests can only be used for the same endpoint they were first used for "
                f"('{path}' vs '{entry.path}'). {advice}"
            )
        if entry.content != content:
            raise idempotency_conflict(
                "Keys for idempotent requests can only be used with the same parameters they were first used with. "
                + advice
            )
        return entry.answer

    def keep(self, key: str, path: str, content: bytes, answer: Answer, *, now: int) -> None:
        """Remember the answer of a request that was carried out, with whatever result."""
        self._entries[key] = _Entry(path, content, answer, now)
