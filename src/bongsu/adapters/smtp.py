"""Mail by SMTP: one transaction per recipient over a few connections that stay open, a time-out at every step.

A message is accepted only when the server says so after DATA (rule 13). What goes wrong before a message is named
concerns the relay and raises Down: nobody there, no TLS, a wrong password, a sender it does not take.
"""

from __future__ import annotations

import smtplib
import ssl
import threading
from contextlib import suppress
from pathlib import Path
from time import monotonic

from bongsu.adapters.smtp_line import Line, TlsLine
from bongsu.core.errors import BongsuError
from bongsu.ports import Down, Envelope, Letter, Reason, Rejected, Retryable

NOOP_AFTER = 5.0
"""Seconds of rest after which a connection is asked whether it is still there; before, the next mail finds out."""
REST_AT_MOST = 60.0
"""Seconds of rest after which a connection is given back."""
AHEAD_AT_MOST = 2.0
"""Seconds that the relay may take to open an envelope for which there is no mail yet."""
SLOW_FOR = 600.0
"""Seconds for which a relay that took longer is asked for none."""
_NO_LOGIN = (530, 534, 535)


class Smtp:
    """A mail relay. ``timeout`` in seconds for every step, ``total`` for a whole transaction, waiting included."""

    def __init__(
        self,
        host: str,
        port: int,
        sender: str,
        *,
        tls: str = "none",
        user: str | None = None,
        password_file: Path | None = None,
        ca_file: Path | None = None,
        timeout: float = 10.0,
        total: float = 30.0,
        connections: int = 8,
    ) -> None:
        self._host, self._port, self._sender = host, port, sender
        self._tls, self._user, self._password_file, self._ca_file = tls, user, password_file, ca_file
        self._timeout, self.total, self._most = timeout, total, connections
        self._all: set[Line] = set()
        self._resting: list[Line] = []
        self._opening = 0
        self._slow_until = 0.0
        self._changed = threading.Condition()

    def close(self) -> None:
        """Close every connection."""
        with self._changed:
            while self._all:
                self._all.pop().close()
            self._resting.clear()

    def send(self, letter: Letter) -> str:
        """One transaction. Raises Retryable, Down or Rejected."""
        until = monotonic() + self.total
        line, reused = self._take(until)
        try:
            answer = line.transact(self._sender, letter)
        except smtplib.SMTPServerDisconnected as error:
            self.drop(line)
            if not (reused and line.silent_since_rest) or _reason(error) is Reason.TIMEOUT:
                raise Retryable(_reason(error), f"connection lost: {error}") from None
            return self._anew(until, letter)  # it had hung up while the connection rested; nothing was handed over
        except (smtplib.SMTPException, OSError, UnicodeError) as error:
            self.drop(line)
            raise Retryable(_reason(error), f"connection lost: {error}") from None
        if reused and answer[:2] == ("mail", 421):  # likewise, in good manners
            self.drop(line)
            return self._anew(until, letter)
        return self.judge(line, *answer)

    def open(self, to: str) -> Envelope | None:
        """Name sender and recipient over a connection that rests, and do not wait for the answers."""
        now = monotonic()
        with self._changed:
            line = self._resting[-1] if self._resting and now > self._slow_until else None
            if line is None or now - line.rests_since > NOOP_AFTER or not line.has_extn("pipelining"):
                return None
            self._resting.pop()
        line.begin(monotonic() + AHEAD_AT_MOST)
        try:
            line.ask(self._sender, to)
        except (smtplib.SMTPException, OSError, UnicodeError, ValueError):
            self.drop(line)
            return None
        return _Opened(self, line)

    def ping(self) -> str:
        """Say hello and name the sender. Raises Down."""
        line, _ = self._take(monotonic() + self.total)
        try:
            code, said = line.mail(self._sender)
            line.rset()
        except (smtplib.SMTPException, OSError) as error:
            self.drop(line)
            raise Down(_reason(error), f"connection lost: {error}") from None
        return self.judge(line, "mail", code, said)

    def _anew(self, until: float, letter: Letter) -> str:
        """The transaction over a connection that is opened for it."""
        with self._changed:
            self._opening += 1
        line = self._open(until)
        try:
            answer = line.transact(self._sender, letter)
        except (smtplib.SMTPException, OSError, UnicodeError) as error:
            self.drop(line)
            raise Retryable(_reason(error), f"connection lost: {error}") from None
        return self.judge(line, *answer)

    def judge(self, line: Line, step: str, code: int, answer: bytes) -> str:
        """What the last answer of a transaction means; the connection goes back or, after a 421 or nonsense, away."""
        said = f"{code} {' '.join(answer.decode('utf-8', 'replace').split())}"
        if code == 421 or not 200 <= code < 600:
            self.drop(line)
        else:
            self._give_back(line)
        if 200 <= code < 300:
            return said
        if step == "mail" and code >= 500:
            raise Down(Reason.AUTH if code in _NO_LOGIN else Reason.REFUSED, f"the sender {self._sender}: {said}")
        if 500 <= code < 600:
            raise Rejected(Reason.REFUSED, said)
        raise Retryable(Reason.BUSY, said)

    def _take(self, until: float) -> tuple[Line, bool]:
        """A connection, and whether it was used before: a resting one, else a new one while there may be more."""
        while True:
            with self._changed:
                while not self._resting and len(self._all) + self._opening >= self._most:
                    if not self._changed.wait(until - monotonic()):
                        raise Retryable(Reason.TIMEOUT, f"all {self._most} connections are busy")
                line = self._resting.pop() if self._resting else None
                if line is None:
                    self._opening += 1
            if line is None:
                return self._open(until), False
            line.begin(until)
            if monotonic() - line.rests_since <= NOOP_AFTER or line.answers():
                return line, True
            self.drop(line)

    def _open(self, until: float) -> Line:
        """A new connection, counted in ``_opening`` by the caller."""
        line: Line | None = None
        try:
            line = self._greet(until)
            if self._tls == "starttls":
                line.starttls(context=self._trust())
                line.ehlo()
            if self._user is not None and self._password_file is not None:
                line.login(self._user, _secret(self._password_file))
        except BaseException as error:
            if line is not None:
                line.close()
            with self._changed:
                self._opening -= 1
                self._changed.notify()
            if isinstance(error, smtplib.SMTPException | OSError | Down):
                raise self._closed(error) from None
            raise
        with self._changed:
            self._opening -= 1
            self._all.add(line)
        return line

    def _greet(self, until: float) -> Line:
        if self._tls == "implicit":
            line: Line = TlsLine(self._host, self._port, self._timeout, until, self._trust())
        else:
            line = Line(self._host, self._port, self._timeout, until)
        line.ehlo_or_helo_if_needed()
        return line

    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=None if self._ca_file is None else str(self._ca_file))

    def _closed(self, error: smtplib.SMTPException | OSError | Down) -> Down:
        """Why no connection could be opened."""
        if isinstance(error, Down):
            return error
        if isinstance(error, smtplib.SMTPAuthenticationError):
            return Down(Reason.AUTH, f"{self._user} at {self._host}:{self._port}: {_answer(error)}")
        if isinstance(error, smtplib.SMTPResponseException):
            reason = Reason.BUSY if 400 <= error.smtp_code < 500 else Reason.REFUSED
            return Down(reason, f"{self._host}:{self._port}: {_answer(error)}")
        if isinstance(error, ssl.SSLError | smtplib.SMTPNotSupportedError):
            return Down(Reason.TLS, f"{self._host}:{self._port}: {error}")
        return Down(_reason(error), f"{self._host}:{self._port}: {error}")

    def _give_back(self, line: Line) -> None:
        line.rest()
        with self._changed:
            tired = [each for each in self._resting if line.rests_since - each.rests_since > REST_AT_MOST]
            self._resting = [each for each in self._resting if each not in tired]
            if line in self._all:
                self._resting.append(line)
            self._all.difference_update(tired)
            self._changed.notify()
        for each in tired:
            each.hang_up()

    def too_slow(self) -> None:
        """It took too long to open an envelope: for a while each mail takes the time it needs."""
        self._slow_until = monotonic() + SLOW_FOR

    def drop(self, line: Line) -> None:
        """Close a connection that is of no more use."""
        line.close()
        with self._changed:
            self._all.discard(line)
            self._changed.notify()


class _Opened:
    """An envelope that is open on a connection: the relay has been told from whom and to whom, and waits for the mail.

    What goes wrong before there is a mail in it is nobody's concern: the ordinary way meets it again.
    """

    def __init__(self, smtp: Smtp, line: Line) -> None:
        self._smtp, self._line = smtp, line
        self._left = b""

    def heard(self) -> bool:
        """Whether waiting for the answers would take no time."""
        return self._line.has_answers(3)

    def accepted(self) -> bool:
        """Wait for the answers."""
        try:
            refused = self._line.refusal()
        except (smtplib.SMTPException, OSError) as error:
            if _reason(error) is Reason.TIMEOUT:
                self._smtp.too_slow()
            self.discard()
            return False
        if refused is not None:
            with suppress(BongsuError):  # gives the connection back, or drops it
                self._smtp.judge(self._line, *refused)
        return refused is None

    def post(self, body: bytes) -> None:
        """Put the mail in as far as that goes without waiting."""
        self._line.begin(monotonic() + self._smtp.total)
        self._left = self._line.push(body)

    def answer(self) -> str:
        """What ``Smtp.send`` answers or raises."""
        try:
            if self._left:
                self._line.send(self._left)
            code, said = self._line.getreply()
        except (smtplib.SMTPException, OSError) as error:
            self.discard()
            raise Retryable(_reason(error), f"connection lost: {error}") from None
        return self._smtp.judge(self._line, "data", code, said)

    def discard(self) -> None:
        """There will be no mail."""
        self._smtp.drop(self._line)


def _secret(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise Down(Reason.SECRET, f"[smtp] password_file {file}: {why}; Bongsu must be able to read it") from None


def _reason(error: Exception) -> Reason:
    """smtplib turns a time-out while reading an answer into a lost connection; its context still tells."""
    late = isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError)
    return Reason.TIMEOUT if late else Reason.UNREACHABLE


def _answer(error: smtplib.SMTPResponseException) -> str:
    said = error.smtp_error
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return f"{error.smtp_code} {' '.join(text.split())}"
