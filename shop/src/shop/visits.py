"""The edge of every request: who calls, the request's id, the access log, and the last net for errors."""

from __future__ import annotations

import hmac
import json
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from functools import lru_cache
from typing import Any

from bongsu_instrument import TRACE, note_error, route_template
from shop import logs

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_VISIT = "shop.visit"
_LONGEST_ID = 128
MOST_BODY_BYTES = 64 * 1024


class Visit:
    """What the headers of one request say. ``user`` and ``visitor`` are hashes, None for nobody."""

    __slots__ = ("body_bytes", "request_id", "synthetic", "user", "user_id", "visitor")

    def __init__(self, headers: list[tuple[bytes, bytes]], hasher: Callable[[str], str]) -> None:
        user = visitor = request_id = ""
        self.synthetic = False
        self.body_bytes: int | None = 0
        """As announced; None for a body of unknown length."""
        for name, value in headers:
            if name == b"x-user-id":
                user = value.decode("latin-1")
            elif name == b"cookie":
                visitor = _cookie(value.decode("latin-1"), "visitor") or visitor
            elif name == b"x-request-id":
                request_id = value.decode("latin-1")
            elif name == b"x-synthetic":
                self.synthetic = value == b"1"
            elif name == b"content-length":
                self.body_bytes = int(value) if value.isdigit() else None
            elif name == b"transfer-encoding":
                self.body_bytes = None
        self.user_id = int(user) if user.isascii() and user.isdigit() and len(user) < 10 else None
        self.user = hasher(user) if user else None
        self.visitor = hasher(visitor) if visitor else None
        self.request_id = request_id if 0 < len(request_id) <= _LONGEST_ID else uuid.uuid4().hex


def _cookie(header: str, wanted: str) -> str | None:
    for each in header.split(";"):
        name, _, value = each.strip().partition("=")
        if name == wanted:
            return value
    return None


def visit_of(scope: Scope) -> Visit:
    """The visit that a request belongs to."""
    visit: Visit = scope[_VISIT]
    return visit


def user_hasher(key: bytes) -> Callable[[str], str]:
    """HMAC-SHA256 in hexadecimal: the same person, the same word, and no way back without the key."""

    @lru_cache(maxsize=4096)
    def hashed(text: str) -> str:
        return hmac.digest(key, text.encode("latin-1"), "sha256").hex()

    return hashed


def error_body(code: str, message: str, detail: object = None) -> dict[str, object]:
    """The one form of every error that clients get."""
    return {"code": code, "message": message, "detail": detail}


class AccessLog:
    """Pure ASGI. An error that nothing has handled ends here: logged once with its stack, answered with 500."""

    def __init__(self, app: App, hasher: Callable[[str], str]) -> None:
        self._app = app
        self._hasher = hasher

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        visit = scope[_VISIT] = Visit(scope["headers"], self._hasher)
        if logs.filters.isEnabledFor(TRACE):
            logs.filters.log(TRACE, "enter", extra={"fields": {"request_id": visit.request_id, **_what(scope)}})
        root = scope.get("root_path", "")
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].append((b"x-request-id", visit.request_id.encode("latin-1")))
            await send(message)

        try:
            if visit.body_bytes is None or visit.body_bytes > MOST_BODY_BYTES:
                # Here, before anything is read: FastAPI's own limit ends requests by an exception that passes every
                # handler and would be taken for a failure of ours.
                await _refuse_body(send_with_id, visit)
                return
            await self._app(scope, receive, send_with_id)
        except Exception as error:
            note_error(scope, error)
            _log_failure(scope, visit, error)
            if status:
                raise  # half an answer is out: only breaking off tells the client that the rest is missing
            await _fail(send_with_id, visit)
        finally:
            self._log(scope, visit, root, status, began)

    def _log(self, scope: Scope, visit: Visit, root: str, status: int, began: float) -> None:
        if not logs.access.isEnabledFor(logging.INFO):
            return
        fields = {
            "request_id": visit.request_id,
            "method": scope["method"],
            "route": route_template(scope, root),
            "path": scope["path"],
            "status": status,
            "duration_ms": round((time.perf_counter() - began) * 1000, 3),
            "user": visit.user,
            "visitor": visit.visitor,
            "synthetic": visit.synthetic,
        }
        logs.access.info("request", extra={"fields": fields})


def _what(scope: Scope) -> dict[str, object]:
    return {"method": scope["method"], "path": scope["path"]}


def _log_failure(scope: Scope, visit: Visit, error: Exception) -> None:
    fields = {"request_id": visit.request_id, **_what(scope), "user": visit.user}
    logs.errors.error("failure", exc_info=error, extra={"fields": fields})


async def _refuse_body(send: Send, visit: Visit) -> None:
    if visit.body_bytes is None:
        await _answer(send, 411, error_body("R411", "send the header Content-Length"))
    else:
        message = f"a body may have {MOST_BODY_BYTES} bytes"
        await _answer(send, 413, error_body("R413", message, {"bytes": visit.body_bytes}))


async def _fail(send: Send, visit: Visit) -> None:
    detail = {"request_id": visit.request_id}
    await _answer(send, 500, error_body("S500", "something went wrong on our side", detail))


async def _answer(send: Send, status: int, content: dict[str, object]) -> None:
    body = json.dumps(content).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
