"""What customers do, and what must hold whatever they did."""

from __future__ import annotations

import itertools
from typing import Any

import psycopg
from fastapi.testclient import TestClient
from httpx2 import Response

_keys = itertools.count(1)


def post(client: TestClient, path: str, body: object, user: int, key: str | None = None) -> Response:
    """A state-changing call; a new key unless one is given."""
    headers = {"X-User-Id": str(user), "Idempotency-Key": key or f"key-{next(_keys)}"}
    return client.post(path, json=body, headers=headers)


def order(client: TestClient, user: int, lines: dict[int, int], key: str | None = None) -> Response:
    """Order so many of each product."""
    body = {"lines": [{"product_id": each, "quantity": quantity} for each, quantity in lines.items()]}
    return post(client, "/orders", body, user, key)


def pay(client: TestClient, user: int, order_id: int, key: str | None = None) -> Response:
    """Pay an order."""
    return post(client, f"/orders/{order_id}/payment", {}, user, key)


def charge(client: TestClient, user: int, amount: int, key: str | None = None) -> Response:
    """Charge points."""
    return post(client, f"/users/{user}/points/charge", {"amount": amount}, user, key)


def query(url: str, sql: str, *values: object) -> list[tuple[Any, ...]]:
    """Past the shop, straight from its database."""
    with psycopg.connect(url) as connection:
        return connection.execute(sql.encode(), values).fetchall()


def change(url: str, sql: str, *values: object) -> None:
    """Past the shop, straight into its database."""
    with psycopg.connect(url) as connection:
        connection.execute(sql.encode(), values)


def expect_true_books(url: str) -> None:
    """Stock and points are what their histories say, line by line, and sales are what was paid."""
    for table, owner, sum_of, history in (
        ("products", "product_id", "stock", "stock_history"),
        ("users", "user_id", "points", "point_ledger"),
    ):
        wrong = query(
            url,
            f"SELECT t.id, t.{sum_of}, h.total FROM {table} t LEFT JOIN "
            f"(SELECT {owner}, sum(delta) AS total FROM {history} GROUP BY 1) h ON h.{owner} = t.id "
            f"WHERE h.total IS DISTINCT FROM t.{sum_of} OR t.{sum_of} < 0",
        )
        assert wrong == [], f"{table}: {wrong}"
        jumps = query(
            url,
            f"SELECT * FROM (SELECT {sum_of}_after AS after, delta, "
            f"lag({sum_of}_after, 1, 0) OVER (PARTITION BY {owner} ORDER BY id) AS before FROM {history}) h "
            "WHERE before + delta <> after",
        )
        assert jumps == [], f"{history}: {jumps}"
    unequal = query(
        url,
        "SELECT o.id FROM orders o JOIN point_ledger l ON l.order_id = o.id "
        "WHERE l.delta <> -o.total OR o.status <> 'paid' "
        "UNION SELECT id FROM orders WHERE status = 'paid' AND id NOT IN (SELECT order_id FROM point_ledger "
        "WHERE order_id IS NOT NULL)",
    )
    assert unequal == []
