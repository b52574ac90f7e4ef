"""Tables on the terminal."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.table import Column, Table


def table(*heads: str, title: str | None = None) -> Table:
    """The first column is what other commands are given: it stays whole on a narrow terminal; nothing is cut off."""
    first, *others = heads
    columns = (Column(first, no_wrap=True), *(Column(each, overflow="fold") for each in others))
    return Table(*columns, title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
