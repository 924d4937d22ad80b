"""From a text to chunks: pieces that are small enough to be found and read by themselves. Pure.

A chunk ends where the text does: at a heading, else at an empty line, else at the end of a line. It begins with the
end of the chunk before, so that what stands across a border is whole in one of them; except at a heading, where
something new begins.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

CHUNK_TOKENS = 400
OVERLAP_TOKENS = 80
_SMALL = CHUNK_TOKENS // 4
"""A section that is shorter stays in one chunk with the next one: a heading alone tells nobody anything."""

_HEADING = re.compile(r"(#{1,6})\s+(.+)")
_WIDE = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3000-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]"
)


@dataclass(frozen=True)
class Chunk:
    """A piece of a text. Lines count from 1; both ends belong to it."""

    content: str
    first_line: int
    last_line: int
    heading: str = ""
    """The headings above it, from the highest to the nearest. They are found with it."""


@dataclass(frozen=True)
class _Line:
    number: int
    text: str
    tokens: int
    headings: tuple[tuple[int, str], ...]
    """Level and text of those that it stands under, its own included."""

    @property
    def is_heading(self) -> bool:
        return _HEADING.match(self.text) is not None


def tokens(text: str) -> int:
    """About as many as a model would count: four characters each, but one for a character of a crowded script."""
    wide = 0 if text.isascii() else len(_WIDE.findall(text))
    return 1 + wide + (len(text) - wide) // 4


def chunks(text: str) -> Iterator[Chunk]:
    """The chunks of a text; none of a blank one."""
    pending: list[_Line] = []
    size = 0
    for line in _lines(text):
        new_section = line.is_heading and size >= _SMALL
        if pending and (new_section or size + line.tokens > CHUNK_TOKENS):
            end = len(pending) if new_section else _border(pending)
            yield from _chunk(pending[:end])
            pending = pending[end:] if new_section else _overlap(pending, end)
            size = sum(kept.tokens for kept in pending)
        pending.append(line)
        size += line.tokens
    yield from _chunk(pending)


def _lines(text: str) -> Iterator[_Line]:
    """The lines, with those that are longer than a chunk in pieces."""
    headings: tuple[tuple[int, str], ...] = ()
    for number, text_of_line in enumerate(text.split("\n"), start=1):
        if found := _HEADING.match(text_of_line):
            level = len(found[1])
            headings = (*(above for above in headings if above[0] < level), (level, found[2].strip()[:200]))
        for piece in _pieces(text_of_line):
            yield _Line(number, piece, tokens(piece), headings)


def _pieces(line: str) -> Iterator[str]:
    """A long line in pieces of half a chunk, broken at blanks where there are any."""
    if len(line) <= CHUNK_TOKENS or tokens(line) <= CHUNK_TOKENS:
        yield line
        return
    most = CHUNK_TOKENS // 2 * (1 if len(_WIDE.findall(line)) > len(line) // 2 else 4)
    start = 0
    while start < len(line):
        end = start + most
        blank = line.rfind(" ", start + most // 2, end) if end < len(line) else -1
        end = blank + 1 if blank > 0 else end
        yield line[start:end]
        start = end


def _border(lines: Sequence[_Line]) -> int:
    """After how many lines to end: at the last empty line of the second half, else after all."""
    for place in range(len(lines) - 1, len(lines) // 2, -1):
        if not lines[place].text.strip():
            return place + 1
    return len(lines)


def _overlap(lines: Sequence[_Line], end: int) -> list[_Line]:
    """What the next chunk begins with: the last lines before the border that fit, and all lines after it."""
    start, size = end, 0
    while start > 1 and size + lines[start - 1].tokens <= OVERLAP_TOKENS:
        start -= 1
        size += lines[start].tokens
    return list(lines[start:])


def _chunk(lines: Sequence[_Line]) -> Iterator[Chunk]:
    content = _joined(lines).strip("\n")
    if content.strip():
        heading = " > ".join(text for _, text in lines[-1].headings)
        yield Chunk(content, lines[0].number, lines[-1].number, heading)


def _joined(lines: Sequence[_Line]) -> str:
    """The lines as they were: pieces of one line are put together again."""
    parts: list[str] = []
    number = None
    for line in lines:
        if number is not None and line.number != number:
            parts.append("\n")
        parts.append(line.text)
        number = line.number
    return "".join(parts)
