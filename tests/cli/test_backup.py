"""Bongsu's own database: copied while it is written, verified, put back; on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest
from sqlalchemy import text

from bongsu.core.errors import InvalidInput
from bongsu.store.alone import InUse
from bongsu.store.backup import DRAFT, BackupFailed, back_up, examine
from bongsu.store.database import Database
from bongsu.store.migrate import TooNew, migrate
from bongsu.store.postgres_tools import ToolFailed, tool
from bongsu.store.restore import restore
from tests.support import free_port, wait_for

MARK = "20260105t091200"


def note(db: Database, what: str) -> None:
    """One thing in two tables: a copy that has one row without the other is not consistent."""

    def write(tx: object) -> None:
        facts = {"what": what}
        tx.execute(text("INSERT INTO timeline (incident_id, at, what, facts) VALUES ('i', 0, :what, '{}')"), facts)  # type: ignore[attr-defined]
        tx.execute(text("INSERT INTO reports (incident_id, made_at, body) VALUES (:what, 0, '{}')"), facts)  # type: ignore[attr-defined]

    db.write(write)


def noted(db: Database) -> list[str]:
    found = db.read(lambda tx: tx.execute(text("SELECT what FROM timeline ORDER BY id")).scalars().all())
    return [str(each) for each in found]


def filled(url: str, *notes: str) -> None:
    """A database with the present schema and these notes, closed again."""
    db = Database(url)
    migrate(db)
    for each in notes:
        note(db, each)
    db.close()


def read(url: str) -> list[str]:
    db = Database(url)
    try:
        return noted(db)
    finally:
        db.close()


def configured(tmp_path: Path, url: str, port: int = 8080) -> Path:
    file = tmp_path / "bongsu.toml"
    secrets = tmp_path / "secrets"
    file.write_text(
        f'[store]\nurl = "{url}"\n[web]\nport = {port}\nsecrets = "{secrets}"\n[prometheus]\nurl = "http://127.0.0.1:1"\n'
    )
    return file


def bongsu(*arguments: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bongsu", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@contextmanager
def serving(config: Path, port: int) -> Iterator[None]:
    """A real server on this configuration."""
    server = bongsu("serve", "--config", config, "--log-level", "error")
    try:
        wait_for("the server", lambda: server.poll() is not None or _healthy(port))
        assert server.poll() is None, server.communicate()
        yield
    finally:
        server.terminate()
        server.communicate(timeout=20)


def _healthy(port: int) -> bool:
    try:
        return bool(urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1).status == 200)
    except OSError:
        return False


def test_a_backup_brings_back_what_was_there(database_url: str, tmp_path: Path) -> None:
    filled(database_url, "first", "second")
    copy = back_up(database_url, tmp_path / "copy")
    assert (copy.rows["timeline"], copy.rows["reports"], copy.rows["outbox"]) == (2, 2, 0)
    filled(database_url, "after the backup")
    restored, kept = restore(tmp_path / "copy", database_url, MARK)
    assert restored == copy
    assert kept is not None
    assert read(database_url) == ["first", "second"]
    filled(database_url, "life goes on")
    assert read(database_url) == ["first", "second", "life goes on"], "numbering and migrations go on where they were"
    assert list(tmp_path.glob(".*")) == [], "no draft is left"


def test_the_old_database_is_kept_whole(database_url: str, tmp_path: Path) -> None:
    filled(database_url, "old")
    back_up(database_url, tmp_path / "copy")
    filled(database_url, "newer")
    _, kept = restore(tmp_path / "copy", database_url, MARK)
    assert kept is not None
    if database_url.startswith("sqlite"):
        assert read(f"sqlite:///{kept}") == ["old", "newer"]
        return
    db = Database(database_url)
    found = db.read(lambda tx: tx.execute(text(f"SELECT what FROM bongsu_before_{MARK}.timeline ORDER BY id")).all())
    db.close()
    assert [what for (what,) in found] == ["old", "newer"]


def test_into_an_empty_place(database_url: str, tmp_path: Path) -> None:
    filled(database_url, "one")
    back_up(database_url, tmp_path / "copy")
    if database_url.startswith("sqlite"):
        empty = f"sqlite:///{tmp_path / 'elsewhere' / 'bongsu.db'}"
        assert restore(tmp_path / "copy", empty, MARK)[1] is None
        assert read(empty) == ["one"]
        return
    db = Database(database_url)
    db.write(lambda tx: tx.execute(text("DROP SCHEMA public CASCADE; CREATE SCHEMA public")))
    db.close()
    assert restore(tmp_path / "copy", database_url, MARK)[1] is None
    assert read(database_url) == ["one"]


def test_while_it_is_written(database_url: str, tmp_path: Path) -> None:
    filled(database_url, "before")
    db, going = Database(database_url), threading.Event()

    def work() -> None:
        number = 0
        while not going.is_set():
            note(db, f"note {number}")
            number += 1

    writer = threading.Thread(target=work)
    writer.start()
    try:
        wait_for("the first notes", lambda: len(noted(db)) > 5)
        copies = [back_up(database_url, tmp_path / f"copy{number}") for number in range(3)]
        after = len(noted(db))
    finally:
        going.set()
        writer.join()
        db.close()
    for copy in copies:
        assert copy.rows["timeline"] == copy.rows["reports"], "a copy is of one moment"
        assert 5 < copy.rows["timeline"] <= after


def test_killed_in_the_middle_it_leaves_nothing_under_the_name(database_url: str, tmp_path: Path) -> None:
    filled(database_url, "small")
    db = Database(database_url)
    big = text("INSERT INTO reports (incident_id, made_at, body) VALUES (:id, 0, :body)")
    light = database_url.startswith("sqlite")  # pg_dump compresses, and takes its time
    body = "x" * 1_000_000 if light else os.urandom(300_000).hex()
    for number in range(150 if light else 40):
        row = {"id": f"big {number}", "body": body}
        db.write(lambda tx, row=row: tx.execute(big, row))  # type: ignore[misc]
    db.close()
    copies = tmp_path / "copies"
    copies.mkdir()
    config, target = configured(tmp_path, database_url), copies / "copy"
    it = bongsu("backup", target, "--config", config)
    draft = copies / DRAFT
    wait_for("half a copy", lambda: it.poll() is not None or (draft.exists() and draft.stat().st_size > 1_000_000))
    it.send_signal(signal.SIGKILL)
    it.communicate()
    assert it.returncode == -signal.SIGKILL, "it was faster than the signal: make the database larger"
    assert not target.exists()

    def again() -> bool:
        try:
            return back_up(database_url, target).rows["reports"] == (151 if light else 41)
        except BackupFailed as error:
            if "another backup" not in str(error):  # a pg_dump that lost its parent still holds the draft
                raise
            return False

    wait_for("the next backup", again)
    assert [each.name for each in copies.iterdir()] == ["copy"], "the next backup clears what the killed one left"


def test_restore_refuses_while_a_server_runs_and_backup_does_not(database_url: str, tmp_path: Path) -> None:
    port = free_port()
    config = configured(tmp_path, database_url, port)
    with serving(config, port):
        done = bongsu("backup", tmp_path / "copy", "--config", config, "--json")
        said, complaint = done.communicate(timeout=60)
        assert done.returncode == 0, complaint
        assert json.loads(said)["rows"]["outbox"] == 0
        with pytest.raises(InUse, match="stop"):
            restore(tmp_path / "copy", database_url, MARK)
    assert restore(tmp_path / "copy", database_url, MARK)[0].rows["outbox"] == 0


def test_a_newer_schema_is_refused(database_url: str, tmp_path: Path) -> None:
    filled(database_url, "from the future")
    db = Database(database_url)
    db.write(lambda tx: tx.execute(text("INSERT INTO migrations VALUES (9000)")))
    db.close()
    back_up(database_url, tmp_path / "copy")
    with pytest.raises(TooNew, match="newer Bongsu"):
        restore(tmp_path / "copy", database_url, MARK)


def test_half_a_copy_is_refused(database_url: str, tmp_path: Path) -> None:
    filled(database_url, *(f"note {number}" for number in range(300)))
    back_up(database_url, tmp_path / "copy")
    whole = (tmp_path / "copy").read_bytes()
    (tmp_path / "half").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InvalidInput, match="damaged"):
        restore(tmp_path / "half", database_url, MARK)
    assert len(read(database_url)) == 300, "the database is as it was"


def test_a_damaged_database_gives_way_to_its_backup(tmp_path: Path) -> None:
    file = tmp_path / "bongsu.db"
    filled(f"sqlite:///{file}", "good")
    back_up(f"sqlite:///{file}", tmp_path / "copy")
    file.write_bytes(b"not a database at all " * 100)
    Path(f"{file}-wal").write_bytes(b"a log that must not be applied to the copy")
    _, kept = restore(tmp_path / "copy", f"sqlite:///{file}", MARK)
    assert read(f"sqlite:///{file}") == ["good"]
    assert kept is not None
    assert Path(kept).read_bytes().startswith(b"not a database")


def test_what_cannot_be_done_says_why(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'bongsu.db'}"
    with pytest.raises(InvalidInput, match="no database"):
        back_up(url, tmp_path / "copy")
    filled(url, "one")
    with pytest.raises(InvalidInput, match="no folder"):
        back_up(url, tmp_path / "nowhere" / "copy")
    back_up(url, tmp_path / "copy")
    with pytest.raises(InvalidInput, match="--force"):
        back_up(url, tmp_path / "copy")
    back_up(url, tmp_path / "copy", replace=True)
    with pytest.raises(InvalidInput, match="the database itself"):
        restore(tmp_path / "bongsu.db", url, MARK)
    with pytest.raises(InvalidInput, match="names one of postgresql"):
        restore(tmp_path / "copy", "postgresql+psycopg://nobody@127.0.0.1:1/bongsu", MARK)
    with pytest.raises(InvalidInput, match="no backup of Bongsu"):
        examine(Path(__file__))
    with pytest.raises(BackupFailed, match="no backup was made"):
        back_up("postgresql+psycopg://nobody@127.0.0.1:1/bongsu", tmp_path / "other")
    assert not (tmp_path / "other").exists()
    with pytest.raises(ToolFailed, match=r"apt-get install .*postgresql-client"):
        tool("pg_no_such_program")
