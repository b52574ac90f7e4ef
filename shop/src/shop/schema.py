"""The tables, for building queries. What creates them are the files in ``migrations/``; a test holds both together.

Money is in won and points are won: whole numbers. Times carry their zone.
"""

from sqlalchemy import BigInteger, Column, Integer, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import TIMESTAMP

metadata = MetaData()
_WHEN = TIMESTAMP(timezone=True)

products = Table(
    "products",
    metadata,
    Column("id", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("price", Integer, nullable=False),
    Column("stock", Integer, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("id", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("points", BigInteger, nullable=False),
)

orders = Table(
    "orders",
    metadata,
    Column("id", BigInteger, nullable=False),
    Column("user_id", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("created_at", _WHEN, nullable=False),
    Column("paid_at", _WHEN, nullable=True),
)

order_lines = Table(
    "order_lines",
    metadata,
    Column("order_id", BigInteger, nullable=False),
    Column("product_id", Integer, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("price", Integer, nullable=False),
)

stock_history = Table(
    "stock_history",
    metadata,
    Column("id", BigInteger, nullable=False),
    Column("product_id", Integer, nullable=False),
    Column("delta", Integer, nullable=False),
    Column("stock_after", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("order_id", BigInteger, nullable=True),
    Column("at", _WHEN, nullable=False),
)

point_ledger = Table(
    "point_ledger",
    metadata,
    Column("id", BigInteger, nullable=False),
    Column("user_id", Integer, nullable=False),
    Column("delta", BigInteger, nullable=False),
    Column("points_after", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("order_id", BigInteger, nullable=True),
    Column("at", _WHEN, nullable=False),
)

price_history = Table(
    "price_history",
    metadata,
    Column("id", BigInteger, nullable=False),
    Column("product_id", Integer, nullable=False),
    Column("price", Integer, nullable=False),
    Column("at", _WHEN, nullable=False),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("user_id", Integer, nullable=False),
    Column("key", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("at", _WHEN, nullable=False),
)
