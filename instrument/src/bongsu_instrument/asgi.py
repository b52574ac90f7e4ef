"""Requests of an ASGI application: FastAPI, Starlette, Litestar, Django, or plain.

No framework is imported. The route is read from what the frameworks leave in the scope: Starlette and FastAPI a
``route`` with a ``path``, Litestar a ``path_template``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from time import perf_counter
from typing import Any

from bongsu_instrument.endpoint import Answer
from bongsu_instrument.requests import NOTED, ROUTE, UNKNOWN, WATCHED, Request, RequestMeters

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
_ELSEWHERE = "/**"
"""Stands for what is not told by templates, as in Spring: files below a mount, mounts that cannot be looked into."""


def route_template(scope: Scope, outer_root: str = "") -> str:
    """The route's pattern, such as ``/products/{id}``; ``UNKNOWN`` where none matched.

    ``outer_root`` is the root path before routing: what a mount added to it belongs to the template.
    """
    # FastAPI leaves the route as it was written, without the prefix of the router it was included by,
    # and keeps the whole path beside it.
    included = scope.get("fastapi")
    context = included.get("effective_route_context") if included else None
    template: str | None = getattr(context, "path_format", "")
    if not template:
        noted: str | None = scope.get(ROUTE) or scope.get("path_template")
        if noted:
            return noted
        route = scope.get("route")
        # With routes of its own, the last match was a mount, and nothing inside it.
        template = None if hasattr(route, "routes") else getattr(route, "path", None)
    root = scope.get("root_path", "")
    if root != outer_root and root.startswith(outer_root):
        return _below_mount(scope, root[len(outer_root) :], template)
    return UNKNOWN if template is None else template or "/"


def _below_mount(scope: Scope, mounted: str, template: str | None) -> str:
    if template is not None:
        return _mount_template(scope, mounted) + template
    # Where a mount has routes of its own, none of them fitted; else it serves files or such.
    return UNKNOWN if hasattr(scope.get("endpoint"), "routes") else _mount_template(scope, mounted) + _ELSEWHERE


def _mount_template(scope: Scope, mounted: str) -> str:
    """The root path holds a mount's parameters as the client sent them; its pattern is known to the router alone."""
    router = scope.get("router")
    return _find_mount(getattr(router, "routes", ()), mounted) or _ELSEWHERE


def _find_mount(routes: Iterable[Any], mounted: str) -> str | None:
    for route in routes:
        pattern = getattr(route, "path_regex", None)
        if pattern is None or not hasattr(route, "routes"):
            continue
        found = pattern.match(f"{mounted}/")
        if found is None:
            continue
        rest = found.groupdict().get("path", "").rstrip("/")
        if not rest:
            return str(route.path)
        inner = _find_mount(route.routes, f"/{rest}")
        if inner is not None:
            return f"{route.path}{inner}"
    return None


class AsgiMiddleware:
    """Pure ASGI. Sits as far outside as it can, so that it sees what the client gets."""

    def __init__(self, app: App, meters: RequestMeters, answers: Mapping[str, Answer]) -> None:
        self._app = app
        self._meters = meters
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request. Errors of the application pass through, counted as the 500 that the server will answer."""
        if scope["type"] != "http" or WATCHED in scope:
            await self._app(scope, receive, send)
            return
        scope[WATCHED] = True
        exchange = _Exchange(self._meters, scope, receive, send)
        try:
            answer = self._answers.get(scope["path"]) if self._answers else None
            if answer is not None and scope["method"] == "GET":
                scope[ROUTE] = scope["path"]
                await _reply(exchange.send, *answer())
            else:
                await self._app(scope, exchange.receive, exchange.send)
        except BaseException as error:
            if not exchange.over:
                exchange.end(error)
            raise
        if not exchange.over:
            exchange.end(None)


class _Exchange(Request):
    """What went over the wire in one request. Over with its last byte: what the application does then is its own."""

    __slots__ = ("_disconnected", "_meters", "_receive", "_root", "_scope", "_send", "_status", "over")

    def __init__(self, meters: RequestMeters, scope: Scope, receive: Receive, send: Send) -> None:
        self._meters, self._scope, self._receive, self._send = meters, scope, receive, send
        self._root = scope.get("root_path", "")
        self._status = 0
        self._disconnected = self.over = False
        self.method = scope["method"]
        self.began = perf_counter()
        meters.active.add(self)

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._disconnected = True
        return message

    def send(self, message: Message) -> Awaitable[None]:
        # Not a coroutine of its own where it need not be: that would cost every message of every answer.
        kind = message["type"]
        if kind == "http.response.start":
            self._status = message["status"]
        elif kind == "http.response.pathsend" or (kind == "http.response.body" and not message.get("more_body")):
            return self._send_last(message)
        return self._send(message)

    async def _send_last(self, message: Message) -> None:
        await self._send(message)
        if not self.over:
            self.over = True
            scope = self._scope
            noted = scope.get(NOTED)
            error = None if noted is None else type(noted).__name__
            self._meters.end(self, route_template(scope, self._root), self._status, error)

    def end(self, raised: BaseException | None) -> None:
        """The application has returned or raised before its answer was complete.

        A client that left before the answer began has no status. One that left in the middle keeps the status it
        saw, with the error's name, as Spring counts it: whoever looks for failures must look at ``exception`` too.
        An application that ends without an answer is a 500, which is what servers then send.
        """
        error = raised or self._scope.get(NOTED)
        name = type(error).__name__ if error is not None else None
        if self._disconnected:
            self._count(self._status, name or "ClientDisconnect")
        elif self._status:
            self._count(self._status, name or "IncompleteResponse")
        elif raised is not None and not isinstance(raised, Exception):
            self._count(0, name)  # cancelled: the server stopped
        else:
            self._count(500, name)

    def _count(self, status: int, error: str | None) -> None:
        self.over = True
        self._meters.end(self, route_template(self._scope, self._root), status, error)


async def _reply(send: Send, content_type: str, body: bytes) -> None:
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
