"""``/orders``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from shop import idempotency
from shop.database import Session
from shop.forms import HIGHEST_BIG_ID, OrderForm, OrderPage, OrderView, PaymentView
from shop.idempotency import Answer
from shop.orders import create_order, find_order, find_orders, pay_order
from shop.refusals import Refusal
from shop.routes.answers import BigId, Caller, Json, Key, stored, to_json
from shop.shop import Shop

_REASONS = {"PAY001": "balance", "P002": "stock"}


def order_routes(shop: Shop) -> APIRouter:
    """Order, pay, look."""
    routes = APIRouter(tags=["orders"])
    database = shop.database

    @routes.post("/orders", response_model=OrderView, status_code=201)
    def order(form: OrderForm, caller: Caller, key: Key = None) -> Response:
        return stored(place(shop, form, caller, key))

    @routes.post("/orders/{id}/payment", response_model=PaymentView)
    def payment(order_id: BigId, caller: Caller, key: Key = None) -> Response:
        return stored(pay(shop, order_id, caller, key))

    @routes.get("/orders", response_model=OrderPage)
    def orders(
        caller: Caller,
        before: Annotated[int, Query(ge=1, le=HIGHEST_BIG_ID)] = HIGHEST_BIG_ID,
        size: Annotated[int, Query(ge=1, le=100)] = 20,
    ) -> Response:
        items, more = find_orders(database, caller, before, size)
        return Json({"items": items, "more": more})

    @routes.get("/orders/{id}", response_model=OrderView)
    def one(order_id: BigId, caller: Caller) -> Response:
        return Json(find_order(database, caller, order_id))

    return routes


def place(shop: Shop, form: OrderForm, caller: int, key: str | None) -> Answer:
    """Make an order and count it. Raises Refusal."""
    wish = idempotency.wish(caller, key, "order", form.model_dump())
    quantities = {each.product_id: each.quantity for each in form.lines}

    def work(session: Session) -> Answer:
        return Answer(201, to_json(create_order(session, caller, quantities)))

    try:
        answer = idempotency.once(shop.database, wish, work)
    except Refusal as refusal:
        shop.metrics.orders.labels("rejected").inc()
        if refusal.code == "P002":
            shop.metrics.stock_rejections.labels("order").inc()
        raise
    if answer.replayed:
        shop.metrics.replays.labels("order").inc()
    else:
        shop.metrics.orders.labels("created").inc()
    return answer


def pay(shop: Shop, order_id: int, caller: int, key: str | None) -> Answer:
    """Pay an order with points and count it. Raises Refusal."""
    wish = idempotency.wish(caller, key, "payment", {"order_id": order_id})
    total = 0

    def work(session: Session) -> Answer:
        nonlocal total
        paid = pay_order(session, caller, order_id)
        total = paid["total"]
        return Answer(200, to_json(paid))

    metrics = shop.metrics
    try:
        answer = idempotency.once(shop.database, wish, work)
    except Refusal as refusal:
        metrics.payments.labels("refused", _REASONS.get(refusal.code, "other")).inc()
        if refusal.code == "P002":
            metrics.stock_rejections.labels("payment").inc()
        raise
    except Exception:
        metrics.payments.labels("error", "internal").inc()
        raise
    if answer.replayed:
        metrics.replays.labels("payment").inc()
    else:
        metrics.payments.labels("ok", "none").inc()
        metrics.orders.labels("paid").inc()
        metrics.order_value.inc(total)
    return answer
