"""Writes to SQLite take turns: one commit for all who wait, and nobody's failure is another's."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event, text

from bongsu.store import turns as turns_module
from bongsu.store.database import Database, after_commit
from bongsu.store.turns import Turns
from tests.support import wait_for


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    db = Database(f"sqlite:///{tmp_path}/turns.db")
    db.write(lambda tx: tx.execute(text("CREATE TABLE rows (n INTEGER PRIMARY KEY)")))
    yield db.engine
    db.close()


def put(number: int) -> Callable[[Connection], int]:
    def job(tx: Connection) -> int:
        tx.execute(text("INSERT INTO rows VALUES (:n)"), {"n": number})
        return number

    return job


@contextmanager
def waiting(turns: Turns, pool: ThreadPoolExecutor, numbers: list[int]) -> Iterator[list[Future[int]]]:
    """Writes that have come while another was busy; it ends with this block."""
    begun, over = threading.Event(), threading.Event()

    def busy(_tx: Connection) -> None:
        begun.set()
        assert over.wait(20)

    first = pool.submit(turns.write, busy)
    assert begun.wait(20)
    jobs = [pool.submit(turns.write, put(n)) for n in numbers]
    wait_for("all to wait", lambda: len(turns._waiting) == len(numbers))
    yield jobs
    over.set()
    first.result(20)


def rows(engine: Engine) -> list[int]:
    with engine.connect() as connection:
        return list(connection.execute(text("SELECT n FROM rows ORDER BY n")).scalars())


def test_one_commit_for_all_who_wait_and_one_failure_for_who_fails(engine: Engine) -> None:
    turns, commits = Turns(engine), []
    event.listen(engine, "commit", lambda _connection: commits.append(1))
    with ThreadPoolExecutor(40) as pool, waiting(turns, pool, [*range(30), 7]) as jobs:
        pass
    failed = [job for job in jobs if job.exception(20) is not None]
    assert len(failed) == 1, "the seven that came second"
    assert sorted(job.result() for job in jobs if job not in failed) == list(range(30))
    assert rows(engine) == list(range(30))
    assert len(commits) == 2, "the busy one's, and one for the thirty"
    turns.close()


def test_a_flood_is_cut_into_transactions_and_all_of_it_is_kept(engine: Engine) -> None:
    turns, commits = Turns(engine), []
    event.listen(engine, "commit", lambda _connection: commits.append(1))
    with ThreadPoolExecutor(301) as pool, waiting(turns, pool, list(range(300))):
        pass
    assert rows(engine) == list(range(300))
    assert len(commits) == 3
    turns.close()


def test_when_the_commit_itself_fails_everybody_hears_of_it_and_the_next_write_works(engine: Engine) -> None:
    turns, commits = Turns(engine), []

    @event.listens_for(engine, "commit")
    def full(_connection: Connection) -> None:
        commits.append(1)
        if len(commits) == 2:
            raise OSError("disk full")

    with ThreadPoolExecutor(4) as pool, waiting(turns, pool, [1, 2, 3]) as jobs:
        pass
    assert {type(job.exception(20)) for job in jobs} == {OSError}
    assert rows(engine) == []
    assert turns.write(put(4)) == 4
    assert rows(engine) == [4]
    turns.close()


def test_threads_that_write_all_the_time_lose_nothing(engine: Engine) -> None:
    turns = Turns(engine)
    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(lambda n: turns.write(put(n)), range(400))) == list(range(400))
    assert rows(engine) == list(range(400))
    turns.close()


def test_what_follows_a_commit_need_not_wait_for_the_disk_but_who_asked_does(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns, order = Turns(engine), []

    def sync(file: int) -> None:
        order.append(Path(f"/proc/self/fd/{file}").readlink().name)

    def job(tx: Connection) -> None:
        put(1)(tx)
        after_commit(tx, lambda: order.append(f"handed on, {rows(engine)} there"))

    monkeypatch.setattr("bongsu.store.turns._SYNC", sync)
    turns.write(job)
    order.append("answered")
    assert order == ["handed on, [1] there", "turns.db-wal", "answered"]
    turns.close()


def test_who_asked_hears_when_the_disk_fails_and_the_next_write_works(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns, syncs = Turns(engine), []

    def sync(_file: int) -> None:
        syncs.append(1)
        if len(syncs) == 1:
            raise OSError("I/O error")

    monkeypatch.setattr("bongsu.store.turns._SYNC", sync)
    with pytest.raises(OSError, match="I/O error"):
        turns.write(put(1))
    assert turns.write(put(2)) == 2
    turns.close()


def test_what_is_committed_survives_a_kill_before_the_disk_has_it(engine: Engine) -> None:
    child = os.fork()
    if child == 0:
        turns_module._SYNC = lambda _file: os.kill(os.getpid(), signal.SIGKILL)
        Turns(Database(str(engine.url)).engine).write(put(7))
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert rows(engine) == [7]


def test_a_connection_that_was_given_back_syncs_by_itself_again(engine: Engine) -> None:
    turns = Turns(engine)
    turns.write(put(1))
    turns.close()
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_where_nothing_follows_the_commit_it_syncs_by_itself(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    turns, syncs = Turns(engine), list[int]()
    monkeypatch.setattr("bongsu.store.turns._SYNC", syncs.append)

    def level(tx: Connection) -> object:
        return tx.exec_driver_sql("PRAGMA synchronous").scalar()

    assert [turns.write(level, nothing_follows=each) for each in (True, False, True, False)] == [2, 1, 2, 1]
    assert len(syncs) == 2
    turns.close()
