"""``http_server_requests_seconds``: every request of an ASGI application, by route template.

No framework is imported. The route is read from what the frameworks leave in the scope: Starlette and FastAPI a
``route`` with a ``path``, Litestar a ``path_template``.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric, SummaryMetricFamily

from bongsu_instrument.meters import RecentMaximum

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

logger = logging.getLogger(__name__)

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0, 2.5, 5.0, 10.0)
"""Seconds. Objectives that people set, such as 300 ms and 800 ms, are bounds, so that shares are exact."""
LABELS = ("method", "uri", "status", "outcome", "exception", "error")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
UNKNOWN = "UNKNOWN"
NONE = "none"
MAX_URIS = 100
_OUTCOMES = {1: "INFORMATIONAL", 2: "SUCCESS", 3: "REDIRECTION", 4: "CLIENT_ERROR", 5: "SERVER_ERROR"}
_NOTED = "bongsu_instrument.error"
_HELP = "Duration of HTTP server request handling"


def note_error(scope: Scope, error: BaseException) -> None:
    """Name the error that a handler has turned into an answer; else the labels say ``none`` for a handled one."""
    scope[_NOTED] = error


def outcome(status: int) -> str:
    """Micrometer's word for a status."""
    return _OUTCOMES.get(status // 100, UNKNOWN)


def route_template(scope: Scope, outer_root: str = "") -> str:
    """The route's pattern, such as ``/products/{id}``; ``UNKNOWN`` where none matched.

    ``outer_root`` is the root path before routing: what a mount added to it belongs to the template.
    """
    template = scope.get("path_template")
    if template is None:
        # FastAPI leaves the route as it was written, without the prefix of the router it was included by,
        # and keeps the whole path beside it.
        included = scope.get("fastapi")
        context = included.get("effective_route_context") if isinstance(included, dict) else None
        template = getattr(context, "path_format", None)
    if template is None:
        template = getattr(scope.get("route"), "path", None)
    if not isinstance(template, str):
        return UNKNOWN
    root = scope.get("root_path", "")
    mounted = root[len(outer_root) :] if root.startswith(outer_root) else ""
    return mounted + template or "/"


class RequestMeters:
    """The series of one registry. Children are made once per set of labels and then found by one look-up."""

    def __init__(self, registry: CollectorRegistry, buckets: Sequence[float], max_uris: int) -> None:
        self._histogram = Histogram(
            "http_server_requests_seconds", _HELP, LABELS, buckets=tuple(buckets), registry=registry
        )
        self._children: dict[
            tuple[str, str, int, str | None], tuple[Callable[[float], None], Callable[[float], None]]
        ] = {}
        self._maxima: dict[tuple[str, ...], RecentMaximum] = {}
        self._uris: set[str] = {UNKNOWN}
        self._max_uris = max_uris
        self._active: dict[int, tuple[str, float]] = {}
        self._tickets = itertools.count()
        registry.register(self)

    def begin(self, method: str) -> int:
        """A request has come in; the ticket to end it with."""
        ticket = next(self._tickets)
        self._active[ticket] = method if method in METHODS else UNKNOWN, time.perf_counter()
        return ticket

    def end(self, ticket: int, uri: str, status: int, error: str | None, ended: float | None) -> None:
        """The request is answered. ``status`` 0: never answered. ``ended``: when the last byte was sent."""
        method, began = self._active.pop(ticket)
        seconds = (ended or time.perf_counter()) - began
        key = method, uri, status, error
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self._child(*key)
        child[0](seconds)
        child[1](seconds)

    def _child(
        self, method: str, uri: str, status: int, error: str | None
    ) -> tuple[Callable[[float], None], Callable[[float], None]]:
        if uri not in self._uris:
            if len(self._uris) > self._max_uris:
                uri = UNKNOWN
            else:
                self._uris.add(uri)
                if len(self._uris) > self._max_uris:
                    logger.warning("%d different uris are counted; any other is %s", self._max_uris, UNKNOWN)
        name = error or NONE
        labels = (method, uri, str(status) if status else UNKNOWN, outcome(status), name, name)
        maximum = self._maxima.setdefault(labels, RecentMaximum())
        return self._histogram.labels(*labels).observe, maximum.record

    def describe(self) -> Iterable[Metric]:
        """Names are known at scrape time only."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Called by every scrape: the maxima, and the requests in flight."""
        maximum = GaugeMetricFamily("http_server_requests_seconds_max", f"{_HELP}, recent maximum", labels=LABELS)
        for labels, recent in list(self._maxima.items()):
            maximum.add_metric(labels, recent.value())
        yield maximum
        yield from self._in_flight()

    def _in_flight(self) -> Iterator[Metric]:
        """As Boot does since 3.3: route, status and outcome are not known yet and say so by their defaults."""
        now = time.perf_counter()
        by_method: dict[str, list[float]] = {"GET": []}
        for method, began in list(self._active.values()):
            by_method.setdefault(method, []).append(max(0.0, now - began))
        labels = ("method", "uri", "status", "outcome", "exception")
        name, text = "http_server_requests_active_seconds", "Duration of HTTP server requests in flight"
        summary = SummaryMetricFamily(name, text, labels=labels)
        maximum = GaugeMetricFamily(f"{name}_max", f"{text}, longest now", labels=labels)
        for method, ages in by_method.items():
            values = (method, UNKNOWN, "200", "SUCCESS", NONE)
            summary.add_metric(values, len(ages), sum(ages))
            maximum.add_metric(values, max(ages, default=0.0))
        yield summary
        yield maximum


class RequestMiddleware:
    """Pure ASGI. Sits as far outside as it can, so that it sees what the client gets."""

    def __init__(self, app: App, meters: RequestMeters, answers: dict[str, Callable[[], tuple[str, bytes]]]) -> None:
        self._app = app
        self._meters = meters
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request. Errors of the application pass through, counted as the 500 that the server will answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(receive, send)
        root = scope.get("root_path", "")
        ticket = self._meters.begin(scope["method"])
        uri, raised = None, None
        try:
            answer = self._answers.get(scope["path"]) if self._answers else None
            if answer is not None and scope["method"] == "GET":
                uri = scope["path"]
                await _reply(exchange.send, *answer())
            else:
                await self._app(scope, exchange.receive, exchange.send)
        except BaseException as error:
            raised = error
            raise
        finally:
            noted = raised or scope.get(_NOTED)
            error_name = type(noted).__name__ if noted is not None else None
            status, error_name = exchange.verdict(raised, error_name)
            self._meters.end(ticket, uri or route_template(scope, root), status, error_name, exchange.ended)


class _Exchange:
    """What went over the wire in one request."""

    __slots__ = ("_receive", "_send", "disconnected", "ended", "status")

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self.status = 0
        self.ended: float | None = None
        self.disconnected = False

    async def receive(self) -> Message:
        message = await self._receive()
        # Servers also say so after a whole answer; that is no broken request.
        if message["type"] == "http.disconnect" and self.ended is None:
            self.disconnected = True
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self.ended = time.perf_counter()

    def verdict(self, raised: BaseException | None, name: str | None) -> tuple[int, str | None]:
        """Status (0: none) and error to count.

        A client that left before the answer began has no status. One that left in the middle keeps the status it
        saw, with the error's name, as Spring counts it: whoever looks for failures must look at ``exception`` too.
        An application that ends without an answer is a 500, which is what servers then send.
        """
        if self.disconnected and self.ended is None:
            return self.status, name or "ClientDisconnect"
        if self.status:
            return self.status, name
        if raised is not None and not isinstance(raised, Exception):
            return 0, name  # cancelled: the server stopped
        return 500, name


async def _reply(send: Send, content_type: str, body: bytes) -> None:
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
