"""Tables on the terminal."""

from __future__ import annotations

from rich.table import Column, Table


def table(*heads: str, title: str | None = None) -> Table:
    """The first column is what other commands are given: it stays whole on a narrow terminal; nothing is cut off."""
    first, *others = heads
    return Table(Column(first, no_wrap=True), *(Column(each, overflow="fold") for each in others), title=title)
