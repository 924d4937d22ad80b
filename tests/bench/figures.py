"""Figures, ratios of figures, and the rows that the tables consist of. Pure.

Every figure is measured once in each round, and what it is compared with in the same round. So a ratio is made round by
round, and what disturbs the machine for a while disturbs both sides of it.
"""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One quantity, measured once in each round."""

    rounds: tuple[float, ...]
    unit: str = ""

    @classmethod
    def of(cls, rounds: Iterable[float], unit: str = "") -> "Figure":
        """From one value per round."""
        return cls(tuple(rounds), unit)

    @property
    def median(self) -> float:
        """What is told, compared and held against an aim."""
        return statistics.median(self.rounds)

    def __truediv__(self, other: "Figure") -> "Figure":
        """The ratio, round by round."""
        return Figure(tuple(ours / theirs for ours, theirs in zip(self.rounds, other.rounds, strict=True)))

    def __str__(self) -> str:
        """`12.3 ms (11.9–14.0)`: the median, and the range of the rounds."""
        told = f"{short(self.median)} {self.unit}".rstrip()
        if len(self.rounds) == 1:
            return told
        return f"{told} ({short(min(self.rounds))}–{short(max(self.rounds))})"


@dataclass(frozen=True)
class Aim:
    """What a figure should be, and whether it is. An aim that is missed is told, and fails nothing."""

    text: str
    held: bool


def at_least(bound: float, figure: Figure) -> Aim:
    """For what should be large."""
    return Aim(f"≥ {bound:g} {figure.unit}".rstrip(), figure.median >= bound)


def at_most(bound: float, figure: Figure) -> Aim:
    """For what should be small."""
    return Aim(f"≤ {bound:g} {figure.unit}".rstrip(), figure.median <= bound)


@dataclass(frozen=True)
class Row:
    """One line of a table."""

    id: str
    what: str
    value: str | Figure
    against: str = ""
    """What it is compared with, and how much that is."""
    ratio: Figure | None = None
    aim: Aim | None = None


def compared(
    id: str,  # noqa: A002 - the column's name
    what: str,
    ours: Figure,
    name: str,
    theirs: Figure,
    *,
    least: float | None = None,
    most: float | None = None,
) -> Row:
    """A row whose aim, at least or at most so much, is one of the ratio of ours to theirs."""
    ratio = ours / theirs
    aim = at_least(least, ratio) if least is not None else at_most(most, ratio) if most is not None else None
    return Row(id, what, ours, f"{name}: {theirs}", ratio, aim)


def percentile(values: Sequence[float], percent: int) -> float:
    """The value below which so many percent lie. Of few values the 99th is nearly the largest."""
    if len(values) == 1:
        return values[0]
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def short(value: float) -> str:
    """About three digits: more would be noise."""
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.1f}"
    if value == int(value):
        return f"{value:.0f}"
    return f"{value:.2f}" if size >= 0.1 else f"{value:.3f}"
