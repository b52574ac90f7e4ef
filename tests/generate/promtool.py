"""Stories for ``promtool test rules``: what each machine measured, and which alerts fire when."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

STEP = 5
"""Seconds between scrapes, and between evaluations."""
Stretch = tuple[float | None, float]
"""A value (None: no sample) and for how many minutes it was measured."""


def measured(*stretches: Stretch) -> str:
    """A series' values in promtool's notation, one for each scrape."""
    words = []
    for value, minutes in stretches:
        count = round(minutes * 60 / STEP)
        if count:
            # a scrape that fails ends a series with a stale marker, as in a real Prometheus
            words.append(f"stale _x{count - 1}" if value is None else f"{value}+0x{count - 1}")
    return " ".join(words)


def counting(per_step: float, minutes: float, start: float = 0) -> str:
    """A counter's values."""
    return f"{start}+{per_step}x{round(minutes * 60 / STEP) - 1}"


@dataclass
class Story:
    """Series by selector, and at which minutes which alerts fire: ``BongsuBreachTier1 shop-1``."""

    series: dict[str, str] = field(default_factory=dict)
    fires: dict[float, set[str]] = field(default_factory=dict)
    values: list[tuple[float, str, float | None]] = field(default_factory=list)

    def cpu(self, *stretches: Stretch, machine: str = "shop-1") -> Story:
        """What a machine's CPU was, and that its target was up in the meantime."""
        self.series[f'system_cpu_usage{{job="application",instance="{machine}"}}'] = measured(*stretches)
        minutes = sum(each[1] for each in stretches)
        return self.up((1, minutes), machine=machine)

    def up(self, *stretches: Stretch, machine: str = "shop-1") -> Story:
        """Whether its scrapes worked."""
        self.series[f'up{{job="application",instance="{machine}"}}'] = measured(*stretches)
        return self

    def heartbeat(self, minutes: float, frozen_for: float = 0) -> Story:
        """Bongsu looked every five seconds for so long; then its gauge stood still for some minutes, then vanished."""
        values = counting(STEP, minutes)
        if frozen_for:
            values += " " + measured((minutes * 60 - STEP, frozen_for))
        self.series['bongsu_last_look_timestamp_seconds{job="bongsu",instance="bongsu:8080"}'] = values
        return self

    def also(self, selector: str, values: str) -> Story:
        """Any other series."""
        self.series[selector] = values
        return self

    def at(self, minute: float, *alerts: str) -> Story:
        """Exactly these alerts fire at this minute (the heartbeat's own left aside)."""
        self.fires[minute] = set(alerts)
        return self

    def value(self, minute: float, query: str, expected: float | None) -> Story:
        """A query has this value at this minute; None for no result."""
        self.values.append((minute, query, expected))
        return self


def as_test(rules: Path, story: Story, step: int = STEP) -> dict[str, Any]:
    """A test file for promtool."""
    checks: list[dict[str, Any]] = []
    for minute, alerts in sorted(story.fires.items()):
        samples = []
        for alert in sorted(alerts):
            name, _, machine = alert.partition(" ")
            instance = f', instance="{machine}"' if machine else ""
            samples.append({"labels": f'{{alertname="{name}"{instance}}}', "value": 1})
        query = 'count by (alertname, instance) (ALERTS{alertstate="firing",alertname!="BongsuHeartbeatMissing"})'
        checks.append({"expr": query, "eval_time": _at(minute), "exp_samples": samples})
    for minute, query, expected in story.values:
        samples = [] if expected is None else [{"labels": "{}", "value": expected}]
        checks.append({"expr": f"sum({query})", "eval_time": _at(minute), "exp_samples": samples})
    return {
        "rule_files": [str(rules)],
        # without it promtool takes the groups in any order, and what one records another may read a step later
        "group_eval_order": [group["name"] for group in yaml.safe_load(rules.read_text())["groups"]],
        "evaluation_interval": f"{step}s",
        "tests": [
            {
                "interval": f"{step}s",
                "input_series": [{"series": name, "values": values} for name, values in story.series.items()],
                "promql_expr_test": checks,
            }
        ],
    }


def _at(minute: float) -> str:
    return f"{round(minute * 60)}s"


def holds(folder: Path, rules: Path, story: Story, step: int = STEP) -> None:
    """Play a story to the rules; fails with promtool's own words. ``step``: seconds between scrapes."""
    assert story.fires or story.values, "a story without an ending proves nothing"
    file = folder / "story.yml"
    file.write_text(yaml.safe_dump(as_test(rules, story, step), sort_keys=False))
    told = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout + told.stderr


def as_rules(folder: Path, groups: Sequence[Mapping[str, Any]], recording: Mapping[str, Any]) -> Path:
    """Grafana's alert rules as rules of Prometheus, after the recording rules that they read."""
    kept = [{**group, "rules": [rule for rule in group["rules"] if "record" in rule]} for group in recording["groups"]]
    alerts = [
        {"alert": rule["title"].partition(" ")[0], "expr": rule["data"][0]["model"]["expr"], "labels": rule["labels"]}
        for group in groups
        for rule in group["rules"]
        if rule["for"] == "0s"
    ]
    file = folder / "grafana-rules.yml"
    text = {"groups": [*kept, {"name": "grafana", "interval": f"{STEP}s", "rules": alerts}]}
    file.write_text(yaml.safe_dump(text, sort_keys=False))
    return file
