"""The credits in pure PromQL, for those who run only Prometheus and Grafana, held against core/credits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from bongsu.catalogue import load_catalogue
from bongsu.core.burst import full_burn_runway, runway
from bongsu.core.credits import Credits, spend
from tests.generate.conftest import SHOP, rules_of
from tests.generate.promtool import Story, holds

MACHINE = load_catalogue()["lightsail:small-2GB"]
LABELS = 'job="application",instance="shop-1"'
COURSES = {
    "a sale that empties the bucket": ([(0.1, 90), (0.9, 150), (0.05, 120)], 144.0),
    "a saw": ([(0.6, 20), (0.1, 40)] * 5, 144.0),
    "just above the baseline": ([(0.21, 300)], 144.0),
}


def played(course: Sequence[tuple[float, int]], opening: float) -> tuple[list[float], list[float]]:
    """The balance and the CPU at each minute. A rule at minute m has integrated the samples from 1 to m."""
    used = [cpu for cpu, minutes in course for _ in range(minutes)]
    account, balances = Credits(earned=opening), [opening]
    for cpu in used[1:]:
        account = spend(account, MACHINE, cpu, 1)
        balances.append(account.balance)
    return balances, used


def within(story: Story, minute: float, query: str, expected: float, off: float) -> None:
    """The query is known then and at most so far off."""
    story.value(minute, f"abs({query} - {expected:.6f}) <= bool {off:.6f}", 1)


@pytest.mark.parametrize("name", COURSES)
def test_balance_and_both_runways_are_those_of_the_core(rules: Path, tmp_path: Path, name: str) -> None:
    course, opening = COURSES[name]
    balances, used = played(course, opening)
    series = " ".join(f"{cpu}+0x{minutes - 1}" for cpu, minutes in course)
    story = Story({f"up{{{LABELS}}}": f"1+0x{len(used)}", f"system_cpu_usage{{{LABELS}}}": series})
    for minute in range(59, len(used), 17):
        balance = balances[minute]
        within(story, minute, "bongsu:credits", balance, 0.01)
        within(story, minute, "bongsu:runway_seconds", full_burn_runway(balance, MACHINE).total_seconds(), 1)
        # Prometheus 2 counts the sample at the beginning of an hour too, Prometheus 3 does not
        hours = [used[max(0, minute - steps) : minute + 1] for steps in (59, 60)]
        lasts = [runway(balance, MACHINE, sum(hour) / len(hour)) for hour in hours]
        if lasts == [None, None]:
            story.value(minute, "bongsu:pace_seconds", None)
        known = [each.total_seconds() for each in lasts if each is not None]
        if len(known) == 2:
            within(story, minute, "bongsu:pace_seconds", sum(known) / 2, abs(known[0] - known[1]) / 2 + 1)
    holds(tmp_path, rules, story, step=60)


def test_stolen_time_is_nobodys_spending(tmp_path: Path) -> None:
    signals = """
[service.shop.signals]
steal = 'stolen_ratio{job="$job"}'
"""
    story = Story({
        f"up{{{LABELS}}}": "1+0x120",
        f"system_cpu_usage{{{LABELS}}}": "0.5+0x120",
        f"stolen_ratio{{{LABELS}}}": "0.2+0x120",
    })  # fmt: skip
    left = 144 - 60 * 2 * (0.3 - 0.2)
    within(story, 60, "bongsu:credits", left, 0.01)
    within(story, 60, "bongsu:pace_seconds", left / 0.2 * 60, 1)
    holds(tmp_path, rules_of(tmp_path, SHOP + signals), story, step=60)
