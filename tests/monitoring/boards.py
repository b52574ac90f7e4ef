"""The committed dashboards, as their JSON says: panels, queries, and what Grafana would put into the variables."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "src/bongsu/generate/dashboards"
FILES = ("service-in-trouble", "burst-credits", "bongsu-itself")
RATE_INTERVAL, RANGE = "4s", "20s"
"""What $__rate_interval is where everything is scraped each second, and a time that the test has already lasted."""


def board(file: str, language: str = "en") -> dict[str, Any]:
    """One dashboard."""
    loaded: dict[str, Any] = json.loads((FOLDER / language / f"{file}.json").read_text(encoding="utf-8"))
    return loaded


@dataclass(frozen=True)
class Query:
    """A panel's query; ``ref`` is its letter."""

    file: str
    row: str
    panel: str
    ref: str
    text: str
    instant: bool

    @property
    def name(self) -> str:
        """Panel and letter, as in ``Requests/A``."""
        return f"{self.panel}/{self.ref}"

    def filled(self, job: str) -> str:
        """As Grafana asks it, for a job and all its machines."""
        return filled(self.text, job)


def filled(text: str, job: str) -> str:
    """A query with its variables replaced."""
    values = {"$job": job, "$instance": ".*", "$__rate_interval": RATE_INTERVAL, "$__range": RANGE, "$price": "0.05"}
    for name, value in values.items():
        text = text.replace(name, value)
    assert "$" not in text, f"a variable is left in {text}"
    return text


def panels(loaded: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every panel with the headline it stands under."""
    row = ""
    for each in loaded["panels"]:
        if each["type"] == "row":
            row = each["title"]
            yield from ((row, inner) for inner in each["panels"])
        else:
            yield row, each


def queries(file: str) -> list[Query]:
    """Every query of a dashboard's panels."""
    return [
        Query(file, row, panel["title"], target["refId"], target["expr"], target["instant"])
        for row, panel in panels(board(file))
        for target in panel["targets"]
    ]


_NAME = re.compile(r'__name__=~"([^"]+)"')
_KEPT = re.compile(r"\b(?:by|on|ignoring|group_left|group_right)\s*\([^)]*\)")
_NOT_NAMES = re.compile(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]')
_WORD = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*(?!\s*\()\b(?!\s*\()")
_KEYWORDS = {"or", "and", "unless", "bool", "by", "on"}


def metric_names(query: str) -> set[str]:
    """Every metric that a query reads; the alternatives of a pattern one by one."""
    patterns = itertools.chain.from_iterable(_alternatives(found) for found in _NAME.findall(query))
    plain = _NOT_NAMES.sub(" ", _KEPT.sub(" ", query))
    return {*patterns, *(_WORD.findall(plain))} - _KEYWORDS


def _alternatives(pattern: str) -> Iterator[str]:
    before, opened, rest = pattern.partition("(")
    inside, _, after = rest.partition(")")
    return (before + each + after for each in inside.split("|")) if opened else iter((pattern,))
