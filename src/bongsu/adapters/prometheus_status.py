"""What a Prometheus knows of itself: its targets, jobs, clock, labels, and the metrics of a job.

Stores that only speak the query API (Mimir, Thanos) leave some of it out; that is None here, never a guess.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import msgspec
import yaml

from bongsu.adapters.fetch import get, shown
from bongsu.core.checkup import innocent, suspicious
from bongsu.core.scraping import Target
from bongsu.ports import Clock, Unavailable

_SPAN = re.compile(r"(\d+)(ms|s|m|h|d)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_MOST_LABELS = 40
_INSIDE = "/prometheus"
"""The working directory and the storage path of the official image."""


class PrometheusStatus:
    """A client of the status API. Raises Unavailable when the server does not answer, or is no Prometheus."""

    def __init__(self, url: str, clock: Clock, patience: float = 5.0) -> None:
        """``patience`` in seconds, for each question."""
        self._url = url.rstrip("/")
        self._clock = clock
        self._patience = patience
        self.where = shown(self._url)

    def ahead(self) -> timedelta:
        """How far its clock is ahead of ours, wall time; also the question by which a Prometheus is recognised."""
        before, started = self._clock.now(), time.monotonic()
        data = self._ask("query", {"query": "time()"})
        half = timedelta(seconds=(time.monotonic() - started) / 2)
        try:
            theirs = datetime.fromtimestamp(float(data["result"][1]), UTC)
        except (KeyError, IndexError, TypeError, ValueError, OverflowError):
            raise Unavailable(f"{self.where} answers like no Prometheus") from None
        return theirs - (before + half)

    def version(self) -> str:
        """Its version, "" where it does not tell."""
        data = self._optional("status/buildinfo")
        return str(data.get("version", "")) if isinstance(data, dict) else ""

    def contained(self) -> bool | None:
        """Whether it runs in a container, by the paths of the official image; None when it does not tell them."""
        runtime, flags = self._optional("status/runtimeinfo"), self._optional("status/flags")
        paths = [
            data.get(key) for data, key in ((runtime, "CWD"), (flags, "storage.tsdb.path")) if isinstance(data, dict)
        ]
        return _INSIDE in paths if paths else None

    def targets(self) -> tuple[Target, ...]:
        """Its scrape targets with the series each gave last; from ``up`` alone where it does not tell more."""
        sizes = {_key(labels): int(value) for labels, value in self.values("scrape_samples_scraped")}
        data = self._optional("targets", {"state": "active"})
        active = data.get("activeTargets") if isinstance(data, dict) else None
        if not isinstance(active, list):
            up = self.values("up")
            found = [Target(*_key(labels), "", "up" if value == 1 else "down", "") for labels, value in up]
        else:
            found = [_target(each) for each in active if isinstance(each, dict)]
        return tuple(replace(each, series=sizes.get((each.job, each.instance))) for each in found)

    def jobs(self) -> tuple[str, ...] | None:
        """The jobs of its configuration, those without targets too; None where it does not tell."""
        data = self._optional("status/config")
        try:
            parsed = yaml.safe_load(data["yaml"]) if isinstance(data, dict) else None
            return tuple(str(each["job_name"]) for each in parsed["scrape_configs"]) if parsed else None
        except (yaml.YAMLError, KeyError, TypeError):
            return None

    def names(self, job: str) -> Mapping[str, int]:
        """The metrics that a job has now, with the number of series of each."""
        rows = self.values(f"count by (__name__) ({{job={_quoted(job)}}})")
        return {labels.get("__name__", ""): int(value) for labels, value in rows}

    def values(self, query: str) -> list[tuple[dict[str, str], float]]:
        """An instant query: labels and value of each series; NaN is left out."""
        data = self._ask("query", {"query": query})
        found = [(row.get("metric", {}), float(row["value"][1])) for row in data.get("result", [])]
        return [(labels, value) for labels, value in found if value == value]

    def labels(self, job: str) -> Mapping[str, Collection[str]]:
        """The values of those labels of a job that have many, or whose name is suspicious."""
        match = {"match[]": f"{{job={_quoted(job)}}}"}
        data = self._optional("labels", match)
        there = [label for label in data if not innocent(label)] if isinstance(data, list) else []
        top = self._optional("status/tsdb")
        if isinstance(top, dict):
            many = {each.get("name") for each in top.get("labelValueCountByLabelName") or []}
            there = [label for label in there if label in many or suspicious(label)]
        found = {label: self._optional(f"label/{label}/values", match) for label in there[:_MOST_LABELS]}
        return {label: values for label, values in found.items() if isinstance(values, list)}

    def _optional(self, path: str, fields: Mapping[str, str] | None = None) -> Any:
        """An answer that some stores do not give: None then."""
        try:
            return self._ask(path, fields or {})
        except Unavailable:
            return None

    def _ask(self, path: str, fields: Mapping[str, str]) -> Any:
        answer = get(f"{self._url}/api/v1/{path}?{urlencode(fields)}", patience=self._patience)
        try:
            body = msgspec.json.decode(answer.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise Unavailable(f"{self.where} is no Prometheus: it answers {answer.status} without JSON") from None
        if not isinstance(body, dict) or body.get("status") != "success":
            why = str(body.get("error", ""))[:200] if isinstance(body, dict) else ""
            raise Unavailable(f"{self.where} refuses {path}: {answer.status} {why}".rstrip())
        return body.get("data")


def _target(told: dict[str, Any]) -> Target:
    labels = told.get("labels") or {}
    return Target(
        job=str(labels.get("job") or told.get("scrapePool", "")),
        instance=str(labels.get("instance", "")),
        url=shown(str(told.get("scrapeUrl", ""))),
        health=str(told.get("health", "unknown")),
        error=str(told.get("lastError", ""))[:300],
        interval=span(str(told.get("scrapeInterval", ""))),
    )


def span(text: str) -> timedelta | None:
    """A Prometheus duration ("1m30s"); None when it is none."""
    parts = _SPAN.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return timedelta(seconds=sum(int(number) * _UNITS[unit] for number, unit in parts))


def _key(labels: Mapping[str, str]) -> tuple[str, str]:
    return labels.get("job", ""), labels.get("instance", "")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
