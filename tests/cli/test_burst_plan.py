"""``bongsu burst plan`` on files: the table, the sentences in both languages, the data, and every fault at once."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bongsu.cli.main import app
from bongsu.core.errors import InvalidInput

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
SMALL = ("--machine", "lightsail:small-2GB")


@pytest.fixture
def evening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Eight days of one machine with 70 % from 16:40 to 23:20, in percent."""
    monkeypatch.chdir(tmp_path)
    rows = ["timestamp,value"]
    for step in range(8 * 288):
        at = BEGIN + step * timedelta(minutes=5)
        rows.append(f"{at:%Y-%m-%d %H:%M:%S},{70 if 200 <= step % 288 < 280 else 5}")
    path = tmp_path / "shop-1.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def run(*arguments: str) -> str:
    found = CliRunner().invoke(app, ["burst", "plan", *arguments], catch_exceptions=False)
    assert found.exit_code == 0
    return found.output


def test_the_cheapest_fleet_that_never_runs_dry_is_proposed(evening: Path) -> None:
    told = json.loads(run("--csv", str(evening), *SMALL, "--json", "--locale", "en"))
    assert told["today"] == {"machine": "lightsail:small-2GB", "machines": 1, "carries": False, "fault": "mean"}
    assert told["best"] == {"machine": "lightsail:micro-1GB", "count": 3}
    by_type = {each["machine"]: each for each in told["options"]}
    small = by_type["lightsail:small-2GB"]
    assert (small["count"], small["month_price"], small["price_date"], small["price_region"]) == (
        2, 24, "2026-09-17", "all",
    )  # fmt: skip
    # 80 steps of five minutes at 35 %: 2 x (0.35 - 0.2) x 400 of 576 credits
    assert small["credits_lowest"] == pytest.approx(576 - 120)
    assert small["newcomer_waits_minutes"] == pytest.approx((5.76 + 120) / 0.4, abs=1)
    assert told["late"]["added"] == 3
    assert any(each.startswith("A new machine begins with 0 credits") for each in told["sentences"])


def test_the_table_and_its_sentences_in_korean(evening: Path) -> None:
    told = run("--csv", str(evening), *SMALL, "--locale", "ko")
    assert "충분한 구성: 3 x lightsail:micro-1GB" in told
    assert "2026-09-17 기준 Linux 정가, 모든 리전" in told
    assert "lightsail:2xlarge-32GB" in told


def test_unlimited_mode_is_weighed_against_machines_at_their_prices(evening: Path) -> None:
    cheap = ("--price", "ec2:t3.small=15.18")
    told = run("--csv", str(evening), "--machine", "ec2:t3.small", *cheap, "--type", "ec2:t3.small", "--locale", "en")
    assert "1 x ec2:t3.small do as well, for 2.23 USD a month of surplus credits" in told
    assert "That is the cheaper way: 17.41 USD in all." in told
    both = (*cheap, "--price", "ec2:t3.large=16")
    told = run("--csv", str(evening), "--machine", "ec2:t3.small", *both, "--locale", "en")
    assert "That is the dearer way: 17.41 USD in all against 16 USD." in told
    # 0.82 USD buy 16.4 vCPU-hours of surplus: 1.1 % of two vCPUs for a month
    assert "costs more than one ec2:t3.large once it uses more than 21 % on average" in told


def test_growth_and_a_floor(evening: Path) -> None:
    more = json.loads(run("--csv", str(evening), *SMALL, "--json", "--growth", "100", "--at-least", "4"))
    assert more["demand"]["vcpus_peak"] == pytest.approx(2.8)
    assert {each["count"] for each in more["options"]} == {4, 5, 10}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "either --csv FILE"),
        (("--type", "lightsail:smal-2GB"), "did you mean 'lightsail:small-2GB'"),
        (("--price", "12"), "write TYPE=AMOUNT"),
        (("--price", "lightsail:small-2GB=cheap"), "'cheap' is not an amount; write lightsail:small-2GB=12.50"),
        (("--locale", "fr"), "'fr' is not spoken here"),
    ],
)
def test_what_is_wrong_is_named(evening: Path, arguments: tuple[str, ...], expected: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        CliRunner().invoke(app, ["burst", "plan", *SMALL, *arguments], catch_exceptions=False)
    assert expected in "\n".join(caught.value.problems)


def test_a_file_without_a_usable_point_is_refused(evening: Path) -> None:
    evening.write_text("timestamp,value\n2026-03-01 00:00:00,nan\n")
    with pytest.raises(InvalidInput, match="no usable point"):
        CliRunner().invoke(app, ["burst", "plan", "--csv", str(evening), *SMALL], catch_exceptions=False)
