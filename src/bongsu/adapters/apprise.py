"""Ways beside mail, such as Slack, Telegram or a webhook, through Apprise. Their addresses are secrets.

The address is read from its file at every message, never logged, and never part of an error. Apprise is imported when
the first message goes out: it is large, and many never use it.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bongsu.ports import Reason, Rejected, Retryable

_LOG = logging.getLogger("apprise")
_ONE_AT_A_TIME = threading.Lock()
"""Apprise logs from threads of its own, so that two messages at a time could not be told apart."""
_CODE = re.compile(r"error=(\d{3})\b")
_SHUT = re.compile(r"time(d)? ?out|Connection error", re.IGNORECASE)


class AppriseChannel:
    """One channel by its name in the configuration."""

    def __init__(self, name: str, url_file: Path) -> None:
        self._name, self._url_file = name, url_file

    def say(self, title: str, text: str) -> str:
        """One message. Raises Retryable, or Rejected when the other side will never take it."""
        import apprise

        address = self._address()
        with _ONE_AT_A_TIME, _overhearing() as said:
            channel = apprise.Apprise()
            if not channel.add(address):
                raise Retryable(
                    Reason.SECRET, f"{self._file}: not an address that Apprise knows (its form: slack://...)"
                )
            told = bool(channel.notify(body=text, title=title, body_format=apprise.NotifyFormat.TEXT))
        if told:
            return f"{self._name}: taken"
        code = said.code
        if code in (404, 410):
            raise Rejected(Reason.REFUSED, f"{self._name}: HTTP {code}, there is no such place")
        if code in (401, 403):
            raise Retryable(Reason.AUTH, f"{self._name}: HTTP {code}; look whether the address in its file still holds")
        if code is not None:
            raise Retryable(Reason.BUSY, f"{self._name}: HTTP {code}")
        reason = Reason.UNREACHABLE if said.shut else Reason.BUSY
        raise Retryable(reason, f"{self._name}: {'no connection' if said.shut else 'not taken'}")

    @property
    def _file(self) -> str:
        return f"[channel.{self._name}] url_file {self._url_file}"

    def _address(self) -> str:
        try:
            address = self._url_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not text"
            raise Retryable(Reason.SECRET, f"{self._file}: {why}; Bongsu must be able to read it") from None
        if not address:
            raise Retryable(Reason.SECRET, f"{self._file}: empty; write the channel's address in Apprise's form")
        return address


@contextmanager
def _overhearing() -> Iterator[_Overheard]:
    """Hear what Apprise logs, and let nobody else: it may hold the address."""
    said = _Overheard()
    level, propagate = _LOG.level, _LOG.propagate
    _LOG.propagate = False
    _LOG.setLevel(logging.WARNING)
    _LOG.addHandler(said)
    try:
        yield said
    finally:
        _LOG.removeHandler(said)
        _LOG.setLevel(level)
        _LOG.propagate = propagate


class _Overheard(logging.Handler):
    """What Apprise logs, of which only a status code is ever passed on."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.code: int | None = None
        self.shut = False

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the code."""
        said = record.getMessage()
        found = _CODE.search(said)
        self.code = int(found.group(1)) if found else self.code
        self.shut = self.shut or bool(_SHUT.search(said))
