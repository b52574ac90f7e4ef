"""The metrics on a port and a thread of their own: they answer while the application has no time to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

IDLE_SECONDS = 60
"""A connection that asks nothing for so long is closed."""
Answer = Callable[[], tuple[str, bytes]]
"""Gives a content type and a body."""


class Endpoint:
    """Answers GET on a few paths until ``close``. Raises OSError, naming the address, when it cannot be had."""

    def __init__(self, host: str, port: int, answers: Mapping[str, Answer]) -> None:
        try:
            self._server = _Server((host, port), answers)
        except OSError as error:
            raise OSError(error.errno, f"metrics cannot be served on {host}:{port}: {error.strerror}") from error
        self.host = host
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where to scrape."""
        return f"http://{self.host}:{self.port}/actuator/prometheus"

    def close(self) -> None:
        """Free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a scraper that keeps its connection open must not hold up our end
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], answers: Mapping[str, Answer]) -> None:
        super().__init__(address, _Handler)
        self.answers = answers

    def handle_error(self, request: object, client_address: object) -> None:
        """A scraper that went away is not worth a stack trace on the standard error stream."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # Prometheus keeps its connection
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True  # head and body are two writes; else the second waits for an acknowledgement
    server: _Server

    def do_GET(self) -> None:
        """Answer, or say what there is."""
        answer = self.server.answers.get(self.path.partition("?")[0])
        if answer is None:
            there_is = ", ".join(self.server.answers)
            self._reply(404, "text/plain; charset=utf-8", f"not here; there is: {there_is}\n".encode())
            return
        try:
            content_type, body = answer()
        except Exception as error:  # a broken collector must be seen as a failed scrape, not as an empty one
            text = f"{type(error).__name__}: {error}\n"
            self._reply(500, "text/plain; charset=utf-8", text.encode())
            return
        self._reply(200, content_type, body)

    def _reply(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the parent's name
        """Scrapes are not logged."""
