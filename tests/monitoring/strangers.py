"""Servers that a person may point the doctor at by mistake: they answer anything, slowly, in part, or not at all."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Answer = Callable[[socket.socket, str, threading.Event], None]
"""Answers one request: the connection, the path, and an event that is set when the test is over."""


def answer(body: bytes | str, status: str = "200 OK", length: int | None = None, **headers: str) -> bytes:
    """A whole HTTP answer; ``length`` is what Content-Length claims if not the truth."""
    data = body.encode() if isinstance(body, str) else body
    fields = {"Content-Type": "text/plain; version=0.0.4", **{k.replace("_", "-"): v for k, v in headers.items()}}
    fields["Content-Length"] = str(len(data) if length is None else length)
    head = "".join(f"{key}: {value}\r\n" for key, value in fields.items())
    return f"HTTP/1.1 {status}\r\n{head}Connection: close\r\n\r\n".encode() + data


def pages(**by_path: bytes | Callable[[], bytes]) -> Answer:
    """Answers by path, fixed or made anew ("actuator__prometheus" is /actuator/prometheus); anything else is 404."""
    known = {"/" + name.replace("__", "/"): body for name, body in by_path.items()}

    def give(connection: socket.socket, path: str, over: threading.Event) -> None:
        found = known.get(path.partition("?")[0], answer("no such page", "404 Not Found"))
        connection.sendall(found if isinstance(found, bytes) else found())

    return give


def drip(start: bytes, drop: bytes, every: float = 0.02) -> Answer:
    """Sends ``start``, then ``drop`` again and again until the other side has had enough."""

    def give(connection: socket.socket, path: str, over: threading.Event) -> None:
        connection.sendall(start)
        while not over.wait(every):
            connection.sendall(drop)

    return give


def flood(start: bytes, piece: bytes) -> Answer:
    """Sends ``piece`` without end, as fast as it is taken."""
    return drip(start, piece, every=0)


@contextmanager
def stranger(give: Answer | bytes) -> Iterator[str]:
    """A server at the yielded http://host:port."""
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            asked = connection.recv(65536).decode(errors="replace").split(" ")
            if isinstance(give, bytes):
                connection.sendall(give)
            elif len(asked) > 1:
                give(connection, asked[1], over)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):  # closing with unread bytes would reset what was sent
                pass

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
