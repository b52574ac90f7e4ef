"""What a dashboard is, before it is Grafana's JSON: rows of panels that each answer one question.

Texts are English; ``ko.po`` has them in Korean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["lines", "stat", "table", "states"]


@dataclass(frozen=True, slots=True)
class Line:
    """A query and the name of its series, a template of labels; in a table the heading of the column."""

    query: str
    legend: str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel. ``asks`` is the question it answers, ``means`` what an answer means in trouble and what to do first.

    ``steps`` are thresholds: from this value on, this colour; below the first it is ``calm``. ``rows`` are the labels
    that name a table's rows. ``hidden`` are legends that one click brings back. ``words`` are shown instead of values.
    ``width`` is in 24ths of the screen; a telephone shows every panel over its whole width.
    """

    title: str
    asks: str
    means: str
    lines: tuple[Line, ...]
    unit: str = "short"
    kind: Kind = "lines"
    width: int = 12
    height: int = 8
    steps: tuple[tuple[float, str], ...] = ()
    calm: str = "green"
    least: float | None = None
    most: float | None = None
    decimals: int | None = None
    stacked: bool = False
    rows: tuple[tuple[str, str], ...] = ()
    sorted_by: str = ""
    hidden: tuple[str, ...] = ()
    words: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """A headline and the panels below it; a folded one is read only by those who need it."""

    title: str
    panels: tuple[Panel, ...]
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """Marks on the time axis. Without a query they are Grafana's own annotations with the tag ``tag``.

    ``at_value``: the query's value is the time of the mark, in milliseconds.
    """

    name: str
    colour: str
    query: str = ""
    title: str = ""
    text: str = ""
    tag: str = ""
    at_value: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """A variable: taken from Prometheus by ``query``, or without one typed in by the reader."""

    name: str
    label: str
    default: str
    query: str = ""
    several: bool = False
    pattern: str = ""
    about: str = ""


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard. ``span`` is the time it shows at first."""

    file: str
    uid: str
    title: str
    about: str
    choices: tuple[Choice, ...]
    marks: tuple[Mark, ...]
    rows: tuple[Row, ...]
    span: str = "now-1h"
