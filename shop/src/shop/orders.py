"""Orders, and paying them with points.

**Stock is deducted at payment.** An order reserves nothing: no unpaid order holds goods back, and none has to be
swept up when its customer goes away. Ordering looks at the stock only to say no early; the promise is made by
payment, in one transaction, and kept by ``CHECK (stock >= 0)``.

Locks are taken in one sequence everywhere: order, user, products by rising number. So nobody waits in a circle, and
the product that everybody wants is locked last and shortest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger, Integer, any_, bindparam, func, insert, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from shop import refusals
from shop.database import Database, Query, Row, Session
from shop.schema import order_lines, orders, point_ledger, products, stock_history, users

_IDS = any_(bindparam("ids", type_=ARRAY(Integer)))
_ORDER_ID = bindparam("order_id", type_=BigInteger)
_USER_ID = bindparam("user_id", type_=Integer)

_USER = Query(select(users.c.id).where(users.c.id == _USER_ID))
_OFFERED = Query(select(products.c.id, products.c.price, products.c.stock).where(products.c.id == _IDS))
_NEW_ORDER = Query(
    insert(orders)
    .values(user_id=_USER_ID, status="pending", total=bindparam("total", type_=BigInteger))
    .returning(orders.c.id, orders.c.created_at)
)
_NEW_LINE = Query(
    insert(order_lines).values({each: bindparam(each) for each in ("order_id", "product_id", "quantity", "price")})
)

_LOCK_ORDER = Query(
    select(orders.c.id, orders.c.status, orders.c.total)
    .where(orders.c.id == _ORDER_ID, orders.c.user_id == _USER_ID)
    .with_for_update()
)
_LOCK_USER = Query(select(users.c.points).where(users.c.id == _USER_ID).with_for_update())
_LOCK_PRODUCTS = Query(
    select(products.c.id, products.c.stock).where(products.c.id == _IDS).order_by(products.c.id).with_for_update()
)
_LINES = Query(
    select(order_lines.c.product_id, order_lines.c.quantity, order_lines.c.price)
    .where(order_lines.c.order_id == _ORDER_ID)
    .order_by(order_lines.c.product_id)
)
_TAKE_STOCK = Query(
    update(products)
    .where(products.c.id == bindparam("product_id"))
    .values(stock=products.c.stock - bindparam("quantity", type_=Integer))
)
_STOCK_HISTORY = Query(
    insert(stock_history).values(
        product_id=bindparam("product_id"),
        delta=bindparam("delta"),
        stock_after=bindparam("stock_after"),
        reason="sale",
        order_id=_ORDER_ID,
    )
)
_TAKE_POINTS = Query(
    update(users).where(users.c.id == _USER_ID).values(points=users.c.points - bindparam("points", type_=BigInteger))
)
_LEDGER = Query(
    insert(point_ledger).values(
        user_id=_USER_ID,
        delta=bindparam("delta"),
        points_after=bindparam("points_after"),
        reason="payment",
        order_id=_ORDER_ID,
    )
)
_PAID = Query(
    update(orders)
    .where(orders.c.id == _ORDER_ID)
    .values(status="paid", paid_at=func.clock_timestamp())
    .returning(orders.c.paid_at)
)

_FIND = Query(select(orders).where(orders.c.id == _ORDER_ID, orders.c.user_id == _USER_ID))
_OF_USER = Query(
    select(orders)
    .where(orders.c.user_id == _USER_ID, orders.c.id < bindparam("before", type_=BigInteger))
    .order_by(orders.c.id.desc())
    .limit(bindparam("most_rows", type_=Integer))
)


def create_order(session: Session, user_id: int, quantities: Mapping[int, int]) -> Row:
    """Note what somebody wants, at today's prices. ``quantities`` by product.

    Raises Refusal: U404, P404, or P002 when the stock is short already.
    """
    if session.row(_USER, user_id=user_id) is None:
        raise refusals.no_user(user_id)
    offered = {row["id"]: row for row in session.rows(_OFFERED, ids=list(quantities))}
    lines = []
    for product_id in sorted(quantities):
        product, quantity = offered.get(product_id), quantities[product_id]
        if product is None:
            raise refusals.no_product(product_id)
        if product["stock"] < quantity:
            raise refusals.out_of_stock(product_id, quantity, product["stock"])
        lines.append({"product_id": product_id, "quantity": quantity, "price": product["price"]})
    total = sum(each["quantity"] * each["price"] for each in lines)
    made = session.row(_NEW_ORDER, user_id=user_id, total=total)
    assert made is not None
    for line in lines:
        session.do(_NEW_LINE, order_id=made["id"], **line)
    return _order(made["id"], "pending", total, made["created_at"], None, lines)


def pay_order(session: Session, user_id: int, order_id: int) -> Row:
    """Points down, stock down, order paid: all or nothing.

    Raises Refusal: O404, O002, PAY001 or P002.
    """
    order = session.row(_LOCK_ORDER, order_id=order_id, user_id=user_id)
    if order is None:
        raise refusals.no_order(order_id)
    if order["status"] == "paid":
        raise refusals.already_paid(order_id)
    lines = session.rows(_LINES, order_id=order_id)
    total = order["total"]
    user = session.row(_LOCK_USER, user_id=user_id)
    points = user["points"] if user else 0
    if points < total:
        raise refusals.insufficient_points(total, points)
    session.do(_TAKE_POINTS, user_id=user_id, points=total)
    session.do(_LEDGER, user_id=user_id, delta=-total, points_after=points - total, order_id=order_id)
    _deduct(session, order_id, lines)
    paid = session.row(_PAID, order_id=order_id)
    assert paid is not None
    return {
        "order_id": order_id,
        "status": "paid",
        "total": total,
        "points": points - total,
        "paid_at": paid["paid_at"],
    }


def _deduct(session: Session, order_id: int, lines: list[Row]) -> None:
    stock = {row["id"]: row["stock"] for row in session.rows(_LOCK_PRODUCTS, ids=[row["product_id"] for row in lines])}
    for line in lines:
        product_id, quantity = line["product_id"], line["quantity"]
        left = stock[product_id] - quantity
        if left < 0:
            raise refusals.out_of_stock(product_id, quantity, stock[product_id])
        session.do(_TAKE_STOCK, product_id=product_id, quantity=quantity)
        session.do(_STOCK_HISTORY, product_id=product_id, delta=-quantity, stock_after=left, order_id=order_id)


def find_order(database: Database, user_id: int, order_id: int) -> Row:
    """One of the caller's own, with its lines. Raises Refusal."""
    with database.reading() as session:
        order = session.row(_FIND, order_id=order_id, user_id=user_id)
        if order is None:
            raise refusals.no_order(order_id)
        lines = session.rows(_LINES, order_id=order_id)
    return _order(order_id, order["status"], order["total"], order["created_at"], order["paid_at"], lines)


def find_orders(database: Database, user_id: int, before: int, size: int) -> tuple[list[Row], bool]:
    """The caller's own, newest first, with numbers under ``before``; and whether there are older ones."""
    with database.reading() as session:
        rows = session.rows(_OF_USER, user_id=user_id, before=before, most_rows=size + 1)
    kept = [{name: value for name, value in row.items() if name != "user_id"} for row in rows[:size]]
    return kept, len(rows) > size


def _order(order_id: int, status: str, total: int, created_at: Any, paid_at: Any, lines: list[Row]) -> Row:
    return {
        "id": order_id,
        "status": status,
        "total": total,
        "created_at": created_at,
        "paid_at": paid_at,
        "lines": lines,
    }
