"""``bongsu data`` as a person uses it, on the damaged shop."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bongsu.adapters.servicedata import ServiceData
from tests.data.conftest import INVARIANTS

Sql = Callable[..., list[Any]]


@pytest.fixture
def config(data: ServiceData, tmp_path: Path) -> Path:
    """A configuration with the shop's data."""
    file = tmp_path / "bongsu.toml"
    (tmp_path / "dsn").write_text(data.dsn + "\n")
    file.write_text(
        f'[data.shop]\ndsn_file = "{tmp_path / "dsn"}"\ninvariants = "{INVARIANTS}"\nbackups = "{data.folder.path}"\n'
    )
    return file


def bongsu(config: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bongsu", "data", *map(str, arguments), "--config", str(config)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=config.parent)


def test_from_damage_to_recovery(config: Path, tmp_path: Path, sql: Sql) -> None:
    said = bongsu(config, "verify")
    assert (said.returncode, said.stdout.splitlines()[-1][:16]) == (0, "13 of 13 hold, a")
    old, new = sql("SELECT min(id), max(id) FROM orders WHERE status = 'paid'")[0]
    for order in (old, new):
        for table in ("order_lines", "stock_history", "point_ledger"):
            sql(f"DELETE FROM {table} WHERE order_id = %s", order)
        sql("DELETE FROM orders WHERE id = %s", order)
    sql("UPDATE products SET stock = stock - 7 WHERE id = 9")

    said = bongsu(config, "verify", "--export", tmp_path / "damaged.csv")
    assert said.returncode == 1
    assert "damaged  stock-is-its-history: a product's stock is the sum of its history; " in said.stdout
    with (tmp_path / "damaged.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {"stock-is-its-history", "answered-orders-exist"} <= {each["invariant"] for each in rows}
    found = json.loads(bongsu(config, "verify", "--json").stdout)
    assert (found["good"], found["of"]) == (False, 13)

    said = bongsu(config, "diff", "latest")
    assert said.returncode == 1
    assert f"lost id {old}" in said.stdout
    assert f"lost id {new}" not in said.stdout, "it is younger than the backup"

    said = bongsu(config, "plan", "latest", "--out", tmp_path / "plan.sql")
    assert (said.returncode, said.stderr) == (0, "")
    assert "after:  13 of 13 hold on a copy" in said.stdout
    said = bongsu(config, "apply", tmp_path / "plan.sql")
    assert said.returncode == 2
    assert "read them, then say --confirm" in said.stderr
    said = bongsu(config, "apply", tmp_path / "plan.sql", "--confirm")
    assert (said.returncode, said.stderr) == (0, "")
    assert "recovery time" in said.stdout
    assert sql("SELECT count(*) FROM orders WHERE id IN (%s, %s) AND status = 'paid'", old, new) == [(2,)]
    assert bongsu(config, "verify").returncode == 0


def test_backup_and_list(config: Path) -> None:
    made = json.loads(bongsu(config, "backup", "--json").stdout)
    assert (made["holding"], made["fault"]) == ([13, 13], None)
    listed = json.loads(bongsu(config, "backups", "--json").stdout)
    assert listed[0]["file"] == made["file"]
    assert len(listed) == 2
    shown = bongsu(config, "backups").stdout
    assert made["file"] in shown
    assert "never" in shown


def test_a_window_goes_by_when_rows_were_written(config: Path, sql: Sql) -> None:
    sql("UPDATE users SET name = 'Nobody' WHERE id = 3")
    now = sql("SELECT now()")[0][0].isoformat()

    def names(*window: str) -> list[Any]:
        changes = json.loads(bongsu(config, "diff", "--json", *window).stdout)["changes"]
        return [each["columns"] for each in changes if each["table"] == "users" and each["kind"] == "damaged"]

    assert len(names("--until", now)) == 1
    assert names("--since", now) == []


def test_check_looks_at_the_data_in_care(config: Path) -> None:
    def findings() -> list[tuple[str, str]]:
        command = [sys.executable, "-m", "bongsu", "check", "--offline", "--json", "--config", str(config)]
        told = json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)
        return [(each["level"], each["what"]) for each in told["findings"] if each["where"] == "data.shop"]

    assert findings() == [("ok", "13 invariants"), ("warning", "no backup is scheduled")]
    config.write_text(config.read_text().replace("shop/invariants", "shop/none"))
    (fault,) = findings()
    assert fault[0] == "error"
    assert "no folder with invariants" in fault[1]


def test_all_faults_at_once(config: Path, tmp_path: Path) -> None:
    said = bongsu(config, "diff", "--since", "noon", "--until", "2026-01-05T20:00")
    assert said.returncode == 2
    assert said.stderr.count("error:") == 2
    said = bongsu(config, "restore", "latest")
    assert (said.returncode, "restore it with --beside" in said.stderr) == (2, True)
    said = bongsu(config, "restore", "no.dump", "--beside")
    assert (said.returncode, "there is no backup no.dump" in said.stderr) == (1, True)
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "a.sql").write_text("SELECT 1")
    (bad / "tables.toml").write_text("[x]\nrows = 'y'\n")
    config.write_text(f'[data.shop]\ndsn_file = "{tmp_path}/none"\ninvariants = "{bad}"\n')
    said = bongsu(config, "verify")
    assert said.returncode == 2
    for each in ("none cannot be read", "no line `-- name: ...`", "x.rows: 'y' is none of"):
        assert each in said.stderr
    config.write_text('[data.Shop]\ndsn = "a"\ndsn_file = "b"\ninvariants = "c"\nkeep = 0\nevery = "PT1S"\n')
    said = bongsu(config, "verify")
    assert (said.returncode, said.stderr.count("error:")) == (2, 4)
    config.write_text("")
    assert "there is no [data.NAME]" in bongsu(config, "verify").stderr
