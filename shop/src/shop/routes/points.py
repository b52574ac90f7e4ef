"""``/users/{id}/points``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from shop import idempotency, refusals
from shop.database import Session
from shop.forms import HIGHEST_BIG_ID, ChargeForm, ChargeView, PointsView
from shop.idempotency import Answer
from shop.points import charge_points, find_points
from shop.refusals import Refusal
from shop.routes.answers import Caller, Id, Json, Key, stored, to_json
from shop.shop import Shop


def point_routes(shop: Shop) -> APIRouter:
    """Charge, and look at one's own."""
    routes = APIRouter(tags=["points"])

    @routes.post("/users/{id}/points/charge", response_model=ChargeView)
    def charging(user_id: Id, form: ChargeForm, caller: Caller, key: Key = None) -> Response:
        _only_oneself(user_id, caller)
        return stored(charge(shop, user_id, form.amount, key))

    @routes.get("/users/{id}/points", response_model=PointsView)
    def points(
        user_id: Id,
        caller: Caller,
        before: Annotated[int, Query(ge=1, le=HIGHEST_BIG_ID)] = HIGHEST_BIG_ID,
        size: Annotated[int, Query(ge=1, le=100)] = 20,
    ) -> Response:
        _only_oneself(user_id, caller)
        return Json(find_points(shop.database, user_id, before, size))

    return routes


def charge(shop: Shop, user_id: int, amount: int, key: str | None) -> Answer:
    """Charge points and count it. Raises Refusal."""
    wish = idempotency.wish(user_id, key, "charge", {"amount": amount})

    def work(session: Session) -> Answer:
        return Answer(200, to_json(charge_points(session, user_id, amount)))

    metrics = shop.metrics
    try:
        answer = idempotency.once(shop.database, wish, work)
    except Refusal:
        metrics.charges.labels("refused").inc()
        raise
    except Exception:
        metrics.charges.labels("error").inc()
        raise
    if answer.replayed:
        metrics.replays.labels("charge").inc()
    else:
        metrics.charges.labels("ok").inc()
        metrics.charged.inc(amount)
    return answer


def _only_oneself(user_id: int, caller: int) -> None:
    if user_id != caller:
        raise refusals.somebody_else(user_id)
