"""The tables, and the guards in them."""

from __future__ import annotations

import psycopg
import pytest
from customers import change, expect_true_books, query
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from shop.database import Database
from shop.migrate import migrate
from shop.schema import metadata
from shop.seed import seed


def test_the_tables_in_the_code_are_those_in_the_database(database_url: str) -> None:
    dialect = PGDialect_psycopg()  # type: ignore[no-untyped-call]
    for table in metadata.sorted_tables:
        there = query(
            database_url,
            "SELECT column_name, data_type, is_nullable = 'YES' FROM information_schema.columns "
            "WHERE table_name = %s ORDER BY ordinal_position",
            table.name,
        )
        here = [(each.name, each.type.compile(dialect).lower(), each.nullable) for each in table.columns]
        assert here == there


def test_migrating_and_seeding_again_changes_nothing(empty_url: str) -> None:
    assert migrate(empty_url) == ["0001_shop.sql", "0002_prices_and_corrections.sql"]
    assert migrate(empty_url) == []
    database = Database(empty_url, size=1, timeout=5)
    database.open()
    amounts = {"products": 5, "users": 4, "stock": 100, "orders": 6}
    assert seed(database, **amounts) == {"products": 5, "users": 4, "orders": 6}
    before = query(empty_url, "SELECT id, name, category, price, stock FROM products ORDER BY id")
    assert seed(database, **amounts) == {"products": 0, "users": 0, "orders": 0}
    assert query(empty_url, "SELECT id, name, category, price, stock FROM products ORDER BY id") == before
    assert seed(database, **(amounts | {"products": 7})) == {"products": 2, "users": 0, "orders": 0}
    assert seed(database, products=0, users=0, stock=0, orders=0) == {"products": 0, "users": 0, "orders": 0}
    database.close()
    expect_true_books(empty_url)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE products SET stock = stock - 51 WHERE id = 1",
        "UPDATE users SET points = -1 WHERE id = 1",
        "INSERT INTO orders (user_id, status, total) VALUES (1, 'paid', 5)",
        "INSERT INTO point_ledger (user_id, delta, points_after, reason) VALUES (1, -5, 5, 'payment')",
        "INSERT INTO stock_history (product_id, delta, stock_after, reason) VALUES (1, -5, -1, 'seed')",
        "UPDATE point_ledger SET delta = 0",
        "DELETE FROM stock_history",
    ],
)
def test_the_database_refuses_what_must_not_be(database_url: str, sql: str) -> None:
    with pytest.raises((psycopg.errors.IntegrityError, psycopg.errors.RaiseException)):
        change(database_url, sql)
