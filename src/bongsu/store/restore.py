"""Putting a backup in the place of Bongsu's database; the old one is kept beside it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from sqlalchemy import URL, create_engine, inspect, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from bongsu.core.errors import BongsuError, InvalidInput
from bongsu.store import postgres_tools
from bongsu.store.alone import InUse, claim
from bongsu.store.backup import Copy, copy_sqlite, examine, sync
from bongsu.store.database import SERVING
from bongsu.store.migrate import LOCK, TooNew

_BUSY_S = 2.0


class RestoreFailed(BongsuError):
    """Nothing was restored; the database is as it was."""


def restore(file: Path, url: str, mark: str) -> tuple[Copy, str | None]:
    """Put a backup in the place of the database at ``url``; nobody may be using it.

    The old database stays beside it under a name that ends in ``mark`` (letters, digits, underscores); the answer says
    what was restored and where the old one is, None when there was none. Raises InvalidInput for a file that is no good
    backup, TooNew, InUse and RestoreFailed.
    """
    target = make_url(url)
    kind = "sqlite" if target.get_backend_name() == "sqlite" else "postgresql"
    found = examine(file)
    if found.kind != kind:
        raise InvalidInput([f"{file} is a backup of a {found.kind} database, and store.url names one of {kind}"])
    if found.too_new:
        raise TooNew(f"{file} was made by a newer Bongsu; install that version, then restore it")
    if kind == "postgresql":
        return found, _restore_postgresql(file, target, f"bongsu_before_{mark}")
    assert target.database
    return found, _restore_sqlite(file, Path(target.database), mark)


def _restore_sqlite(file: Path, target: Path, mark: str) -> str | None:
    if target.exists() and target.samefile(file):
        raise InvalidInput([f"{file} is the database itself; name a backup"])
    kept = target.with_name(f"{target.name}.before-{mark}")
    draft = target.with_name(f".{target.name}.restored")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with claim(target):
            draft.unlink(missing_ok=True)
            copy_sqlite(file, draft)
            examine(draft)
            there = target.exists()
            _owned_like(target if there else target.parent, draft, Path(f"{target}.lock"))
            sync(draft)
            if there:
                _settle(target, kept)
                kept.hardlink_to(target)  # so that at no moment there is no database
            draft.replace(target)
            sync(target.parent)
    except (OSError, sqlite3.Error) as error:
        draft.unlink(missing_ok=True)
        raise RestoreFailed(f"nothing was restored, {target} is as it was: {error}") from None
    return str(kept) if there else None


def _owned_like(model: Path, *files: Path) -> None:
    """Give files that root made to the user who is to serve with them."""
    if os.geteuid() == 0:
        owner = model.stat()
        for file in files:
            os.chown(file, owner.st_uid, owner.st_gid)


def _settle(database: Path, kept: Path) -> None:
    """Fold the write-ahead log into the old database: left behind, SQLite would apply it to the new one."""
    try:
        with closing(sqlite3.connect(database, timeout=_BUSY_S)) as old:
            old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            old.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        if error.sqlite_errorcode in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise InUse(f"{database} is open in another program; close that, then restore") from None
    # a damaged database, which is why people restore, keeps its log under its new name
    for suffix in ("-wal", "-shm"):
        beside = Path(f"{database}{suffix}")
        if beside.exists():
            beside.replace(f"{kept}{suffix}")


def _restore_postgresql(file: Path, target: URL, kept: str) -> str | None:
    old = _present(target)
    steps = [
        "SET client_min_messages = warning",
        f"SELECT pg_advisory_xact_lock({LOCK})",  # a Bongsu that starts now waits in its migration until we are done
        f"DO $$ BEGIN IF EXISTS ({_SESSIONS}) THEN RAISE EXCEPTION 'a Bongsu has begun to use this database'; END IF; "
        "END $$",
    ]
    if old:
        steps.append(f"CREATE SCHEMA {kept}")
    steps += [f'ALTER TABLE "{table}" SET SCHEMA {kept}' for table in old]
    try:
        postgres_tools.replay(file, target, steps)
    except postgres_tools.ToolFailed as error:
        raise RestoreFailed(str(error)) from None
    return f"schema {kept}" if old else None


_SESSIONS = (
    "SELECT 1 FROM pg_stat_activity "  # noqa: S608 - the name is our own
    f"WHERE datname = current_database() AND application_name = '{SERVING}' AND pid <> pg_backend_pid()"
)


def _present(target: URL) -> Sequence[str]:
    """Bongsu's tables that are there now. Raises InUse while a Bongsu is connected."""
    engine = create_engine(target, connect_args={"application_name": "bongsu-restore"})
    try:
        with engine.connect() as connection:
            if connection.execute(text(_SESSIONS)).first() is not None:
                raise InUse(f"a Bongsu is connected to {target.database}; stop every bongsu serve that uses it")
            there = set(inspect(connection).get_table_names())
    except SQLAlchemyError as error:
        raise RestoreFailed(f"nothing was restored: {str(error.__cause__ or error).splitlines()[0]}") from None
    finally:
        engine.dispose()
    return [name for name in postgres_tools.tables() if name in there]
