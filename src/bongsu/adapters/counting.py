"""The child process that counts: ``python -m bongsu.adapters.counting``, a task as JSON in, figures as JSON out.

DuckDB lives here alone, with bounded memory and threads, at a low priority: what watches must not starve what it
watches, and the server's memory stays as it was.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from bongsu.adapters.counting_sql import FIGURES, JOINED, PIECES, Span, arrivals, script
from bongsu.core.impact import Rules

NICE = 10


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What to count. ``every``: also the arrivals in each so many seconds of the window; 0 is not."""

    spans: tuple[Span, ...]
    rules: Rules
    edge: tuple[str, ...]
    shop: tuple[str, ...] = ()
    threads: int = 1
    memory_mib: int = 512
    every: float = 0.0


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """Some lines of a span: all of them, those of users, and the first and the last one's time."""

    span: str
    part: int
    lines: int
    counted: int
    first_at: datetime
    last_at: datetime


class Counted(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The figures, by the names of ``FIGURES`` and ``JOINED``, and the script they come from."""

    figures: dict[str, list[list[Any]]]
    pieces: list[Piece]
    script: str


class Fault(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Why there are no figures, as a sentence."""

    fault: str


def count(task: Task) -> Counted | Fault:
    """Do the work in this process."""
    import duckdb

    with tempfile.TemporaryDirectory(prefix="bongsu-count-") as folder:
        db = duckdb.connect()
        db.execute(
            f"SET threads = {task.threads}; SET memory_limit = '{task.memory_mib}MiB'; SET TimeZone = 'UTC'; "
            f"SET preserve_insertion_order = false; SET temp_directory = '{folder}'"
        )
        try:
            return _count(db, task)
        except duckdb.OutOfMemoryException as error:
            return Fault(fault=f"counting needs more room than {task.memory_mib} MiB and {folder}: {_first(error)}")
        except duckdb.Error as error:
            return Fault(fault=_first(error))
        finally:
            db.close()


def _first(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def _count(db: Any, task: Task) -> Counted | Fault:
    made = script(task.spans, task.rules, task.edge, task.shop, _columns(db, [*task.edge, *task.shop]))
    db.execute(made)
    asked = {**FIGURES, **(JOINED if task.shop else {})}
    if task.every > 0:
        asked = {"unusable": FIGURES["unusable"], "arrivals": arrivals(task.spans, task.every)}
    figures = {name: [list(row) for row in db.execute(query).fetchall()] for name, query in asked.items()}
    unusable = int(figures["unusable"][0][0])
    pieces = _pieces(db)
    if unusable and not pieces and not db.execute("SELECT 1 FROM edge WHERE seen IS NOT NULL LIMIT 1").fetchall():
        return Fault(
            fault=f"none of the {unusable} lines in {', '.join(task.edge)} is a JSON object with ts, path and status; "
            "docs/impact.md shows how to log such lines"
        )
    return Counted(figures=figures, pieces=pieces, script=made)


def _columns(db: Any, files: Sequence[str]) -> Mapping[str, str]:
    """What Parquet files hold: names and types."""
    parquet = [file for file in files if file.endswith(".parquet")]
    if not parquet:
        return {}
    found = db.execute("DESCRIBE SELECT * FROM read_parquet($files, union_by_name = true)", {"files": parquet})
    return {row[0]: row[1] for row in found.fetchall()}


def _pieces(db: Any) -> list[Piece]:
    return [
        Piece(span=r[0], part=r[1], lines=r[2], counted=r[3], first_at=_utc(r[4]), last_at=_utc(r[5]))
        for r in db.execute(PIECES).fetchall()
    ]


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC)


def main() -> None:
    """Read the task, answer."""
    os.nice(NICE)
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=Task)
    sys.stdout.buffer.write(msgspec.json.encode(count(task)))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
