"""How one tells that a text repeats another one, or holds a key, however it was dressed up. Pure.

A text repeats another when a run of its words is in the other one in the same order: capitals, punctuation and line
breaks do not matter. Runs are found by chains of four words, which are cheap to keep as numbers and to look up.

A key is searched for in several forms, because a model can be talked into spelling it backwards or in base64. That
is no proof against a clever encoding; it is one against those that attackers ask for.
"""

import base64
import binascii
import re
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote

CHAIN = 4
"""Words of a chain."""
PIECE = 8
"""Words in a row that are no coincidence."""
LEAST_SECRET = 8
"""Letters and digits. What is shorter is found everywhere, and guessed anyway."""

IDEOGRAPHS = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
"""Where no blanks are written, each character counts as a word."""

_WORD = re.compile(f"[{IDEOGRAPHS}]|[^\\W_{IDEOGRAPHS}]+")
_ENCODED = re.compile(r"[A-Za-z0-9+/_-]{16,}")
_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]{16,}")
_TIMES_QUOTED = 3

LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
"""For str.translate: as `lower`, but every character keeps its place."""


def normal(text: str) -> str:
    """The text without what only changes its looks: full-width letters, ligatures, capitals."""
    return (text if text.isascii() else unicodedata.normalize("NFKC", text)).casefold()


def chains(text: str) -> frozenset[int]:
    """All chains of the text's words, as numbers that mean something within this process only."""
    words = _WORD.findall(normal(text))
    return frozenset(map(hash, zip(words, words[1:], words[2:], words[3:], strict=False)))


def repeats(text: str, known: Collection[int], allowed: Collection[int] = ()) -> bool:
    """Whether PIECE words in a row are those of the text whose chains are known, and not of an allowed one."""
    words = _WORD.findall(normal(text))
    run = 0
    for chain in map(hash, zip(words, words[1:], words[2:], words[3:], strict=False)):
        run = run + 1 if chain in known and chain not in allowed else 0
        if run > PIECE - CHAIN:
            return True
    return False


def readings(text: str) -> Iterator[str]:
    """The text as it stands, and as whoever receives it may read it: unquoted, decoded, backwards."""
    yield text
    for _ in range(_TIMES_QUOTED):
        plain = unquote(text)
        if plain == text:
            break
        yield plain
        text = plain
    yield text[::-1]
    if "+" in text:  # a blank in a URL, a digit in base64
        yield text.replace("+", " ")
    dense = "".join(text.split())  # mails break base64 into lines
    for found in _ENCODED.finditer(dense):
        yield from _from_base64(found[0])
    for found in _HEXADECIMAL.finditer(dense):
        for start in (0, 1):
            digits = found[0][start:]
            yield bytes.fromhex(digits[: len(digits) // 2 * 2]).decode(errors="ignore")


def _from_base64(run: str) -> Iterator[str]:
    """Whatever stands before it in the same run of characters shifts where it begins."""
    standard = run.replace("-", "+").replace("_", "/")
    for start in range(4):
        digits = standard[start:]
        whole = digits[:-1] if len(digits) % 4 == 1 else digits
        try:
            yield base64.b64decode(whole + "=" * (-len(whole) % 4)).decode(errors="ignore")
        except binascii.Error:
            continue


def squeezed(text: str) -> str:
    """Letters and digits only: a key stays one when blanks are put into it."""
    return re.sub(r"[^a-z0-9]", "", text.translate(LOWER))


@dataclass(frozen=True)
class Secrets:
    """Keys and the like, ready to be searched for."""

    plain: tuple[str, ...]
    """Squeezed."""
    forms: tuple[str, ...]
    """As they may stand in a text, each of them squeezed."""
    beginnings: frozenset[str] = field(repr=False)
    """Of the forms, for whoever reads a text piece by piece."""

    def within(self, reading: str) -> bool:
        """Whether one of them is in this reading of a text."""
        letters = squeezed(reading)
        return any(secret in letters for secret in self.plain)


LEAST_BEGINNING = 4
"""Characters of a secret that nobody minds."""


def secrets_of(values: Collection[str]) -> Secrets:
    """The secrets among the values; those that are too short to be one are left out."""
    kept = [value for value in dict.fromkeys(values) if len(squeezed(value)) >= LEAST_SECRET]
    forms = tuple(dict.fromkeys(squeezed(form) for value in kept for form in _forms(value)))
    beginnings = frozenset(form[:end] for form in forms for end in range(LEAST_BEGINNING, len(form)))
    return Secrets(tuple(squeezed(value) for value in kept), forms, beginnings)


def _forms(value: str) -> Iterator[str]:
    raw = value.encode()
    yield value
    yield value[::-1]
    yield raw.hex()
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
        # The first and the last characters depend on what stands before and after.
        yield encoded[(0, 2, 3)[before] : len(encoded) - (1 if (before + len(raw)) % 3 else 0)]
