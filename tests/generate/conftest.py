"""A small shop's configuration, and the files that come out of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from bongsu import config
from bongsu.cli.generate import setup_of
from bongsu.generate.output import documents

SHOP = """
[service.shop]
job = "application"
machine = "lightsail:small-2GB"
policy = "burst"
targets = ["shop-1:8080", "shop-2:8080"]

[policy.burst]
tier = [
  { after = "PT5M",  notify = ["on-call:shop"] },
  { after = "PT20M", notify = ["team:commerce"] },
  { after = "PT40M", notify = ["team:headquarters"] },
]
ceiling = { at = 0.95, samples = 2, notify = ["on-call:shop"] }
runway  = { full_burn_under = "PT30M", notify = ["on-call:shop"] }

[person.jimin]
name = "Kim Jimin"
locale = "ko"
contact = [{ email = "jimin@example.com" }]

[person.sora]
name = "Park Sora"
contact = [{ email = "sora@example.com" }]

[team.commerce]
name = "Commerce"
members = ["jimin", "sora"]
contact = [{ email = "commerce@example.com" }]

[team.headquarters]
name = "Headquarters"
contact = [{ email = "headquarters@example.com" }, { email = "board@example.com" }]

[schedule.shop]
rotation = { people = ["jimin", "sora"], every = "P7D", from = "2026-01-05T09:00:00+09:00" }

[prometheus]
url = "http://prometheus:9090"
jobs = { haproxy = ["haproxy:8405"] }

[web]
address = "bongsu:8080"
public_url = "https://bongsu.example.com"

[grafana]
url = "http://grafana:3000"
prometheus_url = "http://prometheus:9090"
quiet_hours = ["22:00-07:00"]
time_zone = "Asia/Seoul"
"""
BALANCE = """
[service.shop.signals]
balance = 'burst_credit_balance{job="$job"}'
"""
STARVED = """
[service.shop.signals]
throttled = 'burst_throttled_ratio{job="$job"}'
steal = 'stolen_ratio{job="$job"}'
"""


def generated(folder: Path, text: str, *, mails: bool = False) -> tuple[dict[str, Any], list[str]]:
    """Every YAML file as data by its name, written below ``folder``, and the notices."""
    file = folder / "bongsu.toml"
    file.write_text(text)
    made, notices = documents(setup_of(config.load(file)), mails)
    for each in made:
        target = folder / "out" / each.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(each.text)
    return {each.name: yaml.safe_load(each.text) for each in made if each.sealed}, notices


def rules_of(folder: Path, text: str = SHOP) -> Path:
    """The rules file of a configuration."""
    generated(folder, text)
    return folder / "out/prometheus/rules/bongsu.yml"


@pytest.fixture(scope="session")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop's rules; credits are estimated from its CPU."""
    return rules_of(tmp_path_factory.mktemp("rules"))


@pytest.fixture(scope="session")
def rules_with_balance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop's rules where the provider tells the balance."""
    return rules_of(tmp_path_factory.mktemp("rules"), SHOP + BALANCE)


@pytest.fixture(scope="session")
def rules_with_steal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop's rules where throttling and steal are known."""
    return rules_of(tmp_path_factory.mktemp("rules"), SHOP + STARVED)
