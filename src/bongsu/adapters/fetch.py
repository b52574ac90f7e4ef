"""One GET of a stranger: never more than so many bytes, never longer than so many seconds, whatever it does."""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urljoin, urlsplit, urlunsplit

from bongsu.core.errors import InvalidInput
from bongsu.ports import Unavailable

MOST = 20 * 1024 * 1024
"""Bytes read of one answer."""
PATIENCE = 10.0
"""Seconds for one answer, from the first connection to the last byte, redirects included."""
_HOPS = 5


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. ``cut`` says why reading ended before the answer did, "" when it did not."""

    url: str
    status: int
    body: bytes
    cut: str = ""
    content_type: str = ""
    seconds: float = 0.0


@dataclass(slots=True)
class _Deadline:
    """Ends a connection when its time is over: a socket's own timeout starts anew with every byte."""

    seconds: float
    expired: bool = False
    began: float = field(default_factory=time.monotonic)

    def left(self) -> float:
        return max(0.05, self.began + self.seconds - time.monotonic())

    def end(self, sock: socket.socket) -> None:
        self.expired = True
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


def address(text: str) -> str:
    """A web address in full; ``host:port`` is taken as http. Raises InvalidInput."""
    text = text.strip()
    url = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 80) > 0
    except ValueError:
        good = False
    if not good or any(not sign.isprintable() or sign.isspace() for sign in url):
        raise InvalidInput([f"{text!r} is not an address; write http://host:port or http://host:port/path"])
    return url


def shown(url: str) -> str:
    """The address without its password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def get(url: str, *, patience: float = PATIENCE, most: int = MOST, headers: Mapping[str, str] | None = None) -> Answer:
    """GET, following redirects. ``url`` may hold user:password. Raises Unavailable when no answer begins in time."""
    deadline = _Deadline(patience)
    sent = {"Accept-Encoding": "identity", "User-Agent": "bongsu-doctor", **(headers or {})}
    first = urlsplit(url).netloc
    for _ in range(_HOPS + 1):
        parts = urlsplit(url)
        kept = sent if parts.netloc == first else {k: v for k, v in sent.items() if k != "Authorization"}
        answer, onwards = _once(parts, kept, deadline, most)
        if onwards is None:
            return answer
        url = urljoin(url, onwards)
        if urlsplit(url).scheme not in ("http", "https"):
            raise Unavailable(f"{shown(answer.url)} redirects to {url[:200]!r}, which is no web address")
    raise Unavailable(f"{shown(url)} redirects in circles ({_HOPS} redirects); give the address it should end at")


def _once(parts: SplitResult, headers: Mapping[str, str], deadline: _Deadline, most: int) -> tuple[Answer, str | None]:
    """One request; also where it redirects to."""
    url = urlunsplit(parts)
    if parts.username is not None and "Authorization" not in headers:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        headers = {**headers, "Authorization": f"Basic {base64.b64encode(login).decode()}"}
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=deadline.left())
    timer = None
    try:
        connection.connect()
        sock: socket.socket = connection.sock
        timer = threading.Timer(deadline.left(), deadline.end, [sock])
        timer.daemon = True
        timer.start()
        path = urlunsplit(("", "", parts.path or "/", parts.query, ""))
        connection.request("GET", path, headers=dict(headers))
        response = connection.getresponse()
        if deadline.expired:  # half the headers look like all of them
            raise TimeoutError
        if response.status in (301, 302, 303, 307, 308) and response.headers.get("Location"):
            return Answer(url, response.status, b""), response.headers["Location"]
        body, cut = _body(response, deadline, most)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unavailable(_why(shown(url), error, deadline)) from None
    finally:
        if timer is not None:
            timer.cancel()
        connection.close()
    kind_of = response.headers.get("Content-Type", "")
    return Answer(url, response.status, body, cut, kind_of, time.monotonic() - deadline.began), None


def _body(response: http.client.HTTPResponse, deadline: _Deadline, most: int) -> tuple[bytes, str]:
    """The body, and why it is not the whole."""
    pieces: list[bytes] = []
    size, cut = 0, ""
    try:
        while size <= most and (piece := response.read1(65536)):
            pieces.append(piece)
            size += len(piece)
    except (OSError, http.client.HTTPException):
        cut = "the connection broke in the middle of the answer"
    body = b"".join(pieces)
    if size > most:
        return body[:most], f"the answer is larger than {most / 1024 / 1024:g} MiB"
    if deadline.expired:
        return body, f"the answer was not complete after {deadline.seconds:g} s"
    if not cut and response.length:  # what Content-Length promised and did not come
        cut = "the connection broke in the middle of the answer"
    return body, cut


def _why(url: str, error: Exception, deadline: _Deadline) -> str:
    if deadline.expired or isinstance(error, TimeoutError):
        return f"{url} does not answer within {deadline.seconds:g} s"
    if isinstance(error, ssl.SSLError):
        return f"{url} does not speak TLS that we trust: {error.reason or error}; is it http:// ?"
    if isinstance(error, socket.gaierror):
        return f"{url}: there is no host by that name here; check the spelling, or ask from inside the same network"
    if isinstance(error, ConnectionRefusedError):
        return f"{url}: nobody listens there; is it running, and is the port right?"
    if isinstance(error, http.client.RemoteDisconnected):
        return f"{url} ends the connection without an answer"
    if isinstance(error, http.client.HTTPException):
        return f"{url} does not speak HTTP ({type(error).__name__})"
    return f"{url} cannot be reached: {error}"
