"""Backups of the shop's data: whole or not there, proven by restoring, and refused when they are no good."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, NamedTuple

import psycopg
import pytest

from bongsu.adapters.postgres_copy import CopyFailed
from bongsu.adapters.servicedata import ServiceData
from bongsu.core.backups import Backup
from bongsu.core.errors import InvalidInput, NotFound
from bongsu.core.recovery import read_invariant
from bongsu.ports import Unavailable
from tests.data.conftest import as_user

Sql = Callable[..., list[Any]]


class Usage(NamedTuple):
    """Of a disk."""

    total: int
    used: int
    free: int


def test_a_backup_is_of_one_moment_and_is_proven(data: ServiceData, sql: Sql) -> None:
    made = data.back_up()
    file = data.folder.path / made.file
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert made.rows["orders"] == sql("SELECT count(*) FROM orders")[0][0]
    assert made.lsn
    assert made.verified_at is None
    proven = data.prove(made)
    assert proven.fault is None
    assert proven.verified_at is not None
    assert proven.holding == (13, 13)
    assert data.folder.find("latest") == proven == data.backups()[0]
    assert data.folder.find(made.file) == proven
    assert not list(data.folder.path.glob("*.part"))


def test_a_backup_of_damaged_data_says_so(data: ServiceData, sql: Sql) -> None:
    sql("UPDATE users SET points = 0 WHERE id = 2")
    proven = data.prove(data.back_up())
    assert proven.verified_at is None
    assert proven.fault == "does not hold: points-are-their-ledger"


def test_old_backups_go_but_never_the_last_good_one(data: ServiceData, backup: Backup) -> None:
    data.folder.note(replace(backup, verified_at=backup.taken_at))
    young = replace(data, keep=1, keep_for=timedelta(0))
    first, second = young.back_up(), young.back_up()
    assert [each.file for each in young.backups()] == [second.file, backup.file]
    assert not (young.folder.path / first.file).exists()


def test_a_killed_backup_leaves_nothing_that_looks_like_one(data: ServiceData, backup: Backup) -> None:
    (data.folder.path / "shop-20260105T000000000Z.dump.part").write_bytes(b"half")
    (data.folder.path / "shop-20260105T000000000Z.dump").write_bytes(b"without a manifest")
    assert [each.file for each in data.backups()] == [backup.file]
    data.back_up()
    assert not list(data.folder.path.glob("*.part"))


def test_two_at_a_time_are_refused(data: ServiceData) -> None:
    with data.folder.alone(), pytest.raises(InvalidInput, match="another backup is being made"):
        data.back_up()


def test_a_backup_beside_the_data(data: ServiceData, backup: Backup, sql: Sql) -> None:
    orders = sql("SELECT count(*) FROM orders")
    verified, took = data.restore_beside(backup, "shop_beside")
    try:
        assert verified.good
        assert took > 0
        with psycopg.connect(data.dsn, dbname="shop_beside") as there:
            assert there.execute("SELECT count(*) FROM orders").fetchone() == (backup.rows["orders"],)
        with pytest.raises(CopyFailed, match="there is a database shop_beside already"):
            data.restore_beside(backup, "shop_beside")
    finally:
        with psycopg.connect(data.dsn, dbname="postgres", autocommit=True) as server:
            server.execute("DROP DATABASE shop_beside")
    assert sql("SELECT count(*) FROM orders") == orders


def test_damaged_and_foreign_backups_are_refused_with_all_that_is_wrong(
    data: ServiceData, backup: Backup, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = data.folder.path / backup.file
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1 << 40, 1 << 40, 1 << 20))
    for refused in (data.prove, data.compare, data.plan, lambda b: data.restore_beside(b, "x")):
        with pytest.raises(InvalidInput) as error:
            refused(backup)
        first, second = error.value.problems
        assert "its checksum is not that of the manifest" in first
        assert "not enough room" in second
    with pytest.raises(InvalidInput, match="not enough room"):
        data.back_up()
    file.write_bytes(content[:100])
    with pytest.raises(InvalidInput, match="has 100 bytes instead of"):
        data.prove(backup)
    file.unlink()
    with pytest.raises(InvalidInput, match="cannot be read"):
        data.prove(backup)


def test_a_backup_of_a_newer_server_is_refused(data: ServiceData, backup: Backup) -> None:
    with pytest.raises(InvalidInput, match="apt-get install --no-install-recommends postgresql-99"):
        data.prove(replace(backup, server=990001))


def test_names_that_lead_nowhere(data: ServiceData, backup: Backup) -> None:
    with pytest.raises(NotFound, match="there is no backup nothing"):
        data.folder.find("nothing.dump")
    (data.folder.path / f"{backup.file}.json").write_text("{")
    with pytest.raises(InvalidInput, match="its manifest"):
        data.folder.find(backup.file)
    assert data.backups()[0].fault
    data.folder.remove(backup)
    with pytest.raises(NotFound, match="bongsu data backup"):
        data.folder.find("latest")


def test_without_the_right_to_read(data: ServiceData, sql: Sql) -> None:
    sql("DO $$ BEGIN CREATE ROLE reader LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    sql("GRANT SELECT ON products, users, orders TO reader")
    reader = as_user(data, "reader")
    found = {each.name: each for each in reader.verify().verdicts}
    assert "permission denied for table point_ledger" in str(found["points-are-their-ledger"].fault)
    assert not reader.verify().good
    with pytest.raises(InvalidInput, match="no right to read idempotency_keys, order_lines,"):
        reader.back_up()
    with pytest.raises(Unavailable, match="does not answer"):
        as_user(data, "nobody").verify()


def test_a_bad_invariant_does_not_keep_the_others(data: ServiceData) -> None:
    texts = {
        "a.sql": "-- name: a\n-- means: b\n-- key: number, id\n-- repair: UPDATE u SET x = :nome\nSELECT 1 AS id",
        "b.sql": "-- name: b\n-- means: b\n-- key: id\nSELECT id FROM nowhere",
        "c.sql": "-- name: c\n-- means: b\n-- key: id\nSELECT id FROM users WHERE points < 0",
        "d.sql": "-- name: d\n-- means: b\n-- key: id\nWITH x AS (DELETE FROM users RETURNING id) SELECT id FROM x",
        "e.sql": "-- name: e\n-- means: b\n-- key: id\nSELECT 1 AS id FROM pg_sleep(30)",
    }
    bad = replace(data, invariants=tuple(read_invariant(*each) for each in texts.items()), seconds=0.3)
    found = {each.name: each for each in bad.verify().verdicts}
    assert found["a"].fault == (
        "a.sql: key names 'number', which the query does not return; it returns id; "
        "a.sql: repair names 'nome', which the query does not return; it returns id"
    )
    assert 'relation "nowhere" does not exist' in str(found["b"].fault)
    assert found["c"].holds
    assert "read-only transaction" in str(found["d"].fault)
    assert "took too long" in str(found["e"].fault)
