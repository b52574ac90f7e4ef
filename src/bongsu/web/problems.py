"""Which error becomes which answer: one table."""

from __future__ import annotations

import logging
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException

from bongsu.core.errors import BongsuError, IllegalTransition, InvalidInput, NotFound, Stale, StillBreached
from bongsu.ports import Unavailable
from bongsu.render.links import Expired, Forged

log = logging.getLogger("bongsu.web")

STATUS: dict[type[BongsuError], int] = {
    InvalidInput: 400,
    NotFound: 404,
    IllegalTransition: 409,
    StillBreached: 409,
    Stale: 409,
    Unavailable: 503,
    Forged: 403,
    Expired: 410,
}


def status_of(error: BongsuError) -> int:
    """The HTTP status of an error."""
    return next((code for kind, code in STATUS.items() if isinstance(error, kind)), 500)


def answer(request: Request[Any, Any, Any], error: BongsuError) -> Response[dict[str, object]]:
    """A problem as JSON: a code, a sentence, and every fault where there are several."""
    status = status_of(error)
    if status == 500:
        log.error("unexpected", extra={"path": route_of(request)}, exc_info=error)
    body: dict[str, object] = {"code": type(error).__name__, "message": str(error)}
    if isinstance(error, InvalidInput):
        body["problems"] = error.problems
    return Response(body, status_code=status)


def refuse(_: Request[Any, Any, Any], error: HTTPException) -> Response[dict[str, object]]:
    """What the framework refuses, in the same form."""
    headers = {"WWW-Authenticate": "Bearer"} if error.status_code == 401 else {}
    body: dict[str, object] = {"code": type(error).__name__, "message": error.detail}
    return Response(body, status_code=error.status_code, headers=headers)


def unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, object]]:
    """A fault of our own: the log has it, the answer says nothing of it."""
    log.error("unexpected", extra={"path": route_of(request)}, exc_info=error)
    return Response({"code": "Unexpected", "message": "Something went wrong; it is in Bongsu's log."}, status_code=500)


def route_of(request: Request[Any, Any, Any]) -> str:
    """The path without its values: some of them are links that open something."""
    return str(request.scope.get("path_template") or "")
