"""One connection to a mail relay: smtplib's, with a deadline for the whole transaction beside the one for each step."""

from __future__ import annotations

import functools
import re
import smtplib
import socket
import ssl
from contextlib import suppress
from time import monotonic
from typing import Any

from bongsu.ports import Letter

GO_ON = 354
"""What a server says that waits for the mail."""
_DOTS = re.compile(rb"(?m)^\.")
_LAST_LINE = re.compile(rb"(?m)^\d{3}(?: [^\n]*)?\r?\n")
"""An answer's last or only line; those before it have a hyphen after the code."""


class Line(smtplib.SMTP):
    """A connection. A server that sends a byte now and then outlives every step's time-out, but not the deadline."""

    def __init__(self, host: str, port: int, step: float, until: float) -> None:
        self.step, self.until = step, until
        self.rests_since = 0.0
        self.silent_since_rest = True
        """Whether the server has said nothing since the connection was taken from its rest."""
        super().__init__(host, port, local_hostname=_our_name(), timeout=self.left())

    def begin(self, until: float) -> None:
        """A transaction begins that must be over by then."""
        self.until, self.silent_since_rest = until, True

    def rest(self) -> None:
        """Nothing to do for now."""
        self.rests_since = monotonic()

    def answers(self) -> bool:
        """Whether the server is still there."""
        try:
            return self.noop()[0] == 250
        except (smtplib.SMTPException, OSError):
            return False

    def hang_up(self) -> None:
        """Leave in good order, without waiting for an answer."""
        try:
            self.putcmd("quit")
        except (smtplib.SMTPException, OSError):
            pass
        finally:
            self.close()

    def transact(self, sender: str, letter: Letter) -> tuple[str, int, bytes]:
        """The step that decided, with its code and answer: "data" when the server has taken or refused the whole."""
        if self.has_extn("pipelining"):
            return self._at_once(sender, letter)
        code, answer = self.mail(sender)
        if not _goes_on(code):
            return "mail", code, answer
        code, answer = self.rcpt(letter.to)
        if not _goes_on(code):
            return self._refused("rcpt", code, answer)
        code, answer = self.docmd("data")
        return self._body(letter.body) if code == GO_ON else self._refused("data", code, answer)

    def _at_once(self, sender: str, letter: Letter) -> tuple[str, int, bytes]:
        self.ask(sender, letter.to)
        return self.refusal() or self._body(letter.body)

    def ask(self, sender: str, to: str) -> None:
        """The three commands in one go (RFC 2920): a relay that is far away is waited for twice, not four times."""
        asked = [f"mail FROM:{_quoted(sender)}", f"rcpt TO:{_quoted(to)}", "data"]
        if any("\r" in each or "\n" in each for each in asked):
            raise ValueError("an address holds a line break")
        self.send("\r\n".join([*asked, ""]))

    def refusal(self) -> tuple[str, int, bytes] | None:
        """What became of the three commands: None when the mail may follow, else the step that decided, as above."""
        answers: dict[str, tuple[int, bytes]] = {}
        for step in ("mail", "rcpt", "data"):
            code, answer = answers[step] = self.getreply()
            if code in (421, -1):  # it hangs up: nothing more will come
                return step, code, answer
        refused = next((step for step in ("mail", "rcpt") if not _goes_on(answers[step][0])), None)
        if answers["data"][0] == GO_ON and refused is None:
            return None
        if answers["data"][0] == GO_ON:
            self.docmd(".")  # a mail of nothing to nobody, which it refuses
        return self._refused(refused or "data", *answers[refused or "data"])

    def push(self, body: bytes) -> bytes:
        """Send a mail, after 354, as far as that goes without waiting; what is left of it."""
        body = _whole(body)
        if self.sock is None:
            return body
        try:
            self.sock.settimeout(0)
            return body[self.sock.send(body) :]
        except OSError:  # there is no room for it now, or the connection is lost: whoever sends the rest sees which
            return body

    def _body(self, body: bytes) -> tuple[str, int, bytes]:
        """The mail itself, after 354."""
        self.send(_whole(body))
        code, answer = self.getreply()
        return "data", code, answer

    def _refused(self, step: str, code: int, answer: bytes) -> tuple[str, int, bytes]:
        """A transaction that ends before the mail; "250" where "354" belongs is not an acceptance."""
        self._start_over(code)
        return step, code if code >= 400 else -1, answer

    def getreply(self) -> tuple[int, bytes]:
        """One answer, within the deadline."""
        self._answers()
        found = super().getreply()
        self.silent_since_rest = False
        return found

    def has_answers(self, count: int) -> bool:
        """Whether so many have come already. Never waits."""
        answers = self._answers()
        return answers is not None and answers.whole() >= count

    def _answers(self) -> _Answers | None:
        if self.file is None and self.sock is not None:
            self.file = _Answers(self)
        found: _Answers | None = self.file
        return found

    def send(self, s: Any) -> None:
        """Write, within the deadline."""
        if self.sock is not None:
            self.sock.settimeout(self.left())
        super().send(s)

    def left(self) -> float:
        """Seconds that the present step may still take."""
        return max(0.001, min(self.step, self.until - monotonic()))

    def _start_over(self, code: int) -> None:
        if code != 421:
            self.rset()

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        made = socket.create_connection((host, port), timeout)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # a mail's last packet need not wait for anything
        return made


class TlsLine(Line):
    """A connection that is encrypted from its first byte."""

    def __init__(self, host: str, port: int, step: float, until: float, trust: ssl.SSLContext) -> None:
        self._trust = trust
        super().__init__(host, port, step, until)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        made = super()._get_socket(host, port, timeout)
        try:
            return self._trust.wrap_socket(made, server_hostname=host)
        except BaseException:
            made.close()
            raise


class _Answers:
    """The server's lines."""

    def __init__(self, line: Line) -> None:
        assert line.sock is not None
        self._line, self._sock, self._buffer = line, line.sock, b""

    def readline(self, most: int) -> bytes:
        """The next line, or what there is of it when it is longer than ``most`` or the server has hung up."""
        while (end := self._buffer.find(b"\n") + 1) == 0 and len(self._buffer) < most:
            if monotonic() >= self._line.until:
                raise TimeoutError("the transaction took too long")
            self._sock.settimeout(self._line.left())
            piece = self._sock.recv(8192)
            if not piece:
                break
            self._buffer += piece
        end = end or min(most, len(self._buffer))
        found, self._buffer = self._buffer[:end], self._buffer[end:]
        return found

    def whole(self) -> int:
        """How many answers have come as a whole and are not read. Never waits."""
        self._sock.settimeout(0)
        with suppress(OSError):  # nothing more for now, or nothing more ever: whoever reads them sees which
            while piece := self._sock.recv(8192):
                self._buffer += piece
        return len(_LAST_LINE.findall(self._buffer))

    def close(self) -> None:
        """The connection closes the socket itself."""


def _whole(body: bytes) -> bytes:
    """A mail as it is sent, with its end; lines that begin with a dot get another one (RFC 5321, 4.5.2)."""
    body = _DOTS.sub(b"..", body)
    return body + (b".\r\n" if body.endswith(b"\r\n") else b"\r\n.\r\n")


def _goes_on(code: int) -> bool:
    return 200 <= code < 300


_quoted = functools.lru_cache(maxsize=256)(smtplib.quoteaddr)
"""An address as a command has it; the library reads it sign by sign, and the same few are told again and again."""


@functools.cache
def _our_name() -> str:
    """How we say hello: our name with a domain, or our address. Asked once, for the name service may be slow."""
    name = socket.getfqdn()
    if "." in name:
        return name
    try:
        return f"[{socket.gethostbyname(socket.gethostname())}]"
    except OSError:
        return "[127.0.0.1]"
