"""One JSON object per line: access log, business log, and whatever else the process has to say."""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from functools import lru_cache
from logging.handlers import WatchedFileHandler
from typing import Any

from bongsu_instrument import TRACE
from shop.settings import Settings

access = logging.getLogger("shop.access")
business = logging.getLogger("shop.business")
filters = logging.getLogger("shop.filter")
errors = logging.getLogger("shop.error")

_LEVELS = {TRACE: "trace", 10: "debug", 20: "info", 30: "warn", 40: "error", 50: "error"}


@lru_cache(maxsize=2)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def timestamp(seconds: float) -> str:
    """Unix seconds as ISO 8601 in UTC with milliseconds."""
    whole = int(seconds)
    return f"{_second(whole)}.{int((seconds - whole) * 1000):03d}Z"


class JsonLines(logging.Formatter):
    """A record's own fields come in ``extra={"fields": {...}}``, its event's name is the message.

    Records of libraries have no fields: their event is ``message``, and the text stands in ``message``.
    """

    def __init__(self, machine: str) -> None:
        super().__init__()
        self._machine = machine
        self._encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode

    def format(self, record: logging.LogRecord) -> str:
        """One line, without its end."""
        fields: dict[str, Any] | None = getattr(record, "fields", None)
        line: dict[str, Any] = {
            "ts": timestamp(record.created),
            "level": _LEVELS.get(record.levelno) or record.levelname.lower(),
            "logger": record.name,
            "event": record.msg if fields is not None else "message",
            "machine": self._machine,
        }
        if fields is not None:
            line.update(fields)
        else:
            line["message"] = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            line["error"] = type(error).__name__
            line["stack"] = "".join(traceback.format_exception(error))
        return self._encode(line)


def set_up_logging(settings: Settings) -> None:
    """All loggers to the one file or to standard output. Written at once: a line is there when its request is over.

    The file may be moved away; the next line makes a new one. Raises OSError when it cannot be opened.
    """
    handler = WatchedFileHandler(settings.log_file, encoding="utf-8") if settings.log_file else None
    target: logging.Handler = handler or logging.StreamHandler(sys.stdout)
    target.setFormatter(JsonLines(settings.machine))
    root = logging.getLogger()
    root.handlers[:] = [target]
    root.setLevel(settings.log_level)
    # The pool notes each connection that is lent and returned: three records a request, that nobody reads.
    logging.getLogger("psycopg").setLevel(max(settings.log_level, logging.WARNING))
    # Nothing of ours prints these, and each record would pay for them.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
