"""Figures, and how they are shown."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """How much of everything is done."""

    seconds: float = 3.0
    rounds: int = 3
    under_way: int = 1_024
    reads: int = 5_000
    latencies: int = 2_000
    requests: int = 5_000
    events: int = 100_000
    calls: int = 1_000_000

    @staticmethod
    def short() -> Sizes:
        """So little that nothing can be said of speed."""
        return Sizes(0.1, 1, 64, 50, 50, 50, 500, 2_000)


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    work: str
    figure: str
    beside: str = ""
    ratio: str = ""
    wanted: str = ""


def table(rows: list[Row]) -> str:
    """The rows below each other."""
    lines = [("work", "figure", "beside", "ratio", "wanted")]
    lines += [(row.work, row.figure, row.beside, row.ratio, row.wanted) for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(5)]
    shown = ("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)
    return "\n".join(shown)


def median(values: list[float]) -> float:
    """The one in the middle."""
    return sorted(values)[len(values) // 2]
