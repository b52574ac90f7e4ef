"""Creates and updates the tables: numbered SQL files, each applied once."""

from __future__ import annotations

from importlib import resources

import psycopg

LOCK = 0x73686F70
"""Number of the advisory lock ("shop"): machines that start together migrate one after the other."""


def migrations() -> list[tuple[int, str, str]]:
    """(number, name, SQL) in order."""
    files = (each for each in (resources.files("shop") / "migrations").iterdir() if each.name.endswith(".sql"))
    return sorted((int(each.name[:4]), each.name, each.read_text(encoding="utf-8")) for each in files)


def newest_version() -> int:
    """The number that this program works with."""
    return migrations()[-1][0]


def migrate(url: str) -> list[str]:
    """Apply what is missing, all of it or nothing; the names of what was applied. Raises psycopg.Error."""
    applied = []
    with psycopg.connect(url, connect_timeout=5) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_versions "
            "(version integer PRIMARY KEY, name text NOT NULL, at timestamptz NOT NULL DEFAULT now())"
        )
        done = {row[0] for row in connection.execute("SELECT version FROM schema_versions")}
        for number, name, sql in migrations():
            if number not in done:
                connection.execute(sql.encode())
                connection.execute("INSERT INTO schema_versions (version, name) VALUES (%s, %s)", [number, name])
                applied.append(name)
    return applied
