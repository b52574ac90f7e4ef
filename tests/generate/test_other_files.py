"""prometheus.yml, alertmanager.yml and what is said about signals that are not there."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from bongsu.core.errors import InvalidInput
from bongsu.profiles import shipped
from tests.generate.conftest import BALANCE, SHOP, generated

TWO = (
    SHOP.replace("[policy.burst]", '[service.api]\njob = "api"\nmachine = "ec2:t3.medium"\npolicy = "burst"\n'
                 'profile = "opentelemetry"\nmetrics_path = "/metrics"\n\n[policy.burst]', 1)
)  # fmt: skip


def checked(*command: str) -> None:
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr


WATCHDOG = SHOP + '[heartbeat.prometheus]\nexpect_every = "PT1M"\nwatchdog = true\n'
NAMES = ["estimate", "balance", "two services", "watchdog"]


@pytest.mark.parametrize("text", [SHOP, SHOP + BALANCE, TWO, WATCHDOG], ids=NAMES)
def test_promtool_and_amtool_find_no_fault(tmp_path: Path, text: str) -> None:
    generated(tmp_path, text)
    checked("promtool", "check", "config", str(tmp_path / "out/prometheus/prometheus.yml"))
    checked("promtool", "check", "rules", "--lint-fatal", str(tmp_path / "out/prometheus/rules/bongsu.yml"))
    checked("amtool", "check-config", str(tmp_path / "out/alertmanager/alertmanager.yml"))


@pytest.mark.parametrize("profile", sorted(shipped()))
def test_every_profile_gives_rules_that_promtool_takes(tmp_path: Path, profile: str) -> None:
    generated(tmp_path, SHOP.replace("machine = ", f'profile = "{profile}"\nmachine = ', 1))
    checked("promtool", "check", "rules", "--lint-fatal", str(tmp_path / "out/prometheus/rules/bongsu.yml"))


def alerts_in(files: dict[str, Any]) -> set[str]:
    groups = files["prometheus/rules/bongsu.yml"]["groups"]
    return {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}


def test_a_signal_that_the_profile_lacks_has_no_rule_and_a_sentence(tmp_path: Path) -> None:
    files, notices = generated(tmp_path, SHOP.replace("machine = ", 'profile = "node-exporter"\nmachine = ', 1))
    assert not alerts_in(files) & {"BongsuPoolTimeouts", "BongsuPoolPending", "BongsuErrorLogs"}
    assert {"BongsuBreachTier1", "BongsuThrottled", "BongsuCreditsLow"} <= alerts_in(files)
    assert any("no signal pool_timeouts" in notice and "no alert" in notice for notice in notices)


def test_a_heartbeat_that_prometheus_owes_is_a_rule_that_always_fires_and_mails_nobody(tmp_path: Path) -> None:
    files, _ = generated(tmp_path, WATCHDOG)
    rules = [rule for group in files["prometheus/rules/bongsu.yml"]["groups"] for rule in group["rules"]]
    (rule,) = (each for each in rules if each.get("alert") == "BongsuWatchdog")
    assert (rule["expr"], rule["labels"]["bongsu_heartbeat"], "for" in rule) == ("vector(1)", "prometheus", False)
    assert "bongsu_service" not in rule["labels"]
    alertmanager = files["alertmanager/alertmanager.yml"]
    assert alertmanager["route"]["routes"][0] == {"receiver": "nobody", "matchers": ['bongsu_heartbeat!=""']}
    assert {"name": "nobody"} in alertmanager["receivers"]
    assert "BongsuWatchdog" not in alerts_in(generated(tmp_path, SHOP)[0])


def test_without_a_cpu_there_are_no_tiers_and_it_says_so(tmp_path: Path) -> None:
    text = SHOP.replace("machine = ", 'profile = "bare"\nmachine = ', 1) + "\n[profile.bare]\n"
    files, notices = generated(tmp_path, text)
    assert alerts_in(files) == {"BongsuHeartbeatMissing", "BongsuInstanceDown", "BongsuNoTargets"}
    assert any("no signal cpu" in notice and "[service.shop.signals]" in notice for notice in notices)
    checked("promtool", "check", "rules", str(tmp_path / "out/prometheus/rules/bongsu.yml"))


def test_prometheus_scrapes_the_service_every_five_seconds_and_tells_bongsu(tmp_path: Path) -> None:
    found = generated(tmp_path, SHOP)[0]["prometheus/prometheus.yml"]
    jobs = {each["job_name"]: each for each in found["scrape_configs"]}
    assert list(jobs) == ["application", "bongsu", "prometheus", "haproxy"]
    assert jobs["application"]["metrics_path"] == "/actuator/prometheus"
    assert jobs["application"]["static_configs"] == [{"targets": ["shop-1:8080", "shop-2:8080"]}]
    assert found["global"]["scrape_interval"] == "5s"
    assert found["alerting"]["alertmanagers"][0]["static_configs"] == [{"targets": ["bongsu:8080"]}]


def test_a_machine_is_called_by_its_host_unless_two_targets_share_one(tmp_path: Path) -> None:
    def relabelled(text: str) -> bool:
        return "relabel_configs" in generated(tmp_path, text)[0]["prometheus/prometheus.yml"]["scrape_configs"][0]

    assert relabelled(SHOP)
    assert not relabelled(SHOP.replace("shop-2:8080", "shop-1:8081"))


def test_a_service_found_elsewhere_has_no_scrape_job_and_a_sentence(tmp_path: Path) -> None:
    files, notices = generated(tmp_path, SHOP.replace('targets = ["shop-1:8080", "shop-2:8080"]', ""))
    jobs = [each["job_name"] for each in files["prometheus/prometheus.yml"]["scrape_configs"]]
    assert jobs == ["bongsu", "prometheus", "haproxy"]
    assert any("does not scrape job 'application'" in notice for notice in notices)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("haproxy = [", "bongsu = [", "Bongsu's own"),
        ("haproxy = [", "application = [", "is a service's already"),
        ("[service.shop]", '[service."sh$op"]', "rename it"),
        ('job = "application"', "job = 'a\"b'", "rename the job"),
    ],
)
def test_names_that_cannot_be_written_are_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said.replace("'", ".")):
        generated(tmp_path, SHOP.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('["22:00-07:00"]', '["22:00-7"]', "22:00-07:00"),
        ("Asia/Seoul", "Asia/Sole", "Asia/Seoul"),
        ("haproxy:8405", "http://haproxy", "host:port"),
    ],
)
def test_quiet_hours_and_jobs_are_checked(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        generated(tmp_path, SHOP.replace(old, new, 1))


def test_a_tier_that_nobody_is_behind_goes_up_to_the_next(tmp_path: Path) -> None:
    text = SHOP.replace('contact = [{ email = "commerce@example.com" }]', "").replace(
        'members = ["jimin", "sora"]', "members = []"
    )
    files, notices = generated(tmp_path, text)
    routes = files["alertmanager/alertmanager.yml"]["route"]["routes"]
    assert [each["receiver"] for each in routes] == ["on-call:shop", "team:headquarters", "team:headquarters"]
    assert any("team:commerce has no address" in notice for notice in notices)


def test_a_policy_that_reaches_nobody_is_refused(tmp_path: Path) -> None:
    text = "\n".join(line for line in SHOP.splitlines() if not line.startswith("contact"))
    with pytest.raises(InvalidInput, match="nobody in any tier has an address"):
        generated(tmp_path, text)


def test_alertmanager_writes_to_each_address_by_itself_over_the_same_relay(tmp_path: Path) -> None:
    relay = (
        '\n[smtp]\nhost = "relay"\nport = 587\ntls = "starttls"\nuser = "bongsu"\n'
        'password_file = "/run/secrets/smtp"\nfrom = "bongsu@example.com"\n'
    )
    found = generated(tmp_path, SHOP + relay)[0]["alertmanager/alertmanager.yml"]
    assert found["global"] == {
        "smtp_smarthost": "relay:587",
        "smtp_from": "bongsu@example.com",
        "smtp_require_tls": True,
        "smtp_auth_username": "bongsu",
        "smtp_auth_password_file": "/run/secrets/smtp",
    }
    receivers = {each["name"]: each["email_configs"] for each in found["receivers"]}
    assert [each["to"] for each in receivers["on-call:shop"]] == ["jimin@example.com", "sora@example.com"]
