"""Tables on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Column, Table

_BETWEEN = 2
"""Columns of the terminal between two of the table."""


class Fitted(Table):
    """A table that breaks no word as long as all longest words find room beside each other, and cuts nothing off."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Rich's own widths are shares of the longest lines, whatever becomes of the words."""
        sizes = []
        for column in self.columns:
            cells = [Measurement.get(console, options, cell) for cell in (column.header, *column.cells)]
            longest = max(cell.maximum for cell in cells)
            sizes.append((longest if column.no_wrap else max(cell.minimum for cell in cells), longest))
        room = options.max_width - _BETWEEN * (len(sizes) - 1)
        for column, width in zip(self.columns, widths(sizes, room), strict=True):
            column.width = width
        yield from super().__rich_console__(console, options)


def table(*heads: str, title: str | None = None) -> Table:
    """The first column is what other commands are given: it stays whole on a narrow terminal."""
    first, *others = heads
    columns = (Column(first, no_wrap=True), *(Column(each, overflow="fold") for each in others))
    return Fitted(*columns, title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)


def widths(sizes: Sequence[tuple[int, int]], room: int) -> list[int | None]:
    """How wide columns are made. ``sizes``: of each its longest word and its longest line; None: as Rich thinks fit.

    Each has its longest word; what is left goes to those whose lines are broken, in equal parts as far as they want it.
    """
    left = room - sum(word for word, _ in sizes)
    if left < 0:
        return [None] * len(sizes)
    found: list[int | None] = [None] * len(sizes)
    wanting = sorted((line - word, place) for place, (word, line) in enumerate(sizes))
    for others, (want, place) in zip(range(len(sizes), 0, -1), wanting, strict=True):
        more = min(want, left // others)
        found[place], left = sizes[place][0] + more, left - more
    return found
