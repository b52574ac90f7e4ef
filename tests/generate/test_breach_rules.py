"""The breach clock in PromQL: the tiers' times, dips, gaps, and the same answer as the clock in core."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bongsu.core.breach import BreachClock, Point, advance, look_around
from bongsu.core.burst import MachineType
from bongsu.core.policy import Policy, Tier
from tests.generate.conftest import SHOP, rules_of
from tests.generate.promtool import STEP, Story, Stretch, counting, holds

T1, T2, T3 = (f"BongsuBreachTier{level} shop-1" for level in (1, 2, 3))
SECONDS = 'bongsu:breach_seconds{instance="shop-1"}'


def test_each_tier_fires_when_its_time_has_come(rules: Path, tmp_path: Path) -> None:
    story = Story().cpu((0.1, 5), (0.3, 42))
    story.at(9.9).at(10, T1).at(24.9, T1).at(25, T1, T2).at(44.9, T1, T2).at(45, T1, T2, T3)
    holds(tmp_path, rules, story)


@pytest.mark.parametrize("cpu", [0.19, 0.2])
def test_nothing_fires_at_19_percent_nor_at_the_baseline_itself(rules: Path, tmp_path: Path, cpu: float) -> None:
    holds(tmp_path, rules, Story().cpu((cpu, 45)).at(6).at(21).at(44.9))


def test_a_young_series_does_not_fire_early(rules: Path, tmp_path: Path) -> None:
    story = Story().cpu((0.1, 30)).cpu((None, 20), (0.3, 6), machine="shop-2").up((None, 20), (1, 6), machine="shop-2")
    holds(tmp_path, rules, story.at(24.9).at(25, "BongsuBreachTier1 shop-2"))


def test_a_dip_shorter_than_settle_counts_as_duration(rules: Path, tmp_path: Path) -> None:
    story = Story().cpu((0.3, 4), (0.1, 1.9), (0.3, 16)).at(5.8).at(5.95, T1).at(19.9, T1).at(20, T1, T2)
    holds(tmp_path, rules, story)


def test_settle_is_measured_from_the_first_sample_below_the_limit(rules: Path, tmp_path: Path) -> None:
    """24 samples below span 1:55 and are a dip; 25 span two minutes, which is ``settle``."""
    one = STEP / 60
    story = Story().cpu((0.3, 4), (0.1, 2), (0.3, 3)).cpu((0.3, 4), (0.1, 2 + one), (0.3, 3), machine="shop-2")
    holds(tmp_path, rules, story.at(8.9, T1))


def test_a_longer_dip_ends_the_breach(rules: Path, tmp_path: Path) -> None:
    story = Story().cpu((0.3, 4), (0.1, 2.5), (0.3, 6)).at(6.6).at(11.4).at(11.5, T1).value(6.3, SECONDS, None)
    holds(tmp_path, rules, story)


def test_a_tier_is_not_told_for_the_time_of_a_dip(rules: Path, tmp_path: Path) -> None:
    """Over for 4.5 minutes, calm since: half a minute of calm does not make it five."""
    holds(tmp_path, rules, Story().cpu((0.3, 4.5), (0.1, 5)).at(5.2).at(6.4).at(9))


def test_missing_samples_neither_end_a_breach_nor_hold_up_its_tiers(rules: Path, tmp_path: Path) -> None:
    story = Story().cpu((0.3, 4), (None, 30), (0.3, 7)).up((1, 4), (0, 30), (1, 7))
    down = "BongsuInstanceDown shop-1"
    story.at(4.9).at(5.9, T1, down).at(19.9, T1, down).at(20, T1, T2, down).at(40.5, T1, T2, T3)
    holds(tmp_path, rules, story)


def test_missing_samples_start_nothing(rules: Path, tmp_path: Path) -> None:
    story = Story().cpu((0.1, 4), (None, 20), (0.3, 6)).up((1, 4), (0, 20), (1, 6))
    holds(tmp_path, rules, story.at(23.9, "BongsuInstanceDown shop-1").at(28.9).at(29, T1))


@pytest.mark.parametrize("value", ["NaN", "-1"])
def test_not_a_number_and_minus_one_are_missing_and_not_a_dip(rules: Path, tmp_path: Path, value: str) -> None:
    story = Story().cpu((0.3, 12))
    broken = f"0.3+0x35 {f'{value} ' * 48} 0.3+0x59"  # three minutes, four without, five
    story.also('system_cpu_usage{job="application",instance="shop-1"}', broken)
    blind = "BongsuBlind shop-1"
    holds(tmp_path, rules, story.at(3.9).at(4.9, blind).at(6.9, T1, blind).at(8, T1).at(11, T1))


def test_a_machine_that_is_no_target_any_more_leaves_the_breach(rules: Path, tmp_path: Path) -> None:
    story = Story().cpu((0.1, 12), machine="shop-2").cpu((0.3, 6), (None, 6)).up((1, 6), (None, 6))
    holds(tmp_path, rules, story.at(5.9, T1).at(6.2).at(11))


def test_one_machine_over_the_baseline_is_not_hidden_by_a_calm_one(rules: Path, tmp_path: Path) -> None:
    holds(tmp_path, rules, Story().cpu((0.3, 6)).cpu((0.01, 6), machine="shop-2").at(5.5, T1))


def test_a_lab_at_speed_60_has_its_tiers_in_wall_time(tmp_path: Path) -> None:
    fast = (
        SHOP.replace("[prometheus]", '[prometheus]\nscrape = "PT60S"')
        + '\n[timescale]\norigin = "2026-01-01T00:00:00Z"\nspeed = 60.0\n'
    )
    rules = rules_of(tmp_path, fast)
    story = Story({
        'up{job="application",instance="shop-1"}': "1+0x60",
        'system_cpu_usage{job="application",instance="shop-1"}': "0.3+0x60",
    })  # fmt: skip
    holds(tmp_path, rules, story.at(4 / 60).at(5 / 60, T1).at(20 / 60, T1, T2).at(40 / 60, T1, T2, T3), step=1)


@pytest.mark.parametrize("seed", range(6))
def test_the_clock_in_promql_agrees_with_the_one_in_core(rules: Path, tmp_path: Path, seed: int) -> None:
    """Random evenings with dips and gaps, looked at wherever both clocks have settled."""
    chance = random.Random(seed)
    stretches: list[Stretch] = []
    while sum(each[1] for each in stretches) < 40:
        stretches.append((chance.choice([0.1, 0.3, 0.3, 0.4, None]), chance.choice([0.5, 1, 1.5, 2.5, 4])))
    minutes = sum(each[1] for each in stretches)
    story = Story().cpu(*stretches).up((1, minutes))
    for minute, expected in _by_core(stretches):
        story.value(minute, SECONDS, expected)
    holds(tmp_path, rules, story)


def _by_core(stretches: list[Stretch]) -> list[tuple[float, float | None]]:
    """What core's clock says every half minute, where it says the same kind of thing shortly before and after."""
    machine, start = MachineType("test", 2, 0.2, 576), datetime(2026, 1, 1, tzinfo=UTC)
    policy = Policy("burst", (Tier(timedelta(minutes=5), ("on-call:shop",)),), rejoin=timedelta(0), flat_line=False)
    values = [value for value, minutes in stretches for _ in range(round(minutes * 60 / STEP))]
    clock, said, kinds = BreachClock(), [], []
    for number, value in enumerate(values):
        now = start + timedelta(seconds=number * STEP)
        if value is not None:
            clock, _ = advance(clock, [Point(now, "shop-1", value)], machine, policy)
        clock = look_around(clock, now, timedelta(seconds=15), policy, None)
        said.append(clock.elapsed(now).total_seconds() if clock.running else None)
        kinds.append((clock.running, clock.blind_since is not None))
    near = 5  # scrapes: missing is three of them for the clock in core, and at once for Prometheus
    return [
        (number * STEP / 60, said[number])
        for number in range(near, len(values) - near, 6)
        if len(set(kinds[number - near : number + near])) == 1
    ]


def test_counters_of_a_node_exporter_are_a_cpu_as_well(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, SHOP.replace("machine = ", 'profile = "node-exporter"\nmachine = ', 1))
    labels = 'job="application",instance="shop-1",cpu="0"'
    story = Story().up((1, 7))
    story.also(f'node_cpu_seconds_total{{{labels},mode="idle"}}', counting(0.6 * STEP, 7))
    story.also(f'node_cpu_seconds_total{{{labels},mode="user"}}', counting(0.4 * STEP, 7))
    holds(tmp_path, rules, story.at(4.9).at(5.5, T1))
