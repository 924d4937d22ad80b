"""Cuts what must not be said out of an answer while it is streamed. Pure.

Nothing is held back that could not become something forbidden: an ordinary word is passed on in the piece in which it
came. Four words of a piece of the system prompt may have gone before it is known for one; nobody learns much from
them. Of a key nothing goes beyond its first characters.
"""

import re
from collections import deque
from collections.abc import Collection, Iterable

from claw_runtime.tools.pieces import CHAIN, IDEOGRAPHS, LEAST_BEGINNING, LOWER, PIECE, Secrets, normal

CUT = "[…]"
"""Stands for what was cut out."""

_TOKEN = re.compile(f"[{IDEOGRAPHS}]|[^\\W_{IDEOGRAPHS}]+|[\\W_]+")
_IDEOGRAPH = re.compile(f"[{IDEOGRAPHS}]")


class AnswerFilter:
    """One answer. Give it every piece, and say when that was all."""

    def __init__(self, secrets: Iterable[Secrets], known: Collection[int], allowed: Collection[int]) -> None:
        self._secrets = _SecretFilter(tuple(secrets))
        self._repetitions = _RepetitionFilter(known, allowed)

    def feed(self, piece: str) -> str:
        """What may be said now."""
        return self._repetitions.feed(self._secrets.feed(piece))

    def finish(self) -> str:
        """What was held back, and may be said after all."""
        return self._repetitions.feed(self._secrets.finish()) + self._repetitions.finish()


class _SecretFilter:
    """Cuts keys. Holds the end of the text back while it could be the beginning of one."""

    def __init__(self, secrets: tuple[Secrets, ...]) -> None:
        self._secrets = secrets
        lengths = [len(form) for known in secrets for form in known.forms]
        self._shortest = min(lengths, default=0)
        self._longest = max(lengths, default=0)
        self._said = ""
        """The last characters that were passed on: too few to be held back, but perhaps the beginning of more."""
        self._held = ""

    def feed(self, piece: str) -> str:
        text, said = self._said + self._held + piece, len(self._said)
        if self._shortest and len(text) >= self._shortest:
            text = self._cut(text, said)
        end = max(said, len(text) - self._beginning(text.translate(LOWER)))
        self._held = text[end:]
        self._said = text[:end][1 - LEAST_BEGINNING :]
        return text[said:end]

    def finish(self) -> str:
        text, self._held = self._held, ""
        return text

    def _cut(self, text: str, said: int) -> str:
        """Without keys, as far as they have not been said."""
        lowered = text.translate(LOWER)
        for form in (form for known in self._secrets for form in known.forms):
            while (at := lowered.find(form)) >= 0:
                text = text[: max(at, said)] + CUT + text[at + len(form) :]
                lowered = text.translate(LOWER)
        return text

    def _beginning(self, lowered: str) -> int:
        """How many characters at the end are the beginning of a form. Forms have no blanks in them."""
        start = max(lowered.rfind(" ") + 1, lowered.rfind("\n") + 1, len(lowered) - self._longest)
        for at in range(start, len(lowered) - LEAST_BEGINNING + 1):
            if any(lowered[at:] in known.beginnings for known in self._secrets):
                return len(lowered) - at
        return 0


class _RepetitionFilter:
    """Cuts runs of words that are repeated from a known text."""

    def __init__(self, known: Collection[int], allowed: Collection[int]) -> None:
        self._known = known
        self._allowed = allowed
        self._before: deque[str] = deque(maxlen=CHAIN - 1)
        self._word = ""
        """The last word: the next piece may go on with it."""
        self._run = 0
        """Chains in a row that are known."""
        self._held: list[str] = []

    def feed(self, text: str) -> str:
        said: list[str] = []
        for token in _TOKEN.findall(text):
            is_word = token[0].isalnum()
            if self._word and not (is_word and self._goes_on(token)):
                said += self._end_of_word()
            if is_word:
                self._word += token
            (self._held if self._run else said).append(token)
        return "".join(said)

    def finish(self) -> str:
        said = self._end_of_word() if self._word else []
        if not self._is_cutting:
            said += self._held
        self._held = []
        return "".join(said)

    @property
    def _is_cutting(self) -> bool:
        return self._run > PIECE - CHAIN

    def _goes_on(self, token: str) -> bool:
        return not (_IDEOGRAPH.match(token) or _IDEOGRAPH.match(self._word))

    def _end_of_word(self) -> list[str]:
        """Judge the word that is complete now; returns what need no longer be held back."""
        word, self._word = normal(self._word), ""
        chain = hash((*self._before, word))
        self._before.append(word)
        if chain in self._known and chain not in self._allowed:
            self._run += 1
            if not self._is_cutting:
                return []
            self._held = []
            return [CUT] if self._run == PIECE - CHAIN + 1 else []
        released, self._held, self._run = self._held, [], 0
        return released
