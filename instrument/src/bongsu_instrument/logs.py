"""``logback_events_total``: log records by level, counted as Micrometer counts them.

Counted is every record that its logger's *effective level* lets through, whatever handlers do with it afterwards.
A handler could not do that: it would miss loggers that do not propagate, and count twice where two handlers sit.
The factory that makes the records sees each exactly once. structlog on top of stdlib logging makes such records as
well; where it prints by itself, a processor counts.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, MutableMapping
from threading import Lock
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, Metric

TRACE = 5
"""The level below DEBUG; Python has no name for it of its own."""
LEVELS = ("error", "warn", "info", "debug", "trace")
_METHODS = dict.fromkeys(("exception", "error", "err", "critical", "fatal", "failure"), logging.ERROR)
_METHODS |= {"warning": logging.WARNING, "warn": logging.WARNING, "debug": logging.DEBUG, "trace": TRACE}
"""structlog names its events' levels by the method that was called. Any other name is an info."""

_MANY = 1000
"""Records that wait to be counted, at most; a scrape counts them before."""


def level_name(number: int) -> str:
    """The one of the five names that a level number belongs to; ``CRITICAL`` is an error."""
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warn"
    if number >= logging.INFO:
        return "info"
    return "debug" if number >= logging.DEBUG else "trace"


class LogCount:
    """Counts from the moment it is made until ``stop``. Several may count at once, each for its own registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        logging.addLevelName(TRACE, "TRACE")
        self._counts = dict.fromkeys(LEVELS, 0)
        self._lock = Lock()
        self._fresh: list[int] = []
        self._names = {number: level_name(number) for number in (TRACE, 10, 20, 30, 40, 50)}
        self._counting = True
        self._before = logging.getLogRecordFactory()
        self._factory = self._make
        logging.setLogRecordFactory(self._factory)
        registry.register(self)

    def describe(self) -> Iterable[Metric]:
        """Names are known at scrape time only."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Called by every scrape; all five levels are there from the start."""
        text = "Number of log events that were enabled by the effective log level"
        events = CounterMetricFamily("logback_events", text, labels=["level"])
        with self._lock:
            self._settle()
            for level, count in self._counts.items():
                events.add_metric([level], count)
        yield events

    def _make(self, name: str, level: int, *args: Any, **kwargs: Any) -> logging.LogRecord:
        # logging.makeLogRecord(), which unpacks records of other processes, calls with level None: not an event here.
        if self._counting and level is not None:
            self._count(level)
        record: logging.LogRecord = self._before(name, level, *args, **kwargs)
        return record

    def _count(self, level: int) -> None:
        # For every record, so it is a mere append. Many are counted at once, unless somebody is at it: another thread,
        # or this one, where a signal or the garbage collector has made a record meanwhile.
        self._fresh.append(level)
        if len(self._fresh) > _MANY and self._lock.acquire(blocking=False):
            try:
                self._settle()
            finally:
                self._lock.release()

    def _settle(self) -> None:
        for _ in range(len(self._fresh)):
            level = self._fresh.pop()
            self._counts[self._names.get(level) or level_name(level)] += 1

    def structlog(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """A processor for structlog; let it be the first, before any that drops events.

        Events that become records of stdlib logging are left to those, so that it may stand in any configuration.
        """
        if self._counting and not isinstance(logger, logging.Logger) and "_record" not in event:
            self._count(_METHODS.get(method, logging.INFO))
        return event

    def stop(self) -> None:
        """Count no more. The factory is put back unless somebody has wrapped ours meanwhile."""
        self._counting = False
        if logging.getLogRecordFactory() is self._factory:
            logging.setLogRecordFactory(self._before)
