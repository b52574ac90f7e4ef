"""Which row each alert has, by heart: on SQLite, where everything is written over one connection.

An index would do, but fingerprints are random: each new alert would change a page of its own there, and two thirds of
the cost of keeping it would be that (bench/ingest.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection

from bongsu.store.driver import driver_of
from bongsu.store.turns import LEARNT


class Places:
    """The rows of alerts by their fingerprints, of a database that is at ``version`` for this connection."""

    def __init__(self, driver: Any, version: int) -> None:
        self.version = version
        self._of: dict[str, int] = dict(driver.execute("SELECT fingerprint, id FROM alerts"))
        self._last = max(self._of.values(), default=0)

    def numbered(self, rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """Each row, its fingerprint first, behind its number, in their order; those that are new get the next ones."""
        return sorted((self._of.get(row[0]) or self._next(row[0]), *row) for row in rows)

    def _next(self, fingerprint: str) -> int:
        self._last += 1
        self._of[fingerprint] = self._last
        return self._last


def places(tx: Connection) -> Places:
    """Those known on this connection, read again when another one has written."""
    driver, learnt = driver_of(tx), tx.info.setdefault(LEARNT, {})
    (version,) = driver.execute("PRAGMA data_version").fetchone()
    known: Places | None = learnt.get(Places)
    if known is None or known.version != version:
        known = learnt[Places] = Places(driver, version)
    return known


def forget(tx: Connection) -> None:
    """Rows are being deleted: read the others again when they are asked for."""
    tx.info.pop(LEARNT, None)
