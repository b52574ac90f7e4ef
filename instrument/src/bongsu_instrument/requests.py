"""``http_server_requests_seconds``: every request by method, route template, status and error, of any framework.

Labels have few values, whatever clients send: unknown methods, routes beyond ``max_uris``, statuses that do not exist
and error names beyond ``MAX_ERRORS`` are all ``UNKNOWN``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from math import isfinite
from threading import Lock
from time import perf_counter
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.utils import floatToGoString

from bongsu_instrument.meters import SETTLED, Timer

logger = logging.getLogger(__name__)

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0, 2.5, 5.0, 10.0)
"""Seconds. Objectives that people set, such as 300 ms and 800 ms, are bounds, so that shares are exact."""
LABELS = ("method", "uri", "status", "outcome", "exception", "error")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
UNKNOWN = "UNKNOWN"
NONE = "none"
MAX_URIS = 100
MAX_ERRORS = 50
NOTED, ROUTE, WATCHED = "bongsu_instrument.error", "bongsu_instrument.route", "bongsu_instrument.watched"
"""What a request carries, in its ASGI scope or WSGI environ: an error, the route's template, that it is counted."""
_OUTCOMES = {1: "INFORMATIONAL", 2: "SUCCESS", 3: "REDIRECTION", 4: "CLIENT_ERROR", 5: "SERVER_ERROR"}
_HELP = "Duration of HTTP server request handling"
Key = tuple[str, str, int, str | None]
"""Method, route, status (0: none) and error of a request."""


def note_error(request: MutableMapping[str, Any], error: BaseException) -> None:
    """Name the error that a handler has turned into an answer; else the labels say ``none`` for a handled one.

    ``request``: the ASGI scope or the WSGI environ.
    """
    request[NOTED] = error


def outcome(status: int) -> str:
    """Micrometer's word for a status."""
    return _OUTCOMES.get(status // 100, UNKNOWN)


class FirstNames:
    """The first ``most`` different names; any later one is ``UNKNOWN``, and the log says so once."""

    def __init__(self, what: str, most: int) -> None:
        self._what, self._most = what, most
        self._names: set[str] = set()
        self._full = False

    def bounded(self, name: str) -> str:
        """The name, or ``UNKNOWN``."""
        if name in self._names or name == UNKNOWN:
            return name
        if len(self._names) < self._most:
            self._names.add(name)
            return name
        if not self._full:
            self._full = True
            logger.warning("%d different %s are counted; any other is %s", self._most, self._what, UNKNOWN)
        return UNKNOWN


class Request:
    """One that is under way: ``method`` as it was sent, ``began`` by ``time.perf_counter``."""

    __slots__ = ("began", "method")

    began: float
    method: str


class RequestMeters:
    """The series of one registry. Histograms are made once per set of labels and then found by one look-up."""

    def __init__(self, registry: CollectorRegistry, buckets: Sequence[float], max_uris: int) -> None:
        self._bounds = _rising(buckets)
        self._timers: dict[Key, Timer] = {}
        self._labels: dict[Key, tuple[str, ...]] = {}
        self._uris, self._errors = FirstNames("uris", max_uris), FirstNames("errors", MAX_ERRORS)
        self._ended: list[tuple[str, str, int, str | None, float]] = []
        self._counting = Lock()
        self._settled = perf_counter()
        self.active: set[Request] = set()
        """Those that are under way; whoever meets a request puts it in, ``end`` takes it out."""
        registry.register(self)

    def end(self, request: Request, uri: str | None, status: int, error: str | None) -> None:
        """It is over. ``uri``: the route's template, None where none matched; ``status`` 0: no answer.

        Every request of a busy service comes by here, when nothing of ours is in the processor's cache. So it is only
        noted, and counted with others.
        """
        now = perf_counter()
        self.active.discard(request)
        self._ended.append((request.method, uri or UNKNOWN, status, error, now - request.began))
        # Not while somebody counts: another thread, or this one, where the garbage collector ends a lost request.
        if now - self._settled > SETTLED and self._counting.acquire(blocking=False):
            try:
                self._count(now)
            finally:
                self._counting.release()

    def _count(self, now: float) -> None:
        self._settled = now
        ended = self._ended[:]
        del self._ended[: len(ended)]  # what has ended since stands behind them
        for method, uri, status, error, seconds in ended:
            timer = self._timers.get((method, uri, status, error)) or self._timer(method, uri, status, error)
            timer.record(seconds)
        for each in self._timers.values():
            each.settle(now)

    def _timer(self, method: str, uri: str, status: int, error: str | None) -> Timer:
        # Kept by what is left within the bounds only, or the look-up itself would grow with what clients send.
        method = _known(method)
        uri = self._uris.bounded(uri)
        status = status if 100 <= status <= 599 else 0
        error = self._errors.bounded(error) if error else None
        key = method, uri, status, error
        if key not in self._timers:
            name = error or NONE
            self._labels[key] = method, uri, str(status) if status else UNKNOWN, outcome(status), name, name
            self._timers[key] = Timer(self._bounds)
        return self._timers[key]

    def describe(self) -> Iterable[Metric]:
        """Names are known at scrape time only."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Called by every scrape: the requests that are over, and those in flight."""
        name = "http_server_requests_seconds"
        histograms = HistogramMetricFamily(name, _HELP, labels=LABELS)
        maximum = GaugeMetricFamily(f"{name}_max", f"{_HELP}, recent maximum", labels=LABELS)
        bounds = [*map(floatToGoString, self._bounds), "+Inf"]
        with self._counting:
            self._count(perf_counter())
            read = {key: timer.read() for key, timer in self._timers.items()}
        for key, (counts, total, longest) in read.items():
            histograms.add_metric(self._labels[key], list(zip(bounds, counts, strict=True)), total)
            maximum.add_metric(self._labels[key], longest)
        yield histograms
        yield maximum
        yield from self._in_flight()

    def _in_flight(self) -> Iterator[Metric]:
        """As Boot does since 3.3: route, status and outcome are not known yet and say so by their defaults."""
        now = perf_counter()
        by_method: dict[str, list[float]] = {"GET": []}
        for request in list(self.active):
            by_method.setdefault(_known(request.method), []).append(max(0.0, now - request.began))
        labels = ("method", "uri", "status", "outcome", "exception")
        name, text = "http_server_requests_active_seconds", "Duration of HTTP server requests in flight"
        summary = SummaryMetricFamily(name, text, labels=labels)
        maximum = GaugeMetricFamily(f"{name}_max", f"{text}, longest now", labels=labels)
        for method, ages in by_method.items():
            values = (method, UNKNOWN, "200", "SUCCESS", NONE)
            summary.add_metric(values, len(ages), sum(ages))
            maximum.add_metric(values, max(ages, default=0.0))
        yield summary
        yield maximum


def _known(method: str) -> str:
    return method if method in METHODS else UNKNOWN


def _rising(buckets: Sequence[float]) -> tuple[float, ...]:
    bounds = tuple(map(float, buckets))
    if not bounds or list(bounds) != sorted(set(bounds)) or not all(map(isfinite, bounds)):
        raise ValueError(f"buckets are {list(buckets)}: give upper bounds in seconds, each once, rising, finite")
    return bounds
