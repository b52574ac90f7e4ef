"""Any server of the Prometheus HTTP API (https://prometheus.io/docs/prometheus/latest/querying/api/)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec
import urllib3

from bongsu.core.timescale import Timescale
from bongsu.ports import Clock, Samples, Unavailable

_SELECTOR = re.compile(r"\s*[a-zA-Z_:][a-zA-Z0-9_:]*\s*(\{[^{}]*\})?\s*")


class Prometheus:
    """A client; all times are service time, translated at this edge."""

    def __init__(self, url: str, timeout: float, timescale: Timescale, wall: Clock, scrape: timedelta) -> None:
        """``timeout`` in seconds; ``scrape``: the store's scrape interval, service time."""
        self._url = url.rstrip("/")
        self._timescale = timescale
        self._wall = wall
        self._scrape = timescale.wall_span(scrape)
        self._pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(total=timeout), retries=False, headers={"Accept": "application/json"}
        )
        self._ahead = timedelta(0)

    def samples(self, expression: str, since: datetime, until: datetime) -> Mapping[str, Samples]:
        """The raw samples of a selector: an instant query with a range, so that timestamps are the store's own.

        An expression has no samples of its own; it is evaluated once for each scrape.
        """
        begin, end = self._timescale.to_wall(since), self._timescale.to_wall(until)
        window = max(1, math.ceil((end - begin).total_seconds() * 1000))
        step = max(1, round(self._scrape.total_seconds() * 1000))
        over = (
            f"{expression}[{window}ms]" if _SELECTOR.fullmatch(expression) else f"({expression})[{window}ms:{step}ms]"
        )
        return self._matrix("query", {"query": over, "time": f"{end.timestamp():.3f}"})

    def values(self, expression: str, since: datetime, until: datetime, step: timedelta) -> Mapping[str, Samples]:
        """An expression over a range."""
        begin, end = self._timescale.to_wall(since), self._timescale.to_wall(until)
        asked = {
            "query": expression,
            "start": f"{begin.timestamp():.3f}",
            "end": f"{end.timestamp():.3f}",
            "step": f"{max(0.1, self._timescale.wall_span(step).total_seconds()):.3f}",
        }
        return self._matrix("query_range", asked)

    def skew(self) -> timedelta:
        """How far the store's clock was ahead of ours at the last answer (its Date header has whole seconds)."""
        return self._ahead

    def targets_up(self, job: str) -> Mapping[str, Samples]:
        """The ``up`` series of a job in the last minute of wall time."""
        now = self._wall.now()
        return self._matrix("query", {"query": f'up{{job="{job}"}}[60s]', "time": f"{now.timestamp():.3f}"})

    def _matrix(self, path: str, fields: dict[str, str]) -> Mapping[str, Samples]:
        found: dict[str, Samples] = {}
        for series in self._ask(path, fields):
            name = series.get("metric", {}).get("instance", "")
            kept = [
                (self._time(at), float(value)) for at, value in series["values"] if value not in ("NaN", "+Inf", "-Inf")
            ]
            found[name] = tuple(sorted((*found.get(name, ()), *kept)))
        return found

    def _time(self, seconds: float) -> datetime:
        return self._timescale.to_service(datetime.fromtimestamp(seconds, UTC))

    def _ask(self, path: str, fields: dict[str, str]) -> list[dict[str, Any]]:
        try:
            answer = self._pool.request("POST", f"{self._url}/api/v1/{path}", fields=fields, encode_multipart=False)
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(f"Prometheus at {self._url} does not answer: {error}") from None
        if "date" in answer.headers:
            self._ahead = parsedate_to_datetime(answer.headers["date"]) - self._wall.now()
        try:
            body = msgspec.json.decode(answer.data)
        except msgspec.DecodeError:
            raise Unavailable(f"{self._url} is not Prometheus: it answers {answer.status} without JSON") from None
        if not isinstance(body, dict) or body.get("status") != "success":
            why = body.get("error", "") if isinstance(body, dict) else ""
            raise Unavailable(f"Prometheus at {self._url} refuses {fields['query']!r}: {answer.status} {why}")
        result: list[dict[str, Any]] = body["data"]["result"]
        return result
