"""Ways beside mail, such as Slack, Telegram or a webhook, through Apprise. Their addresses are secrets.

The address is read from its file at every message, never logged, and never part of an error. Apprise is imported when
the first message goes out: it is large, and many never use it.
"""

from __future__ import annotations

import logging
import re
import threading
from pathlib import Path

from bongsu.ports import Reason, Rejected, Retryable

_LOG = logging.getLogger("apprise")
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
        said = _Overheard()
        _LOG.propagate = False  # what it logs may hold the address
        _LOG.addHandler(said)
        try:
            channel = apprise.Apprise()
            if not channel.add(address):
                raise Retryable(
                    Reason.SECRET, f"{self._file}: not an address that Apprise knows (its form: slack://...)"
                )
            told = bool(channel.notify(body=text, title=title, body_format=apprise.NotifyFormat.TEXT))
        finally:
            _LOG.removeHandler(said)
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


class _Overheard(logging.Handler):
    """What Apprise logs on this thread, of which only a status code is ever passed on."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._thread = threading.get_ident()
        self.code: int | None = None
        self.shut = False

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the code."""
        if record.thread != self._thread:
            return
        said = record.getMessage()
        found = _CODE.search(said)
        self.code = int(found.group(1)) if found else self.code
        self.shut = self.shut or bool(_SHUT.search(said))
