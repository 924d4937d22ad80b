"""Cuts what must not be said out of an answer while it is streamed. Pure.

Nothing is held back that could not become something forbidden: an ordinary word is passed on in the piece in which it
came. Four words of a piece of the system prompt may have gone before it is known for one; nobody learns much from
them. Of a key nothing goes beyond its first characters.
"""

import re
from collections import deque
from collections.abc import Collection, Iterable, Iterator

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
    """Cuts keys, whatever stands between their letters. Holds back what could be the beginning of one."""

    def __init__(self, secrets: tuple[Secrets, ...]) -> None:
        self._forms = tuple(form for known in secrets for form in known.forms)
        self._longest = max(map(len, self._forms), default=0)
        self._beginnings = tuple(known.beginnings for known in secrets)
        self._said = ""
        """The last letters that were passed on: too few to be held back, but perhaps the beginning of more."""
        self._held = ""

    def feed(self, piece: str) -> str:
        text = self._without(self._held + piece)
        letters, places = self._letters(text)
        first = max(0, len(letters) - self._longest)
        start = next((at for at in range(first, len(letters)) if self._begins(letters[at:])), None)
        end = len(text) if start is None else places[start]
        self._held = text[end:]
        self._said = self._letters(text[:end])[0][1 - LEAST_BEGINNING :]
        return text[:end]

    def finish(self) -> str:
        text, self._held = self._held, ""
        return text

    def _without(self, text: str) -> str:
        """The text without keys, as far as they have not been said."""
        letters, places = self._letters(text)
        spans = sorted((at, at + len(form)) for form in self._forms for at in _occurrences(form, letters))
        parts, end = list[str](), 0
        for first, after in spans:
            if places[first] >= end:
                parts += [text[end : places[first]], CUT]
            end = max(end, places[after - 1] + 1)
        return "".join([*parts, text[end:]])

    def _letters(self, text: str) -> tuple[str, list[int]]:
        """Letters and digits of what was said last and of the text, and where in the text each of them is.

        What was said is where the text's first letter is: what begins there can only be cut or held back from there.
        """
        places = [place for place, character in enumerate(text) if character.isascii() and character.isalnum()]
        letters = self._said + "".join(text[place] for place in places).translate(LOWER)
        return letters, [*(places[:1] * len(self._said)), *places]

    def _begins(self, letters: str) -> bool:
        return any(letters in beginnings for beginnings in self._beginnings)


def _occurrences(form: str, letters: str) -> Iterator[int]:
    at = letters.find(form)
    while at >= 0:
        yield at
        at = letters.find(form, at + len(form))


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
