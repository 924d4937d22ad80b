"""From a text to the words that it is found by. Pure.

Languages with blanks give words. Those without (Chinese, Japanese, Thai, …) give every pair of neighbouring characters,
and Han characters by themselves as well, because one of them is often a word. Korean has blanks, but its words carry
their particles: pairs do better there, too. Emoji are words: people do search for them.

Nothing here knows a list of stop words. What stands everywhere weighs nothing, whatever the language.
"""

import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise

LONGEST_WORD = 40
"""Characters. What is longer is a key, an address, or noise; its beginning still finds it."""

_CROWDED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    "\u3005\u3041-\u30ff\u31f0-\u31ff"  # kana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
    "\uac00-\ud7af"  # Hangul
)
_HAN = re.compile("[\u3005\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_TOKEN = re.compile(
    f"(?P<crowded>[{_CROWDED}]+)|(?P<word>[^\\W_{_CROWDED}]+)|(?P<emoji>[\u2600-\u27bf\U0001f000-\U0001faff])"
)


def words(text: str) -> Iterator[str]:
    """The words of a text, in order: in one spelling and in small letters.

    One with accents comes with them, because stemmers want them, and once more without, because people forget them.
    """
    for token in _TOKEN.finditer(unicodedata.normalize("NFKC", text).casefold()):
        run = token["crowded"]
        if run is None:
            word = token[0][:LONGEST_WORD]
            yield word
            if (plain := _without_accents(word)) != word:
                yield plain
        else:
            yield from _pieces(run)


def trigrams(word: str) -> set[str]:
    """Three neighbouring characters each, with a blank before and after the word, so that its ends count."""
    padded = f" {word} "
    return {padded[place : place + 3] for place in range(len(padded) - 2)}


def _without_accents(word: str) -> str:
    """Of Latin letters: elsewhere a mark often makes another letter."""
    if word.isascii():
        return word
    parts = (unicodedata.normalize("NFD", letter) for letter in word)
    return "".join(part[0] if part[0].isascii() else unicodedata.normalize("NFC", part) for part in parts)


def _pieces(run: str) -> Iterator[str]:
    if len(run) == 1:
        yield run
        return
    yield from (character for character in run if _HAN.match(character))
    yield from map("".join, pairwise(run))
