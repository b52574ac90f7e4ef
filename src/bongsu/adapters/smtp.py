"""Mail by SMTP: one transaction per recipient, connections kept open per sending thread, a time-out at every step."""

from __future__ import annotations

import smtplib
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

from bongsu.ports import Letter, Reason, Rejected, Retryable


class Smtp:
    """A mail relay."""

    def __init__(
        self,
        host: str,
        port: int,
        sender: str,
        *,
        tls: str = "none",
        user: str | None = None,
        password_file: Path | None = None,
        timeout: float = 10.0,
    ) -> None:
        self._host, self._port, self._sender = host, port, sender
        self._tls, self._user, self._password_file, self._timeout = tls, user, password_file, timeout
        self._local = threading.local()
        self._open_ones: set[smtplib.SMTP] = set()
        self._guard = threading.Lock()

    def close(self) -> None:
        """Close every thread's connection."""
        with self._guard:
            for connection in self._open_ones:
                connection.close()
            self._open_ones.clear()

    def send(self, letter: Letter) -> str:
        """One transaction. Accepted only when the server says so after DATA; anything else raises (rule 13)."""
        connection = self._connection()
        try:
            return self._transact(connection, letter)
        except (Retryable, Rejected):
            self._reset(connection)
            raise
        except (smtplib.SMTPException, OSError, UnicodeError) as error:
            self._drop()
            raise Retryable(_reason(error), f"connection lost: {error}") from None

    def ping(self) -> str:
        """Connect and say hello. Raises Retryable or Rejected."""
        code, answer = self._connection().noop()
        return _said(code, answer)

    def _transact(self, connection: smtplib.SMTP, letter: Letter) -> str:
        steps: tuple[Callable[[], tuple[int, bytes]], ...] = (
            lambda: connection.mail(self._sender),
            lambda: connection.rcpt(letter.to),
            lambda: connection.data(letter.body),
        )
        said = ""
        for step in steps:
            try:
                code, answer = step()
            except smtplib.SMTPDataError as error:
                code, answer = error.smtp_code, error.smtp_error if isinstance(error.smtp_error, bytes) else b""
            said = _said(code, answer)
            if 400 <= code < 500:
                raise Retryable(Reason.BUSY, said)
            if code >= 500:
                raise Rejected(Reason.REFUSED, said)
        return said

    def _connection(self) -> smtplib.SMTP:
        kept: smtplib.SMTP | None = getattr(self._local, "connection", None)
        if kept is not None:
            try:
                if kept.noop()[0] == 250:
                    return kept
            except (smtplib.SMTPException, OSError):
                pass
            self._drop()
        self._local.connection = fresh = self._open()
        with self._guard:
            self._open_ones.add(fresh)
        return fresh

    def _open(self) -> smtplib.SMTP:
        try:
            if self._tls == "implicit":
                context = ssl.create_default_context()
                connection: smtplib.SMTP = smtplib.SMTP_SSL(
                    self._host, self._port, timeout=self._timeout, context=context
                )
            else:
                connection = smtplib.SMTP(self._host, self._port, timeout=self._timeout)
            connection.ehlo_or_helo_if_needed()
            if self._tls == "starttls":
                connection.starttls(context=ssl.create_default_context())
            if self._user is not None and self._password_file is not None:
                connection.login(self._user, self._password_file.read_text(encoding="utf-8").strip())
        except smtplib.SMTPAuthenticationError as error:
            raise Retryable(Reason.AUTH, _said(error.smtp_code, error.smtp_error)) from None
        except ssl.SSLError as error:
            raise Retryable(Reason.TLS, str(error)) from None
        except (smtplib.SMTPException, OSError) as error:
            raise Retryable(_reason(error), f"{self._host}:{self._port}: {error}") from None
        return connection

    def _reset(self, connection: smtplib.SMTP) -> None:
        try:
            connection.rset()
        except (smtplib.SMTPException, OSError):
            self._drop()

    def _drop(self) -> None:
        kept: smtplib.SMTP | None = getattr(self._local, "connection", None)
        self._local.connection = None
        if kept is not None:
            kept.close()
            with self._guard:
                self._open_ones.discard(kept)


def _reason(error: Exception) -> Reason:
    """smtplib turns a time-out while reading an answer into a lost connection; its context still tells."""
    late = isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError)
    return Reason.TIMEOUT if late else Reason.UNREACHABLE


def _said(code: int, answer: bytes | str) -> str:
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    return f"{code} {' '.join(text.split())}"
