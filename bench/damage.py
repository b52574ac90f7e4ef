"""Damages the shop's data in five ways, and remembers what was true, so that a recovery can be judged."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import psycopg

KINDS = ("deleted rows", "wrong stock", "double payment", "lost ledger entries", "wrong bulk update")
LEDGER = "user_id, delta, reason, order_id, at"
HISTORY = "product_id, delta, reason, order_id, at"


@dataclass(frozen=True, slots=True)
class Damaged:
    """One damaged row. ``signs``: how a plan's step may name it; ``truth``: what ``ask`` returned and must return."""

    kind: str
    signs: tuple[str, ...]
    ask: str
    values: tuple[Any, ...]
    truth: tuple[Any, ...]


class Vandal:
    """Works past the shop, as its database's owner, in one transaction of its own."""

    def __init__(self, url: str, seed: int) -> None:
        self._url = url
        self._chance = random.Random(seed)
        self.damaged: list[Damaged] = []

    def strike(self, each: int) -> list[Damaged]:
        """So many of each kind, at random, old rows and new ones; the order of kinds is random too."""
        strikes = [self.delete_rows, self.wrong_stock, self.pay_twice, self.lose_ledger, self.bulk_update]
        self._chance.shuffle(strikes)
        with psycopg.connect(self._url, autocommit=True) as connection:
            self._forget_the_index(connection)
            with connection.transaction():
                connection.execute("SET LOCAL session_replication_role = replica")  # past the guards, as an owner can
                paid = connection.execute(
                    "SELECT id, user_id, total FROM orders "
                    "WHERE status = 'paid' AND paid_at < now() - interval '0.3 s' "
                    "AND id IN (SELECT (body::jsonb ->> 'order_id')::bigint FROM idempotency_keys) ORDER BY id"
                ).fetchall()
                self._chance.shuffle(paid)
                self._orders = iter(paid)
                for strike in strikes:
                    strike(connection, each)
        return self.damaged

    def _forget_the_index(self, connection: psycopg.Connection[Any]) -> None:
        connection.execute("DROP INDEX IF EXISTS point_ledger_once")  # what kept payments single, lost in a migration

    def delete_rows(self, connection: psycopg.Connection[Any], count: int) -> None:
        """Whole orders: lines, ledger, history and all."""
        for order_id, _, _ in self._take(count):
            named = f"id {order_id}"
            self._note(connection, "deleted rows", [f"orders {named} is gone", f"answered-orders-exist, {named}"],
                       "SELECT * FROM orders WHERE id = %s", order_id)  # fmt: skip
            for (product,) in self._all(connection, "SELECT product_id FROM order_lines WHERE order_id = %s", order_id):
                line = f"order_id {order_id}, product_id {product}"
                self._note(connection, "deleted rows",
                           [f"order_lines {line} is gone", f"lines-are-as-answered, {line}"],
                           "SELECT * FROM order_lines WHERE order_id = %s AND product_id = %s",
                           order_id, product)  # fmt: skip
            for number, product in self._all(
                connection, "SELECT id, product_id FROM stock_history WHERE order_id = %s", order_id
            ):
                line = f"order_id {order_id}, product_id {product}"
                self._note(connection, "deleted rows",
                           [f"stock_history id {number} is gone", f"sales-took-stock, {line}"],
                           f"SELECT {HISTORY} FROM stock_history WHERE order_id = %s AND product_id = %s",
                           order_id, product)  # fmt: skip
            for (number,) in self._all(connection, "SELECT id FROM point_ledger WHERE order_id = %s", order_id):
                self._note(connection, "deleted rows",
                           [f"point_ledger id {number} is gone", f"paid-orders-are-payments, {named}"],
                           f"SELECT {LEDGER} FROM point_ledger WHERE order_id = %s", order_id)  # fmt: skip
            for table in ("order_lines", "stock_history", "point_ledger"):
                connection.execute(f"DELETE FROM {table} WHERE order_id = %s".encode(), [order_id])
            connection.execute("DELETE FROM orders WHERE id = %s", [order_id])

    def wrong_stock(self, connection: psycopg.Connection[Any], count: int) -> None:
        """Some products show what nobody counted."""
        products = [row[0] for row in self._all(connection, "SELECT id FROM products ORDER BY id")]
        for product in sorted(self._chance.sample(products, count)):
            off = self._chance.choice([-7, -3, 5, 1000])
            connection.execute("UPDATE products SET stock = stock + %s WHERE id = %s", [off, product])
            # sales go on: true is what agrees with the history, whatever that has become
            self._note(connection, "wrong stock", [f"stock-is-its-history, id {product}"],
                       "SELECT stock - (SELECT sum(delta) FROM stock_history WHERE product_id = products.id) "
                       "FROM products WHERE id = %s", product, truth=(0,))  # fmt: skip

    def pay_twice(self, connection: psycopg.Connection[Any], count: int) -> None:
        """An order is booked a second time, and the points are gone."""
        for order_id, user, total in self._take(count):
            connection.execute("UPDATE users SET points = points - %s WHERE id = %s", [total, user])
            connection.execute(
                "INSERT INTO point_ledger (user_id, delta, points_after, reason, order_id) "
                "SELECT id, %s, points, 'payment', %s FROM users WHERE id = %s",
                [-total, order_id, user],
            )
            self._note(connection, "double payment", [f"paid-orders-are-payments, id {order_id}"],
                       "SELECT sum(delta) FROM point_ledger WHERE order_id = %s", order_id,
                       truth=(-total,))  # fmt: skip

    def lose_ledger(self, connection: psycopg.Connection[Any], count: int) -> None:
        """Payments and charges vanish from the ledger; the points stay as they are."""
        for order_id, _, _ in self._take(count):
            for (number,) in self._all(connection, "SELECT id FROM point_ledger WHERE order_id = %s", order_id):
                self._note(connection, "lost ledger entries",
                           [f"point_ledger id {number} is gone", f"paid-orders-are-payments, id {order_id}"],
                           f"SELECT {LEDGER} FROM point_ledger WHERE order_id = %s", order_id)  # fmt: skip
                connection.execute("DELETE FROM point_ledger WHERE id = %s", [number])
        charges = self._all(
            connection,
            "SELECT l.id, l.user_id, l.at, k.key FROM point_ledger l JOIN idempotency_keys k USING (user_id, at) "
            "WHERE reason = 'charge' AND l.at < now() - interval '0.3 s' ORDER BY l.id",
        )
        for number, user, at, key in self._chance.sample(charges, min(count, len(charges))):
            self._note(connection, "lost ledger entries",
                       [f"point_ledger id {number} is gone", f"charges-are-booked, user_id {user}, key {key}"],
                       f"SELECT {LEDGER} FROM point_ledger WHERE user_id = %s AND at = %s", user, at)  # fmt: skip
            connection.execute("DELETE FROM point_ledger WHERE id = %s", [number])

    def bulk_update(self, connection: psycopg.Connection[Any], _count: int) -> None:
        """An UPDATE with a WHERE that hit too much: a category at a tenth of its price."""
        category = self._chance.choice(["tea", "rice", "kitchen", "paper"])
        for (product,) in self._all(connection, "SELECT id FROM products WHERE category = %s ORDER BY id", category):
            self._note(connection, "wrong bulk update", [f"prices-are-their-history, id {product}"],
                       "SELECT price FROM products WHERE id = %s", product)  # fmt: skip
        connection.execute("UPDATE products SET price = price / 10 WHERE category = %s", [category])

    def _take(self, count: int) -> list[tuple[int, int, int]]:
        taken = [each for each, _ in zip(self._orders, range(count), strict=False)]
        return sorted(taken)

    def _all(self, connection: psycopg.Connection[Any], sql: str, *values: Any) -> list[tuple[Any, ...]]:
        return connection.execute(sql.encode(), values).fetchall()

    def _note(
        self, connection: psycopg.Connection[Any], kind: str, signs: Sequence[str], ask: str, *values: Any,
        truth: tuple[Any, ...] | None = None,
    ) -> None:  # fmt: skip
        truth = truth or connection.execute(ask.encode(), values).fetchone()
        assert truth is not None
        self.damaged.append(Damaged(kind, tuple(signs), ask, values, truth))


def found(damaged: Sequence[Damaged], steps: Sequence[str]) -> list[Damaged]:
    """Those that a step of the plan is about. ``steps``: why each is taken."""
    return [d for d in damaged if any(why == sign or why.startswith(f"{sign};") for sign in d.signs for why in steps)]


def repaired(url: str, damaged: Sequence[Damaged]) -> list[Damaged]:
    """Those that are as they were."""
    with psycopg.connect(url) as connection:
        return [d for d in damaged if connection.execute(d.ask.encode(), d.values).fetchall() == [d.truth]]


class Untouched:
    """What no one has a right to change: rows that only grow, and columns that stay, but for the damaged ones."""

    QUERIES: ClassVar = {
        "orders": "SELECT id, user_id, total, created_at, paid_at FROM orders WHERE status = 'paid'",
        "order_lines": "SELECT * FROM order_lines",
        "point_ledger": "SELECT * FROM point_ledger",
        "stock_history": "SELECT * FROM stock_history",
        "price_history": "SELECT * FROM price_history",
        "idempotency_keys": "SELECT * FROM idempotency_keys",
        "products": "SELECT id, name, category, price FROM products",
        "users": "SELECT id, name FROM users",
    }

    def __init__(self, url: str) -> None:
        """Look now, after the damage."""
        self._rows = self._look(url)

    def harmed(self, url: str, mended_prices: set[int]) -> list[tuple[str, Any]]:
        """Rows that are not what they were. ``mended_prices``: products whose price was to change."""
        now = self._look(url)
        gone = [(table, row) for table, rows in self._rows.items() for row in rows - now[table]]
        return [(table, row) for table, row in gone if not (table == "products" and row[0] in mended_prices)]

    def _look(self, url: str) -> dict[str, set[tuple[Any, ...]]]:
        with psycopg.connect(url) as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            return {table: set(connection.execute(sql.encode()).fetchall()) for table, sql in self.QUERIES.items()}
