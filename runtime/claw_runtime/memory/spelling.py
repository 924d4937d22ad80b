"""Which words of the index somebody may have meant by one that is not in it. Pure."""

from collections.abc import Iterable

SHORTEST = 4
"""Characters. In shorter words every slip gives another word."""
_TWO_SLIPS = 8
"""Characters of a word that may have two of them."""
_MOST = 3
_SHARE_OF_A_SLIP = 0.8
"""What a word is worth that needs one slip; one that needs two is worth this of that."""
_SHARE_OF_A_PIECE = 0.6


def meant(word: str, known: Iterable[str]) -> list[tuple[str, float]]:
    """The likeliest of the known words, with what each is worth, from 0 to 1: slips of the pen, and longer words."""
    if len(word) < SHORTEST:
        return []
    most = 2 if len(word) >= _TWO_SLIPS else 1
    found = []
    for other in known:
        if (needed := slips(word, other, most)) is not None:
            found.append((other, _SHARE_OF_A_SLIP**needed))
        elif word in other:
            found.append((other, _SHARE_OF_A_PIECE * len(word) / len(other)))
    return sorted(found, key=lambda entry: (-entry[1], entry[0]))[:_MOST]


def slips(one: str, other: str, most: int) -> int | None:
    """How many letters were left out, added, mistaken or swapped; None when it is more than `most`."""
    if abs(len(one) - len(other)) > most or len(set(one) ^ set(other)) > 2 * most:
        return None
    # Row i: what it takes from the first i letters of one to the first j of the other, for every j.
    rows = [list(range(len(other) + 1))]
    for i, letter in enumerate(one, start=1):
        above = rows[-1]
        row = [i]
        for j, wanted in enumerate(other, start=1):
            cheapest = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                cheapest = min(cheapest, rows[-2][j - 2] + 1)
            row.append(cheapest)
        rows.append(row)
    return rows[-1][-1] if rows[-1][-1] <= most else None
