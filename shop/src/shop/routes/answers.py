"""How answers are written. Rows go straight to JSON; the models in ``forms`` document them, and a test holds both."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Header, Path, Request
from starlette.responses import Response

from shop import refusals
from shop.forms import HIGHEST_BIG_ID, HIGHEST_ID
from shop.idempotency import Answer
from shop.visits import visit_of


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no form in JSON")


to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_plain).encode


class Json(Response):
    """A JSON answer of plain values and times."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Encode."""
        return to_json(content).encode()


def stored(answer: Answer) -> Response:
    """An answer of an idempotent operation, word for word."""
    headers = {"Idempotent-Replay": "true"} if answer.replayed else None
    return Response(answer.body, answer.status, headers, "application/json")


async def _caller(request: Request) -> int:
    """The logged-in user's number. Async, because a plain function would be sent to a worker thread for nothing."""
    user_id = visit_of(request.scope).user_id
    if user_id is None:
        raise refusals.not_logged_in()
    return user_id


Caller = Annotated[int, Depends(_caller)]
Key = Annotated[str | None, Header(alias="Idempotency-Key")]
Id = Annotated[int, Path(alias="id", ge=1, le=HIGHEST_ID)]
BigId = Annotated[int, Path(alias="id", ge=1, le=HIGHEST_BIG_ID)]
