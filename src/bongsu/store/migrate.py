"""Bringing a database to the present schema: numbered SQL, forward only, each in one transaction.

Where SQLite or PostgreSQL alone is to change, the file's name says so: ``0017_places.sqlite.sql``.
"""

from __future__ import annotations

from importlib import resources
from string import Template

from sqlalchemy import Connection, text

from bongsu.core.errors import BongsuError
from bongsu.store.database import Database

LOCK = 2026110201
"""What whoever changes the tables of a PostgreSQL database holds meanwhile."""
_WORDS = {
    "sqlite": {"ID": "INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT", "BYTES": "BLOB"},
    "postgresql": {"ID": "BIGSERIAL PRIMARY KEY", "BYTES": "BYTEA"},
}


class TooNew(BongsuError):
    """This database was made by a newer Bongsu; install that version or restore a backup."""


def migrations() -> list[tuple[int, str, str]]:
    """Every migration's number, its SQL, and the database that it is for, empty for both; in order."""
    files = resources.files("bongsu.store.migrations").iterdir()
    named = sorted((each.name, each.read_text(encoding="utf-8")) for each in files if each.name.endswith(".sql"))
    return [(int(name.split("_")[0]), sql, name.removesuffix(".sql").partition(".")[2]) for name, sql in named]


def migrate(db: Database) -> list[int]:
    """Apply what is missing and return the numbers applied. Raises TooNew."""
    return db.write(_migrate)


def _migrate(tx: Connection) -> list[int]:
    if tx.dialect.name == "postgresql":
        tx.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
    tx.execute(text("CREATE TABLE IF NOT EXISTS migrations (number INTEGER NOT NULL PRIMARY KEY)"))
    present = set(tx.execute(text("SELECT number FROM migrations")).scalars())
    known = migrations()
    if present - {number for number, *_ in known}:
        raise TooNew
    words = _WORDS[tx.dialect.name]
    applied = []
    for number, sql, dialect in known:
        if number in present:
            continue
        statements = Template(sql).substitute(words).split(";") if dialect in ("", tx.dialect.name) else []
        for statement in statements:
            if statement.strip():
                tx.execute(text(statement))
        tx.execute(text("INSERT INTO migrations (number) VALUES (:number)"), {"number": number})
        applied.append(number)
    return applied
