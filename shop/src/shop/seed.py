"""Fills an empty shop: the same products, users and first orders each time, and nothing twice."""

from __future__ import annotations

import itertools
import random

import psycopg
from sqlalchemy import select

from shop.database import Database, Query
from shop.orders import create_order, pay_order
from shop.schema import orders as table_of_orders

CATEGORIES = ("tea", "rice", "kitchen", "paper", "wool", "ceramics", "garden", "lamps")
QUALITIES = ("plain", "fine", "large", "small", "old", "new", "white", "blue", "light", "heavy", "round", "everyday")
THINGS = {
    "tea": ("green tea", "barley tea", "teapot", "tea cup"),
    "rice": ("rice", "rice cooker", "rice bowl", "rice cake"),
    "kitchen": ("knife", "pan", "ladle", "board"),
    "paper": ("notebook", "letter paper", "fan", "screen"),
    "wool": ("blanket", "scarf", "hat", "yarn"),
    "ceramics": ("plate", "vase", "jar", "tile"),
    "garden": ("spade", "seeds", "pot", "lantern"),
    "lamps": ("desk lamp", "floor lamp", "candle", "shade"),
}
NAMES = ("Jimin", "Sora", "Minho", "Yuna", "Dohyun", "Hana", "Junseo", "Ara", "Taeyang", "Bora")
POINTS = 100_000_000
"""Won that each user begins with: enough for a long sale."""

_ANY_ORDER = Query(select(table_of_orders.c.id).limit(1))


def seed(database: Database, *, products: int, users: int, stock: int, orders: int) -> dict[str, int]:
    """Add what is missing; how many of each were added. Raises psycopg.Error."""
    with database.pool.connection() as connection, connection.transaction():
        added = {
            "products": _products(connection, products, stock),
            "users": _users(connection, users),
        }
    added["orders"] = _orders(database, products, users, orders)
    return added


def _products(connection: psycopg.Connection[dict[str, object]], count: int, stock: int) -> int:
    chance = random.Random(7)
    rows = []
    for number in range(1, count + 1):
        category = CATEGORIES[number % len(CATEGORIES)]
        name = f"{chance.choice(QUALITIES)} {chance.choice(THINGS[category])} {number}"
        rows.append((number, name, category, chance.randrange(10, 500) * 100, stock))
    ids, names, categories, prices, stocks = (list(each) for each in zip(*rows, strict=True)) if rows else ([],) * 5
    # The first line of each history comes with the product, so that they agree from the start.
    return connection.execute(
        """WITH added AS (
             INSERT INTO products (id, name, category, price, stock)
             SELECT * FROM unnest(%s::int[], %s::text[], %s::text[], %s::int[], %s::int[])
             ON CONFLICT DO NOTHING RETURNING id, price, stock),
           priced AS (INSERT INTO price_history (product_id, price) SELECT id, price FROM added)
           INSERT INTO stock_history (product_id, delta, stock_after, reason)
           SELECT id, stock, stock, 'seed' FROM added""",
        [ids, names, categories, prices, stocks],
    ).rowcount


def _users(connection: psycopg.Connection[dict[str, object]], count: int) -> int:
    names = [f"{name} {number}" for number, name in zip(range(1, count + 1), itertools.cycle(NAMES), strict=False)]
    return connection.execute(
        """WITH added AS (
             INSERT INTO users (id, name, points)
             SELECT id, name, %s FROM unnest(%s::int[], %s::text[]) AS given (id, name)
             ON CONFLICT DO NOTHING RETURNING id, points)
           INSERT INTO point_ledger (user_id, delta, points_after, reason)
           SELECT id, points, points, 'seed' FROM added""",
        [POINTS, list(range(1, count + 1)), names],
    ).rowcount


def _orders(database: Database, products: int, users: int, count: int) -> int:
    """Some sales, so that there are top sellers on the first day; only in a shop that has sold nothing yet."""
    if not products or not users:
        return 0
    chance = random.Random(11)
    with database.transaction() as session:
        if session.row(_ANY_ORDER) is not None:
            return 0
        for _ in range(count):
            user = chance.randrange(1, users + 1)
            product = 1 + int(products * chance.random() ** 2)
            order = create_order(session, user, {product: chance.randrange(1, 4)})
            pay_order(session, user, order["id"])
    return count
