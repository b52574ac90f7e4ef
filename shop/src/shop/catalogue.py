"""Products: the list, one with its stock, and the top sellers."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import psycopg
from cachetools import TTLCache
from sqlalchemy import Integer, bindparam, desc, func, literal_column, select
from sqlalchemy.sql import Select

from shop import refusals
from shop.database import Database, Query, Row
from shop.schema import order_lines, orders, products

logger = logging.getLogger(__name__)

SORTS = {
    "id": (products.c.id,),
    "name": (products.c.name, products.c.id),
    "price": (products.c.price, products.c.id),
    "-price": (products.c.price.desc(), products.c.id),
}
TOP_SECONDS = 3.0
"""How long a list of top sellers is good."""
TOP_MOST = 20

_ONE = Query(select(products).where(products.c.id == bindparam("product_id")))
_TOP = Query(
    select(
        products.c.id.label("product_id"),
        products.c.name,
        func.sum(order_lines.c.quantity, type_=Integer).label("quantity"),
        func.sum(order_lines.c.quantity * order_lines.c.price).label("revenue"),
    )
    .select_from(orders)
    .join(order_lines, order_lines.c.order_id == orders.c.id)
    .join(products, products.c.id == order_lines.c.product_id)
    .where(orders.c.status == "paid", orders.c.paid_at >= literal_column("now() - interval '3 days'"))
    .group_by(products.c.id)
    .order_by(desc("quantity"), products.c.id)
    .limit(TOP_MOST)
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which products, in which order, which page. Absent filters do not filter."""

    text: str | None = None
    category: str | None = None
    least_price: int | None = None
    most_price: int | None = None
    in_stock: bool = False
    sort: str = "id"
    page: int = 1
    size: int = 20


@cache  # one compiled statement for each combination of filters and sort
def _list_query(text: bool, category: bool, least: bool, most: bool, in_stock: bool, sort: str) -> Query:
    statement: Select[Any] = select(products).order_by(*SORTS[sort])
    if text:
        statement = statement.where(products.c.name.icontains(bindparam("text"), autoescape=False))
    if category:
        statement = statement.where(products.c.category == bindparam("category"))
    if least:
        statement = statement.where(products.c.price >= bindparam("least"))
    if most:
        statement = statement.where(products.c.price <= bindparam("most"))
    if in_stock:
        statement = statement.where(products.c.stock > 0)
    return Query(statement.limit(bindparam("most_rows", type_=Integer)).offset(bindparam("skip", type_=Integer)))


def find_products(database: Database, wanted: Wanted) -> tuple[list[Row], bool]:
    """A page, and whether another follows. Counting all would read all: one row more than the page tells as much."""
    filters = {
        "text": _like(wanted.text) if wanted.text else None,
        "category": wanted.category,
        "least": wanted.least_price,
        "most": wanted.most_price,
    }
    present = {name: value for name, value in filters.items() if value is not None}
    query = _list_query(*(each in present for each in filters), wanted.in_stock, wanted.sort)
    with database.reading() as session:
        rows = session.rows(query, **present, most_rows=wanted.size + 1, skip=(wanted.page - 1) * wanted.size)
    return rows[: wanted.size], len(rows) > wanted.size


def _like(text: str) -> str:
    """Percent and underline are meant as such."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def find_product(database: Database, product_id: int) -> Row:
    """One with its stock. Raises Refusal."""
    with database.reading() as session:
        row = session.row(_ONE, product_id=product_id)
    if row is None:
        raise refusals.no_product(product_id)
    return row


@dataclass(frozen=True, slots=True)
class Top:
    """Top sellers as they were at ``at`` (monotonic seconds): rank, product_id, name, quantity, revenue in won."""

    at: float
    rows: list[Row]


class TopSellers:
    """By quantity *paid* in the last three days; carts and unpaid orders are no sales.

    Kept for ``TOP_SECONDS``. When that is over one caller asks the database and the others get the old list meanwhile;
    so they do when the database fails, and the list's age tells.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._fresh: TTLCache[str, Top] = TTLCache(maxsize=1, ttl=TOP_SECONDS, timer=clock)
        self._last: Top | None = None
        self._asking = threading.Lock()

    def age(self) -> float:
        """Seconds since the list was asked for; NaN before."""
        last = self._last
        return self._clock() - last.at if last is not None else float("nan")

    def read(self) -> Top:
        """The list. Raises what the database raises only where there is no older one."""
        # Also guards the cache, which is not made for threads.
        if not self._asking.acquire(blocking=self._last is None):
            assert self._last is not None
            return self._last
        try:
            top = self._fresh.get("top")
            if top is None:
                top = self._last = self._fresh["top"] = self._ask()
            return top
        except psycopg.Error as error:
            if self._last is None:
                raise
            logger.warning("top sellers are %.0f s old: %s", self.age(), type(error).__name__)
            return self._last
        finally:
            self._asking.release()

    def _ask(self) -> Top:
        at = self._clock()
        with self._database.reading() as session:
            rows = session.rows(_TOP)
        return Top(at, [{"rank": rank, **row, "revenue": int(row["revenue"])} for rank, row in enumerate(rows, 1)])
