"""A copy of Bongsu's own database, taken while it is used, and verified before it gets its name.

SQLite is copied by its online backup, PostgreSQL by ``pg_dump``. Both write a draft beside the copy; only a whole and
verified draft is renamed, so that nobody ever finds half a file under a backup's name, whenever we are killed.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import make_url

from bongsu.core.errors import BongsuError, InvalidInput
from bongsu.store import postgres_tools
from bongsu.store.migrate import migrations

DRAFT = ".bongsu-backup.part"
"""One name for every draft in a folder: what a killed backup left is overwritten by the next."""
_SQLITE, _POSTGRES = b"SQLite format 3\x00", b"PGDMP"


class BackupFailed(BongsuError):
    """The backup could not be made."""


@dataclass(frozen=True, slots=True)
class Copy:
    """What a copy holds. ``kind``: sqlite or postgresql; ``rows`` by table; ``schema``: its migrations."""

    kind: str
    rows: Mapping[str, int]
    schema: frozenset[int]

    @property
    def too_new(self) -> bool:
        """Whether a newer Bongsu made it."""
        return bool(self.schema - {number for number, *_ in migrations()})


@dataclass(frozen=True, slots=True)
class Draft:
    """A copy in the making; ``lock`` is the descriptor that keeps others away."""

    path: Path
    lock: int


def back_up(url: str, to: Path, *, replace: bool = False) -> Copy:
    """Copy the database at ``url`` into the file ``to`` and say what is in the copy.

    Raises InvalidInput when there is nothing to copy or ``to`` exists (unless ``replace``), and BackupFailed.
    """
    if to.exists() and not replace:
        raise InvalidInput([f"{to} exists; name another file, or replace it with --force"])
    if not to.parent.is_dir():
        raise InvalidInput([f"there is no folder {to.parent}; make it, or name another place"])
    source = make_url(url)
    try:
        with _draft(to.parent) as draft:
            if source.get_backend_name() == "sqlite":
                copy_sqlite(_existing(source.database), draft.path)
            else:
                postgres_tools.dump(source, draft.path, draft.lock)
            found = examine(draft.path)
            sync(draft.path)
            draft.path.replace(to)
            sync(to.parent)
    except (OSError, sqlite3.Error, postgres_tools.ToolFailed) as error:
        raise BackupFailed(f"no backup was made at {to}: {error}") from None
    return found


def examine(file: Path) -> Copy:
    """Read a whole copy: its integrity, its rows, its schema. Raises InvalidInput when it is no good one."""
    try:
        with file.open("rb") as opened:
            begins = opened.read(16)
    except OSError as error:
        raise InvalidInput(
            [f"{file}: cannot be read ({error.strerror}); name a file that bongsu backup made"]
        ) from None
    if begins == _SQLITE:
        return _examine_sqlite(file)
    if begins.startswith(_POSTGRES):
        return _told(file, "postgresql", *postgres_tools.contents(file))
    raise InvalidInput([f"{file} is no backup of Bongsu; name a file that bongsu backup made"])


def copy_sqlite(source: Path, to: Path) -> None:
    """A consistent copy of a SQLite database that may be written meanwhile; one file, nothing beside it."""
    with closing(_open(source, "rw")) as old, closing(sqlite3.connect(to)) as new:
        old.backup(new)
        new.execute("PRAGMA journal_mode=DELETE")


def _open(file: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.resolve().as_uri()}?mode={mode}", uri=True)


def _existing(name: str | None) -> Path:
    if not name or not Path(name).exists():
        raise InvalidInput([f"there is no database at {name or 'store.url'} yet; bongsu serve makes it at its start"])
    return Path(name)


def _examine_sqlite(file: Path) -> Copy:
    try:
        with closing(_open(file, "ro")) as opened:
            verdict = [row[0] for row in opened.execute("PRAGMA integrity_check(5)")]
            if verdict != ["ok"]:
                raise InvalidInput([f"{file} is damaged: {'; '.join(verdict)}; take another backup"])
            named = opened.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
            tables = [name.replace('"', '""') for (name,) in named]
            rows = {name: opened.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in tables}  # noqa: S608
            schema = opened.execute("SELECT number FROM migrations").fetchall() if "migrations" in rows else []
    except sqlite3.Error as error:
        raise InvalidInput([f"{file} is damaged: {error}; take another backup"]) from None
    return _told(file, "sqlite", rows, {number for (number,) in schema})


def _told(file: Path, kind: str, rows: Mapping[str, int], schema: set[int]) -> Copy:
    if not schema:
        raise InvalidInput([f"{file} is a database, but not one of Bongsu's; name a file that bongsu backup made"])
    return Copy(kind, dict(sorted(rows.items())), frozenset(schema))


@contextmanager
def _draft(folder: Path) -> Iterator[Draft]:
    """The folder's draft, ours alone, readable by nobody else, and gone afterwards unless it was renamed."""
    path = folder / DRAFT
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            ours = os.path.samestat(os.fstat(lock), path.stat())  # else the one before us has just renamed it
        except OSError:
            ours = False
        if not ours:
            raise BackupFailed(f"another backup is being written in {folder}; wait for it, or name another folder")
        os.ftruncate(lock, 0)
        try:
            yield Draft(path, lock)
        finally:
            with suppress(FileNotFoundError):
                path.unlink()
    finally:
        os.close(lock)


def sync(path: Path) -> None:
    """Have a file, or the names in a folder, on disk before we go on."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
