"""What the lab writes is what HAProxy, Prometheus and Bongsu read; and its directory is its own."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bongsu import config
from bongsu.core.errors import InvalidInput
from bongsu.lab import haproxy, prometheus
from bongsu.lab.configuration import bongsu_toml, duration
from bongsu.lab.directory import LabDirectory, lab_directory
from bongsu.lab.loopback import is_free, is_loopback
from bongsu.lab.plan import LabPlan, plan_from_json
from bongsu.lab.policy import PolicyText
from bongsu.lab.programs import PACKAGES, find_program, find_programs
from bongsu.lab.site import Site, settle
from tests.lab.labtools import plan


@pytest.fixture
def site(root: Path) -> Site:
    directory = LabDirectory(root)
    directory.prepare()
    return settle(plan(), directory, find_programs(plan()), datetime(2026, 1, 5, tzinfo=UTC))


def test_haproxy_takes_its_configuration(site: Site) -> None:
    file = site.directory.root / "haproxy" / "haproxy.cfg"
    file.write_text(haproxy.configuration(site, {"m1": "127.0.0.1:1234", "m2": "127.0.0.1:1235"}))
    done = subprocess.run([site.programs.haproxy, "-c", "-f", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr


@pytest.mark.parametrize("with_bongsu", [True, False])
def test_prometheus_takes_its_configuration(site: Site, with_bongsu: bool) -> None:
    file = site.directory.root / "prometheus" / "prometheus.yml"
    file.write_text(prometheus.configuration(site, with_bongsu))
    prometheus.write_targets(site.directory.targets, {"m1": "127.0.0.1:1234"})
    promtool = shutil.which("promtool")
    assert promtool
    done = subprocess.run([promtool, "check", "config", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_bongsu_takes_its_configuration(site: Site) -> None:
    file = site.directory.root / "bongsu" / "bongsu.toml"
    file.write_text(bongsu_toml(site))
    read = config.load(file)
    assert read.timescale.speed == 60
    assert read.prometheus.scrape == timedelta(minutes=1)
    assert [tier.after for tier in read.policy["burst"].tier] == [timedelta(minutes=each) for each in (5, 20, 40)]
    assert tomllib.loads(file.read_text())["smtp"]["port"] == site.ports.smtp


def test_a_scenario_may_change_the_policy(root: Path) -> None:
    directory = LabDirectory(root)
    directory.prepare()
    policy = PolicyText(tiers=(5.0, 10.0, 15.5), ack_holds=0, flat_line=False, without_tier=2)
    changed = plan(policy=policy)
    assert plan_from_json(changed.to_json()) == changed
    read = tomllib.loads(
        bongsu_toml(settle(changed, directory, find_programs(changed), datetime(2026, 1, 5, tzinfo=UTC)))
    )
    burst = read["policy"]["burst"]
    assert [(tier["after"], tier["notify"]) for tier in burst["tier"]] == [
        ("PT5M", ["on-call:shop"]),
        ("PT930S", ["team:headquarters"]),
    ]
    assert (burst["ack_holds"], burst["flat_line"]) == ("PT0M", False)


def test_durations_are_iso_8601() -> None:
    assert duration(timedelta(minutes=1)) == "PT60S"
    assert duration(timedelta(milliseconds=1500)) == "PT1.5S"


@pytest.mark.parametrize(("speed", "seconds"), [(60, 1.0), (1, 5.0), (600, 1.0), (30, 2.0)])
def test_scrapes_are_a_lab_minute_within_bounds(speed: float, seconds: float) -> None:
    assert LabPlan(speed=speed).scrape_interval == seconds


def test_a_plan_travels_as_json() -> None:
    wanted = plan(machines=3, opening_balance=12.5)
    assert plan_from_json(wanted.to_json()) == wanted


def test_every_fault_of_a_plan_is_told_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        LabPlan(machines=0, size=99, speed=0, machine_type="none", throttle="magic")
    assert len(caught.value.problems) == 5


def test_all_missing_programs_are_named_at_once_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = ("haproxy", "initdb", "postgres")
    monkeypatch.setattr(
        "bongsu.lab.programs.find_program", lambda name: None if name in missing else f"/usr/bin/{name}"
    )
    with pytest.raises(InvalidInput) as caught:
        find_programs(plan(shop_command=("/nowhere/python",)))
    first, second = caught.value.problems
    assert "haproxy, initdb, postgres" in first
    assert "apt-get install --no-install-recommends haproxy postgresql " in first
    assert "/nowhere/python" in second


def test_every_program_is_here() -> None:
    assert all(find_program(name) for name in PACKAGES)


def test_a_directory_that_no_lab_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InvalidInput, match="no lab made"):
        lab_directory(tmp_path)


def test_a_fresh_start_keeps_secrets_and_what_is_not_the_labs(root: Path) -> None:
    directory = LabDirectory(root)
    directory.prepare()
    key = directory.secret("user_hash_key").read_text()
    assert directory.secret("user_hash_key").stat().st_mode & 0o077 == 0
    (root / "notes.txt").write_text("mine")
    (directory.root / "inbox" / "0001.eml").write_text("old")
    directory.prepare()
    assert directory.secret("user_hash_key").read_text() == key
    assert (root / "notes.txt").exists()
    assert not (root / "inbox" / "0001.eml").exists()


def test_a_directory_has_one_holder(root: Path) -> None:
    directory = LabDirectory(root)
    assert directory.holder() is None
    with directory.claim():
        assert directory.holder() is not None
        with pytest.raises(InvalidInput, match="in use by a running lab"):
            directory.claim()
    assert directory.holder() is None


def test_ports_are_free_and_distinct(site: Site) -> None:
    ports = [site.next_port() for _ in range(5)]
    assert len(set(ports)) == 5
    assert all(is_free(port) for port in ports)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:80", True),
        ("http://localhost:80/x", True),
        ("http://[::1]:80", True),
        ("http://127.0.0.1.example.com", False),
        ("http://10.0.0.1", False),
        ("https://127.0.0.1", False),
        ("http://127.0.0.1@example.com", False),
        ("file:///etc/passwd", False),
    ],
)
def test_loopback_is_loopback(url: str, expected: bool) -> None:
    assert is_loopback(url) is expected
