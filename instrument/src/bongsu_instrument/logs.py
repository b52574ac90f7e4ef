"""``logback_events_total``: log records by level, counted as Micrometer counts them.

Counted is every record that its logger's *effective level* lets through, whatever handlers do with it afterwards.
A handler could not do that: it would miss loggers that do not propagate, and count twice where two handlers sit.
The factory that makes the records sees each exactly once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry, Counter

TRACE = 5
"""The level below DEBUG; Python has no name for it of its own."""
LEVELS = ("error", "warn", "info", "debug", "trace")


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
        events = Counter(
            "logback_events",
            "Number of log events that were enabled by the effective log level",
            ["level"],
            registry=registry,
        )
        counts: dict[str, Callable[[], None]] = {level: events.labels(level).inc for level in LEVELS}
        self._by_number = {n: counts[level_name(n)] for n in (TRACE, 10, 20, 30, 40, 50)}
        self._counts = counts
        self._counting = True
        self._before = logging.getLogRecordFactory()
        self._factory = self._make
        logging.setLogRecordFactory(self._factory)

    def _make(self, name: str, level: int, *args: Any, **kwargs: Any) -> logging.LogRecord:
        # logging.makeLogRecord(), which unpacks records of other processes, calls with level None: not an event here.
        if self._counting and level is not None:
            count = self._by_number.get(level)
            (count or self._counts[level_name(level)])()
        record: logging.LogRecord = self._before(name, level, *args, **kwargs)
        return record

    def stop(self) -> None:
        """Count no more. The factory is put back unless somebody has wrapped ours meanwhile."""
        self._counting = False
        if logging.getLogRecordFactory() is self._factory:
            logging.setLogRecordFactory(self._before)
