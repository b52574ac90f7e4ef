"""The lab's control API: loopback HTTP that enqueues for the supervisor's main thread and reports what it last said."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from typing import Any, TypeAlias

from bongsu.core.errors import BongsuError, InvalidInput, NotFound
from bongsu.lab.loopback import HOST

ANSWER_WITHIN = 12.0


@dataclass(frozen=True, slots=True)
class Command:
    """Something the main thread is to do; ``answer`` takes the result or the error."""

    verb: str
    arguments: dict[str, Any] = field(default_factory=dict)
    answer: Future[Any] = field(default_factory=Future)


@dataclass(slots=True)
class Board:
    """What the main thread last said of the lab; replaced whole, so any thread may read it."""

    status: dict[str, Any] = field(default_factory=dict)
    machines: list[dict[str, Any]] = field(default_factory=list)


_ROUTES: tuple[tuple[str, re.Pattern[str], str], ...] = (
    ("POST", re.compile(r"/machines"), "add"),
    ("DELETE", re.compile(r"/machines/(?P<name>[a-z0-9-]+)"), "remove"),
    ("POST", re.compile(r"/parts/(?P<name>[a-z0-9-]+)/restart"), "restart"),
    ("POST", re.compile(r"/load"), "load"),
    ("POST", re.compile(r"/down"), "down"),
)


def serve_control(port: int, board: Board, enqueue: Callable[[Command], None]) -> ThreadingHTTPServer:
    """Serve the API on a loopback port from a thread of its own."""

    class Api(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path == "/status":
                self._say(200, board.status)
            elif self.path == "/machines":
                self._say(200, board.machines)
            else:
                self._say(404, {"error": f"there is no {self.path}; there are /status and /machines"})

        def do_POST(self) -> None:
            self._command()

        def do_DELETE(self) -> None:
            self._command()

        def _command(self) -> None:
            found = ((verb, pattern.fullmatch(self.path)) for how, pattern, verb in _ROUTES if how == self.command)
            verb, match = next(((verb, match) for verb, match in found if match), ("", None))
            if match is None:
                self._say(404, {"error": f"there is no {self.command} {self.path}"})
                return
            # A page in somebody's browser can send forms to loopback ports, but not under this host name or type.
            if self.headers.get("Host", "").rpartition(":")[0] not in (HOST, "localhost"):
                self._say(403, {"error": "call this API by its loopback address"})
                return
            try:
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
                arguments = {**body, **match.groupdict()}
            except (ValueError, TypeError) as error:
                self._say(400, {"error": f"the body is not a JSON object: {error}"})
                return
            self._say(*ask(enqueue, Command(verb, arguments)))

        def _say(self, status: int, value: object) -> None:
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the parent's name)
            """Say nothing."""

    server = ThreadingHTTPServer((HOST, port), Api)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="control", daemon=True).start()
    return server


def ask(enqueue: Callable[[Command], None], command: Command) -> tuple[int, object]:
    """Enqueue a command and wait for the main thread's answer: HTTP status and body."""
    enqueue(command)
    try:
        return 202, command.answer.result(ANSWER_WITHIN)
    except NotFound as error:
        return 404, {"error": str(error)}
    except InvalidInput as error:
        return 422, {"error": str(error)}
    except TimeoutError:
        return 504, {"error": "the lab is busy starting or stopping; ask again"}
    except BongsuError as error:
        return 409, {"error": str(error)}


Commands: TypeAlias = SimpleQueue[Command | None]
"""The queue to the main thread; None only wakes it. A SimpleQueue, because signal handlers put into it."""
