"""Every alert beside the tiers: ceiling, credits, flat line, pool, logs, machines, and Bongsu's heartbeat."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.generate.conftest import BALANCE, SHOP, generated
from tests.generate.promtool import STEP, Story, as_rules, counting, holds, measured

T1, T2, T3 = (f"BongsuBreachTier{level} shop-1" for level in (1, 2, 3))
MACHINE = 'job="application",instance="shop-1"'


def test_the_ceiling_calls_at_once_and_after_two_samples_in_a_row(rules: Path, tmp_path: Path) -> None:
    one, seconds = STEP / 60, 1 / 60
    story = Story().cpu((0.1, 2), (0.96, one), (0.5, 1), (0.96, 2))
    ceiling = "BongsuCeiling shop-1"
    holds(tmp_path, rules, story.at(2).at(3 + one).at(3 + 2 * one + seconds, ceiling).at(4, ceiling))


def test_just_below_the_ceiling_nobody_is_called(rules: Path, tmp_path: Path) -> None:
    holds(tmp_path, rules, Story().cpu((0.94, 4)).at(3.9))


def test_a_hole_between_two_high_samples_is_no_ceiling(rules: Path, tmp_path: Path) -> None:
    one = STEP / 60
    holds(tmp_path, rules, Story().cpu((0.96, one), (None, 0.5), (0.96, one), (0.1, 1)).at(one).at(0.6))


def test_a_low_balance_calls_while_a_breach_drains_it(rules_with_balance: Path, tmp_path: Path) -> None:
    """48 credits are half an hour at full burn on two processors with a baseline of 20 %."""
    story = Story().cpu((0.1, 2), (0.3, 2))
    story.also(f"burst_credit_balance{{{MACHINE}}}", measured((47.0, 4)))
    holds(tmp_path, rules_with_balance, story.at(1.9).at(2.1, "BongsuCreditsLow shop-1"))


def test_enough_balance_calls_nobody(rules_with_balance: Path, tmp_path: Path) -> None:
    story = Story().cpu((0.3, 4)).also(f"burst_credit_balance{{{MACHINE}}}", measured((49.0, 4)))
    holds(tmp_path, rules_with_balance, story.at(3.9))


def test_an_unknown_balance_is_not_an_empty_one(rules_with_balance: Path, tmp_path: Path) -> None:
    holds(tmp_path, rules_with_balance, Story().cpu((0.19, 2), (0.3, 2)).at(1.9).at(3.9))


def test_the_estimated_bucket_drains_at_the_predicted_slope(rules: Path, tmp_path: Path) -> None:
    """144 credits at first; 2 x (0.5 - 0.2) are spent in a minute, none while nothing is measured."""
    estimate = 'round(bongsu:credits_estimate{instance="shop-1"}, 0.01)'
    story = Story().cpu((0.5, 30), (None, 3), (0.2, 3)).up((1, 36))
    story.value(0, estimate, 144).value(10, estimate, 138).value(29, estimate, 126.6)
    holds(tmp_path, rules, story.value(32, estimate, None).value(35, estimate, 126.05))


def test_the_estimated_bucket_has_a_bottom_and_a_brim(rules: Path, tmp_path: Path) -> None:
    hours = 60.0
    story = Story({
        f"up{{{MACHINE}}}": f"1+0x{2000}",
        f"system_cpu_usage{{{MACHINE}}}": "1+0x120 0+0x1500",
    })  # fmt: skip
    story.value(2 * hours, "bongsu:credits_estimate", 0).value(26 * hours, "bongsu:credits_estimate", 576)
    holds(tmp_path, rules, story, step=60)


def test_credits_run_low_by_the_estimate(rules: Path, tmp_path: Path) -> None:
    """From 144 credits a full burn of 1.6 a minute is below 48 after an hour."""
    story = Story({f"up{{{MACHINE}}}": "1+0x70", f"system_cpu_usage{{{MACHINE}}}": "0.94+0x70"})
    low = 'count(ALERTS{alertname="BongsuCreditsLow"})'
    holds(tmp_path, rules, story.value(60, low, None).value(67, low, 1), step=60)


def test_the_flat_line_of_an_empty_bucket_is_told_and_goes_on_being_a_breach(
    rules_with_balance: Path, tmp_path: Path
) -> None:
    story = Story().cpu((0.6, 4), (0.195, 8))
    story.also(f"burst_credit_balance{{{MACHINE}}}", measured((100.0, 4), (0.4, 8)))
    flat = ("BongsuThrottled shop-1", "BongsuCreditsLow shop-1")
    holds(tmp_path, rules_with_balance, story.at(3.9).at(4.1, *flat).at(5, T1, *flat).at(11.9, T1, *flat))


def test_a_calm_machine_with_an_empty_bucket_is_not_on_the_flat_line(rules_with_balance: Path, tmp_path: Path) -> None:
    story = Story().cpu((0.1, 4)).also(f"burst_credit_balance{{{MACHINE}}}", measured((0.4, 4)))
    holds(tmp_path, rules_with_balance, story.at(3.9))


@pytest.mark.parametrize("signal", ["burst_throttled_ratio", "stolen_ratio"])
def test_throttling_or_steal_at_the_baseline_is_the_flat_line(
    rules_with_steal: Path, tmp_path: Path, signal: str
) -> None:
    story = Story().cpu((0.195, 4)).cpu((0.1, 4), machine="shop-2")
    for machine in ("shop-1", "shop-2"):
        story.also(f'{signal}{{job="application",instance="{machine}"}}', measured((0.05, 1), (0.6, 3)))
    holds(tmp_path, rules_with_steal, story.at(0.9).at(2, "BongsuThrottled shop-1"))


def test_a_time_out_of_the_pool_is_told_for_five_minutes(rules: Path, tmp_path: Path) -> None:
    story = Story().cpu((0.1, 9)).also(f'hikaricp_connections_timeout_total{{{MACHINE},pool="main"}}', "3+0x23 4+0x90")
    holds(tmp_path, rules, story.at(1.9).at(2.2, "BongsuPoolTimeouts shop-1").at(8))


def test_only_threads_that_wait_for_a_whole_minute_are_told(rules: Path, tmp_path: Path) -> None:
    pending = f'hikaricp_connections_pending{{{MACHINE},pool="main"}}'
    story = Story().cpu((0.1, 5)).also(pending, measured((2, 0.5), (0, 1), (2, 3.5)))
    holds(tmp_path, rules, story.at(0.4).at(2.2).at(2.6, "BongsuPoolPending shop-1"))


@pytest.mark.parametrize("level", ["error", "ERROR", "fatal"])
def test_an_error_in_the_log_is_told_and_a_warning_is_not(rules: Path, tmp_path: Path, level: str) -> None:
    story = Story().cpu((0.1, 4)).cpu((0.1, 4), machine="shop-2")
    story.also(f'logback_events_total{{{MACHINE},level="{level}"}}', "0+0x11 1+0x40")
    story.also('logback_events_total{job="application",instance="shop-2",level="warn"}', "0+5x50")
    holds(tmp_path, rules, story.at(0.9).at(1.2, "BongsuErrorLogs shop-1"))


def test_a_machine_that_answers_nothing_is_down_after_a_minute(rules: Path, tmp_path: Path) -> None:
    story = Story().cpu((0.1, 2), (None, 3)).up((1, 2), (0, 3))
    holds(tmp_path, rules, story.at(2.9).at(3.1, "BongsuInstanceDown shop-1"))


def test_an_application_that_answers_nothing_on_a_machine_that_is_still_seen(rules: Path, tmp_path: Path) -> None:
    holds(tmp_path, rules, Story().cpu((0.1, 5)).up((1, 2), (0, 3)).at(2.9).at(3.1, "BongsuApplicationDown shop-1"))


def test_a_machine_that_answers_without_its_cpu_is_blind(rules: Path, tmp_path: Path) -> None:
    story = Story().cpu((0.1, 2), (None, 3)).up((1, 5))
    holds(tmp_path, rules, story.at(2.9).at(3.2, "BongsuBlind shop-1"))


def test_a_new_machine_has_a_minute_to_boot(rules: Path, tmp_path: Path) -> None:
    story = Story().cpu((0.1, 5)).cpu((None, 3), (0.1, 2), machine="shop-2")
    story.up((None, 2), (0, 0.9), (1, 2.1), machine="shop-2")
    holds(tmp_path, rules, story.at(2.95).at(3.5).at(4.9))


def test_a_machine_that_was_removed_is_not_down(rules: Path, tmp_path: Path) -> None:
    story = Story().cpu((0.1, 6)).cpu((0.1, 2), (None, 4), machine="shop-2").up((1, 2), (None, 4), machine="shop-2")
    holds(tmp_path, rules, story.at(2.5).at(5))


def test_a_machine_that_was_down_when_it_was_removed_is_not_down_any_more(rules: Path, tmp_path: Path) -> None:
    story = Story().cpu((0.1, 6)).cpu((0.1, 2), (None, 4), machine="shop-2")
    story.up((1, 2), (0, 2), (None, 2), machine="shop-2")
    holds(tmp_path, rules, story.at(3.5, "BongsuInstanceDown shop-2").at(4.1))


def test_a_service_without_any_target_is_told(rules: Path, tmp_path: Path) -> None:
    story = Story().cpu((0.1, 2), (None, 3)).up((1, 2), (None, 3))
    holds(tmp_path, rules, story.at(2.5).at(3.2, "BongsuNoTargets"))


def test_nothing_is_told_of_an_empty_prometheus_that_has_just_started(rules: Path, tmp_path: Path) -> None:
    holds(tmp_path, rules, Story().at(0).at(0.9).at(1.2, "BongsuNoTargets"))


def test_bongsus_silence_is_told_after_two_minutes(rules: Path, tmp_path: Path) -> None:
    story = Story().cpu((0.1, 8)).heartbeat(3)
    firing = 'count(ALERTS{alertname="BongsuHeartbeatMissing",alertstate="firing"})'
    holds(tmp_path, rules, story.value(2.9, firing, None).value(3.9, firing, None).value(5.2, firing, 1))


@pytest.fixture
def grafana(tmp_path: Path) -> Path:
    """Grafana's rules, gated by the heartbeat, as rules of Prometheus."""
    files, _ = generated(tmp_path, SHOP + BALANCE)
    return as_rules(
        tmp_path,
        files["grafana/provisioning/alerting/bongsu.yaml"]["groups"],
        files["prometheus/rules/bongsu.yml"],
    )


def test_grafana_is_silent_while_bongsu_looks(grafana: Path, tmp_path: Path) -> None:
    story = Story().cpu((0.97, 45)).up((1, 45)).heartbeat(45)
    holds(tmp_path, grafana, story.at(1).at(10).at(44.9))


@pytest.mark.parametrize("frozen_for", [0.0, 10.0])
def test_all_three_tiers_are_told_at_once_when_bongsu_falls_silent_at_minute_50(
    grafana: Path, tmp_path: Path, frozen_for: float
) -> None:
    """Whether its gauge vanishes or stands still."""
    story = Story().cpu((0.3, 55)).heartbeat(50, frozen_for)
    holds(tmp_path, grafana, story.at(49.9).at(50.8).at(51.1, T1, T2, T3))


def test_a_breach_that_is_young_when_bongsu_falls_silent_tells_only_its_tier(grafana: Path, tmp_path: Path) -> None:
    story = Story().cpu((0.1, 40), (0.3, 15)).heartbeat(46)
    holds(tmp_path, grafana, story.at(45.9).at(47.1, T1).at(54.9, T1))


def test_grafana_falls_silent_again_when_bongsu_is_back(grafana: Path, tmp_path: Path) -> None:
    story = Story().cpu((0.3, 14))
    gauge = f"0+{STEP}x71 stale _x35 {9 * 60}+{STEP}x59"
    story.also('bongsu_last_look_timestamp_seconds{job="bongsu",instance="bongsu:8080"}', gauge)
    holds(tmp_path, grafana, story.at(5.9).at(7.2, T1).at(9.2).at(13.9))


def test_every_other_alert_of_grafanas_waits_for_the_silence_too(grafana: Path, tmp_path: Path) -> None:
    story = Story().cpu((0.97, 8)).heartbeat(4)
    story.also(f"burst_credit_balance{{{MACHINE}}}", measured((20.0, 8)))
    story.also(f'hikaricp_connections_pending{{{MACHINE},pool="main"}}', measured((2, 8)))
    story.also(f'hikaricp_connections_timeout_total{{{MACHINE},pool="main"}}', counting(1, 8))
    story.also(f'logback_events_total{{{MACHINE},level="error"}}', counting(1, 8))
    told = ("BongsuCeiling", "BongsuCreditsLow", "BongsuPoolPending", "BongsuPoolTimeouts", "BongsuErrorLogs")
    holds(tmp_path, grafana, story.at(3.9).at(5.1, T1, *(f"{each} shop-1" for each in told)))


def test_with_grafana_mails_it_waits_for_nothing(tmp_path: Path) -> None:
    files, _ = generated(tmp_path, SHOP, mails=True)
    rules = as_rules(
        tmp_path,
        files["grafana/provisioning/alerting/bongsu.yaml"]["groups"],
        files["prometheus/rules/bongsu.yml"],
    )
    holds(tmp_path, rules, Story().cpu((0.3, 6)).heartbeat(6).at(4.9).at(5.1, T1))
