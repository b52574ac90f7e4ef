"""The configuration: every fault at once, each with its place and what to do."""

from __future__ import annotations

from datetime import time, timedelta
from pathlib import Path

import pytest

from bongsu.bootstrap import directory_of, policy_of, service_of
from bongsu.cli.check import asleep, unreachable
from bongsu.config import load
from bongsu.config.rosters import length
from bongsu.core.errors import InvalidInput
from bongsu.core.rotation import Hours

GOOD = """
[service.shop]
machine = "lightsail:small-2GB"
policy = "burst"
balancer = { kind = "haproxy", socket = "/run/haproxy.sock", backend = "shop" }

[policy.burst]
tier = [
  { after = "PT5M", notify = ["on-call:shop"] },
  { after = "PT20M", notify = ["team:commerce"] },
]
ceiling = { notify = ["on-call:shop"] }

[person.jimin]
name = "Kim Jimin"
locale = "ko"
contact = [{ email = "jimin@example.com" }]

[team.commerce]
name = "Commerce"
members = ["jimin"]

[schedule.shop]
rotation = { people = ["jimin"], every = "P7D", from = "2026-01-05T09:00:00+09:00" }
"""


def faults(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "bongsu.toml"
    file.write_text(text)
    with pytest.raises(InvalidInput) as caught:
        load(file)
    return [problem.removeprefix(f"{file}: ") for problem in caught.value.problems]


def test_a_good_file_becomes_core_values(tmp_path: Path) -> None:
    file = tmp_path / "bongsu.toml"
    file.write_text(GOOD)
    config = load(file)
    service = service_of("shop", config.service["shop"], config)
    assert service.policy.tiers[1].after == timedelta(minutes=20)
    assert service.policy.throttled == ("on-call:shop",), "what has no target of its own calls the first tier"
    assert service.stale == timedelta(seconds=15)
    assert "system_cpu_usage" in service.signals["cpu"]
    assert directory_of(config).teams["commerce"].members == ("jimin",)
    assert policy_of("burst", config.policy["burst"]).ceiling is not None


def test_every_fault_is_listed_at_once_with_its_place(tmp_path: Path) -> None:
    text = (
        GOOD.replace("policy = ", "polcy = ").replace("PT20M", "20 minutes").replace('name = "Kim Jimin"', "name = 7")
    )
    found = faults(tmp_path, text + '[smtp]\nport = "mail"\n')
    assert any(each.startswith("service.shop.polcy: unknown key; did you mean policy?") for each in found)
    assert any(each.startswith("service.shop.policy: missing") for each in found)
    assert any(each.startswith("policy.burst.tier[2].after: ") and "PT5M" in each for each in found)
    assert any(each.startswith("person.jimin.name: ") for each in found)
    assert any(each.startswith("smtp.port: ") for each in found)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("lightsail:small-2GB", "lightsail:smal-2GB", "did you mean 'lightsail:small-2GB'"),
        ('policy = "burst"', 'policy = "brst"', "did you mean 'burst'"),
        ("on-call:shop", "oncall:shop", "is not on-call:NAME"),
        ("team:commerce", "team:comerce", "did you mean 'commerce'"),
        ("PT20M", "PT2M", "must rise"),
        ('locale = "ko"', 'locale = "fr"', "use en or ko"),
        ("jimin@example.com", "jimin example.com", "is not an address"),
        ('people = ["jimin"]', 'people = ["jimmy"]', "there is no people 'jimmy'"),
        ("+09:00", "", "time zone"),
        ('kind = "haproxy"', 'kind = "nginx"', "service.shop.balancer"),
    ],
)
def test_a_name_that_leads_nowhere_is_found(tmp_path: Path, old: str, new: str, expected: str) -> None:
    found = faults(tmp_path, GOOD.replace(old, new))
    assert any(expected in each for each in found), found


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("[person.a]\nname = 'A'\ncontact = [{}]", "person.a.contact: write either email"),
        ("[person.a]\nname = 'A'\ncontact = [{ channel = 'opps' }]", "there is no channel 'opps'; did you mean 'ops'?"),
        ("[alerts]\nsecond_channel = 'chat'", "alerts.second_channel: there is no channel 'chat'; known: ops"),
        ("[alerts]\nsecond_after = 'PT0S'\ndigest_over = 0", "alerts.digest_over: must be at least 1"),
        ("[smtp]\nconnections = 17", "smtp.connections: must be 1 to 16, not 17"),
        ("[smtp]\ntimeout = 60.0", "smtp.timeout: must be above 0 and at most"),
        ("[smtp]\nuser = 'bongsu'", "smtp.user and smtp.password_file: give both"),
        ("[channel.'a b']\nurl_file = 'x'", "channel.a b: a name has letters"),
    ],
)
def test_what_is_wrong_with_delivery_is_found(tmp_path: Path, more: str, expected: str) -> None:
    good = GOOD + "\n[channel.ops]\nurl_file = 'url'\n"
    clashing = more.partition("\n")[0]
    assert clashing not in good, "a table may stand once"
    found = faults(tmp_path, good + more + "\n")
    assert any(expected in each for each in found), found


def test_a_missing_file_and_broken_toml_say_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="--config"):
        load(tmp_path / "none.toml")
    assert "not valid TOML" in faults(tmp_path, "[service")[0]


def test_check_names_a_tier_that_reaches_nobody(tmp_path: Path) -> None:
    file = tmp_path / "bongsu.toml"
    file.write_text(GOOD.replace('contact = [{ email = "jimin@example.com" }]', ""))
    found = [each.what for each in unreachable(load(file))]
    assert any("tier 1 reaches nobody" in each for each in found)
    assert any("tier 2 reaches nobody" in each for each in found)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('every = "P7D"', 'every = "a week"', "a week is P7D"),
        ('every = "P7D"', 'every = "PT5M"', "at least 15 minutes"),
        ('every = "P7D"', 'every = "P7D", only = ["mon-fryday"]', "is no part of a week"),
        ('every = "P7D"', 'every = "P7D", only = ["mon-fry 09:00-18:00"]', "there is no day 'fry'"),
        ("[schedule.shop]", '[schedule.shop]\ntime_zone = "Asia/Soul"', "there is no 'Asia/Soul'"),
        ("[schedule.shop]", "[schedule.night]\n[schedule.shop]", "schedule.night: nobody takes turns"),
        ("[schedule.shop]", '[contacts]\nverify_every = "PT2H"\n[schedule.shop]', "is not in days"),
        ("[schedule.shop]", '[contacts]\nweekday = "monday"\n[schedule.shop]', "there is no 'monday'"),
        ("[schedule.shop]", '[contacts]\nreport_to = ["team:none"]\n[schedule.shop]', "there is no team 'none'"),
        ("[schedule.shop]", '[readiness]\nmail_every = "P7D"\nat = "9"\n[schedule.shop]', "is no time of day"),
        ("[schedule.shop]", '[readiness]\nmail_every = "P7D"\n[schedule.shop]', "readiness.mail_to: missing"),
    ],
)
def test_a_faulty_schedule_says_what_to_write(tmp_path: Path, old: str, new: str, expected: str) -> None:
    found = faults(tmp_path, GOOD.replace(old, new))
    assert any(expected in each for each in found), found


def test_days_are_the_calendars_and_hours_are_exact() -> None:
    assert length("P7D") == length("P1W") == (timedelta(days=7), True)
    assert length("PT168H") == (timedelta(days=7), False)
    assert length("P1DT12H") == (timedelta(hours=36), False)


def test_layers_and_local_times_come_out_of_the_file(tmp_path: Path) -> None:
    more = """
[schedule.around]
time_zone = "Europe/Berlin"
rotation = { people = ["jimin"], every = "P7D", from = 2026-01-05T09:00:00 }
[[schedule.around.layer]]
people = ["jimin"]
every = "P1D"
from = 2026-01-05T00:00:00Z
only = ["fri-mon 22:00-07:00", "sat,sun"]
"""
    file = tmp_path / "bongsu.toml"
    file.write_text(GOOD + more)
    schedule = directory_of(load(file)).schedules["around"]
    assert schedule.layers[0].beat.at(20).hour == 7  # in May 09:00 in Berlin is 07:00 UTC
    assert schedule.layers[1].only == (
        Hours(frozenset({4, 5, 6, 0}), time(22), time(7)),
        Hours(frozenset({5, 6}), time(0), time(0)),
    )


def test_quiet_hours_and_severity(tmp_path: Path) -> None:
    quiet = 'quiet = { hours = ["22:00-07:00", "sat,sun"], unless = "critical" }\ntime_zone = "Asia/Seoul"\n'
    good = GOOD.replace('name = "Kim Jimin"\n', 'name = "Kim Jimin"\n' + quiet)
    good = good.replace("[policy.burst]\n", '[policy.burst]\nseverity = "warning"\n')
    file = tmp_path / "bongsu.toml"
    file.write_text(good)
    config = load(file)
    found = directory_of(config).people["jimin"].quiet
    assert found is not None
    assert str(found.zone) == "Asia/Seoul"
    said = "the quiet hours of Kim Jimin: severity {}, they are woken by critical"
    assert [each.what for each in asleep(config)] == ["tier 2 waits for the end of " + said.format("warning")]
    file.write_text(good.replace('severity = "warning"', 'severity = "critical"'))
    assert [each.what for each in asleep(load(file))] == ["tier 2 is told in " + said.format("critical")]
    wrong = good.replace('"22:00-07:00", "sat,sun"', '"sat-sun 25:00"')
    assert faults(tmp_path, wrong)[0].startswith("person.jimin.quiet.hours: 'sat-sun 25:00' is no part of a week")
    wrong = good.replace('"22:00-07:00", "sat,sun"', '"mon-fri", "sat,sun"')
    assert "leave no hour of the week free" in faults(tmp_path, wrong)[0]
    assert "unless" in faults(tmp_path, good.replace('unless = "critical"', 'unless = "loud"'))[0]
