"""What an open database promises: connections that are there, and one statement as a whole transaction."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError

from bongsu.store import database
from bongsu.store.database import ALONGSIDE, Database, Transaction, after_commit
from bongsu.store.migrate import migrate

on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def process(db: Database) -> int:
    """The server's process that answers us."""
    return int(db.read(lambda tx: tx.execute(text("SELECT pg_backend_pid()")).scalar_one()))


@pytest.fixture
def lost(database_url: str) -> Iterator[tuple[Database, int]]:
    """A database whose only connection rests and was ended by the server, and the process that answered there."""
    db, other = Database(database_url), Database(database_url)
    pid = process(db)
    end = text("SELECT pg_terminate_backend(:pid, 5000)").bindparams(pid=pid)
    assert other.read(lambda tx: tx.execute(end).scalar_one())
    yield db, pid
    db.close()
    other.close()


@on_postgresql
def test_a_connection_that_was_lost_while_it_rested_is_replaced(
    lost: tuple[Database, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    db, pid = lost
    later = monotonic() + 60
    monkeypatch.setattr(database, "monotonic", lambda: later)
    assert process(db) != pid


@on_postgresql
def test_a_connection_lost_a_moment_after_its_use_fails_once_and_is_replaced(lost: tuple[Database, int]) -> None:
    db, pid = lost
    with pytest.raises(OperationalError):
        process(db)
    assert process(db) != pid


def test_one_statement_is_a_transaction_with_what_follows_and_what_goes_alongside(db: Database) -> None:
    db.write(lambda tx: tx.execute(text("CREATE TABLE notes (n INTEGER)")))
    followed: list[int] = []

    def note(tx: Transaction) -> int:
        after_commit(tx, lambda: followed.append(1))
        return tx.execute(text("INSERT INTO notes VALUES (1)")).rowcount

    def nowhere(tx: Transaction) -> None:
        tx.execute(text("INSERT INTO nowhere VALUES (1)"))

    assert db.write(note, one_statement=True) == 1
    token = ALONGSIDE.set(nowhere)
    try:
        with pytest.raises(DBAPIError):
            db.write(note, one_statement=True)
    finally:
        ALONGSIDE.reset(token)
    assert db.read(lambda tx: tx.execute(text("SELECT count(*) FROM notes")).scalar_one()) == 1, "both or neither"
    assert followed == [1]
    migrate(db)  # the connection is as it was
