"""``bongsu policy backtest`` on files: figures for people and machines, and every fault at once."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bongsu.cli.main import app
from bongsu.core.errors import InvalidInput

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
SMALL = ["--machine", "lightsail:small-2GB"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def written(path: Path, days: int = 9, percent: bool = True) -> Path:
    rows = ["timestamp,value"]
    for step in range(days * 288):
        value = 80.0 if 200 <= step % 288 < 280 else 5.0
        at = BEGIN + step * timedelta(minutes=5)
        rows.append(f"{at:%Y-%m-%d %H:%M:%S},{value if percent else value / 100}")
    path.write_text("\n".join(rows) + "\n")
    return path


def run(*arguments: str) -> str:
    found = CliRunner().invoke(app, ["policy", "backtest", *arguments], catch_exceptions=False)
    assert found.exit_code == 0
    return found.output


def faults(*arguments: str) -> str:
    with pytest.raises(InvalidInput) as caught:
        CliRunner().invoke(app, ["policy", "backtest", *arguments], catch_exceptions=False)
    return "\n".join(caught.value.problems)


def test_the_table_says_who_would_have_been_told(tmp_path: Path) -> None:
    told = run("--csv", str(written(tmp_path / "shop-1.csv")), *SMALL)
    assert "the credits were gone" in told
    for word in ("tier 1", "tier 3", "early warning", "shop-1: minutes before", "skill", "values above 1"):
        assert word in told


def test_the_same_as_data(tmp_path: Path) -> None:
    both = ["--csv", str(written(tmp_path / "a.csv")), "--csv", str(written(tmp_path / "b.csv", percent=False))]
    told = json.loads(run(*both, *SMALL, "--json", "--nuisance", "1"))
    assert told["machines"] == 2
    by_machine = {name: [each["at"] for each in told["exhaustions"] if each["machine"] == name] for name in "ab"}
    assert by_machine["a"] == by_machine["b"] != []
    assert told["proposed"]["for_nuisance_hours_a_week"] == 1
    assert {each["rule"] for each in told["rules"]} >= {"tier 1", "ceiling", "runway", "early warning"}


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    bad, empty = tmp_path / "bad.csv", tmp_path / "empty.csv"
    bad.write_text("timestamp,value\n2026-03-01 00:00:00,0.1\nyesterday,0.2\n")
    empty.write_text("timestamp,value\n")
    told = faults("--csv", str(bad), "--csv", str(empty), "--csv", str(tmp_path / "none.csv"), *SMALL)
    assert "bad.csv:3" in told
    assert "empty.csv: there is no point in it" in told
    assert "none.csv: cannot be read" in told


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "--machine is missing"),
        (["--machine", "t3.smal"], "did you mean 'ec2:t3.small'"),
        (SMALL, "either --csv FILE"),
        ([*SMALL, "--since", "30d"], "name it with --config"),
    ],
)
def test_what_is_missing_is_named(arguments: list[str], expected: str) -> None:
    assert expected in faults(*arguments)


def test_a_machine_type_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "bongsu.toml").write_text(
        """
[service.shop]
machine = "tencent:s1"
policy = "burst"

[machine."tencent:s1"]
vcpus = 2
baseline = 0.2

[policy.burst]
tier = [{ after = "PT5M", notify = ["person:jimin"] }]

[person.jimin]
name = "Kim Jimin"
contact = [{ email = "jimin@example.com" }]
"""
    )
    told = json.loads(run("--csv", str(written(tmp_path / "a.csv")), "--json"))
    assert told["machine"] == "tencent:s1"
    assert told["rules"][0]["notify"] == ["person:jimin"]


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("vcpus = 2\nbaseline = 20.0", "baseline 20.0 must lie between 0 and 1"),
        ("vcpus = 2\nbaseline = 0.2\ncap = 99", "cap 99 is not 24 * earn_per_hour"),
        ('vcpus = 2\nbaseline = 0.2\nmode = "endless"', "machine.x.mode"),
        ("vcpus = 2\nbaseline = 0.2\nlaunch = 3", "unknown key"),
    ],
)
def test_a_wrong_machine_type_is_refused(tmp_path: Path, section: str, expected: str) -> None:
    (tmp_path / "bongsu.toml").write_text(f"[machine.x]\n{section}\n")
    assert expected in faults("--csv", str(written(tmp_path / "a.csv")), *SMALL)
