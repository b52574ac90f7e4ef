"""Requests of a WSGI application: Flask, Django, or plain.

A request lasts until the server has written the last chunk and asks for more, or until it closes the answer before
that. Not every server closes every answer (werkzeug's does not where the client was quick to leave).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from time import perf_counter
from typing import Any

from bongsu_instrument.endpoint import Answer
from bongsu_instrument.requests import NOTED, ROUTE, WATCHED, Request, RequestMeters

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
App = Callable[[Environ, StartResponse], Iterable[bytes]]
Route = Callable[[Environ], str | None]
"""Gives the template of the route that a request took, None where none matched; asked when the request is over."""
_BODILESS = (204, 304)


def noted_route(environ: Environ) -> str | None:
    """The template that Flask or Django took, or that somebody else has put there."""
    route: str | None = environ.get(ROUTE)
    return route


class WsgiMiddleware:
    """Sits around the whole application."""

    def __init__(self, app: App, meters: RequestMeters, answers: Mapping[str, Answer], route: Route) -> None:
        self._app = app
        self._meters = meters
        self._answers = answers
        self._route = route

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """One request. Errors of the application pass through, counted as the 500 that the server will answer."""
        if WATCHED in environ:
            return self._app(environ, start_response)
        environ[WATCHED] = True
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        answer = self._answers.get(path) if environ["REQUEST_METHOD"] == "GET" else None
        exchange = _Exchange(self._meters, environ, start_response, self._route if answer is None else lambda _: path)
        try:
            if answer is not None:
                return exchange.watched(_reply(exchange.start_response, *answer()))
            return exchange.watched(self._app(environ, exchange.start_response))
        except BaseException as error:
            exchange.end(error)
            raise


class _Exchange(Request):
    """What the server was given in one request."""

    __slots__ = (
        "_environ",
        "_error",
        "_meters",
        "_over",
        "_route",
        "_start",
        "_status",
        "begun",
        "complete",
    )

    def __init__(self, meters: RequestMeters, environ: Environ, start: StartResponse, route: Route) -> None:
        self._meters, self._environ, self._start, self._route = meters, environ, start, route
        self._error: BaseException | None = None
        self._status = 0
        self._over = self.begun = self.complete = False
        self.method = environ["REQUEST_METHOD"]
        self.began = perf_counter()
        meters.active.add(self)

    def start_response(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        """The server's own, listened to. ``exc_info`` is how WSGI tells that an answer replaces a failed one."""
        self._status = int(status[:3]) if status[:3].isdigit() else 0
        if exc_info is not None:
            self._error = exc_info[1]
            return self._start(status, headers, exc_info)
        return self._start(status, headers)

    def watched(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """The same body, which ends the request when it is closed."""
        file_wrapper = self._environ.get("wsgi.file_wrapper")
        if isinstance(file_wrapper, type) and isinstance(body, file_wrapper):
            # Servers send files in a faster way when they meet their own wrapper; whether all of it went is theirs.
            self.complete = True
            close = getattr(body, "close", None)
            vars(body)["close"] = lambda: _close(close, self)
            return body
        return _SizedBody(body, self) if hasattr(body, "__len__") else _Body(body, self)

    def end(self, raised: BaseException | None) -> None:
        """Count the request, at the first call.

        Servers hold the status back until the first chunk: an error before that is a 500 for the client. After it,
        and when the client leaves in the middle, it is the status that was seen, with the error's name, as Spring
        counts it: whoever looks for failures must look at ``exception`` too.
        """
        if self._over:
            return
        self._over = True
        error = raised or self._error or self._environ.get(NOTED)
        name = type(error).__name__ if error is not None else None
        status = self._status
        if raised is not None:
            if not self.begun:
                status = 500 if isinstance(raised, Exception) else 0  # the server's own end leaves no answer
        elif not (self.complete or self._environ["REQUEST_METHOD"] == "HEAD" or status in _BODILESS):
            name = name or "ClientDisconnect"
        elif not status:
            status = 500  # an application that did not start an answer
        self._meters.end(self, self._route(self._environ), status, name)


class _Body:
    __slots__ = ("_body", "_chunks", "_exchange")

    def __init__(self, body: Iterable[bytes], exchange: _Exchange) -> None:
        self._exchange = exchange
        self._body, self._chunks = body, iter(body)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            chunk = next(self._chunks)
        except StopIteration:
            self._exchange.complete = True
            self._exchange.end(None)
            raise
        except BaseException as error:
            self._exchange.end(error)
            raise
        self._exchange.begun = True
        return chunk

    def close(self) -> None:
        """Called by the server at the end, whichever it was."""
        _close(getattr(self._body, "close", None), self._exchange)

    def __del__(self) -> None:
        # A server that neither exhausted nor closed it has lost its client; the request would be in flight for ever.
        self._exchange.end(None)


class _SizedBody(_Body):
    """A list of one chunk tells the server the length of the answer."""

    __slots__ = ()

    def __len__(self) -> int:
        return len(self._body)  # type: ignore[arg-type]


def _close(close: Callable[[], None] | None, exchange: _Exchange) -> None:
    try:
        if close is not None:
            close()
    finally:
        exchange.end(None)


def _reply(start_response: StartResponse, content_type: str, body: bytes) -> list[bytes]:
    start_response("200 OK", [("Content-Type", content_type), ("Content-Length", str(len(body)))])
    return [body]
