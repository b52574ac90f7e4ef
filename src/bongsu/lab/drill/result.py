"""What a drill leaves behind: ``result.json`` and the runs side by side."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bongsu.core.drill import Expectation, Scenario, Verdict, verdict
from bongsu.lab.drill import figures, foresight
from bongsu.lab.drill.evening import Evening
from bongsu.lab.drill.scenarios import NOBODY


def result_of(scenario: Scenario, evenings: Sequence[Evening], expectations: Sequence[Expectation]) -> dict[str, Any]:
    """The whole result as plain values."""
    return {
        "scenario": scenario.name,
        "speed": scenario.speed,
        "verdict": verdict(expectations).value,
        "runs": [run_of(evening) for evening in evenings],
        "expectations": [expectation_of(each) for each in expectations],
        "physics": asdict(scenario),
    }


def expectation_of(each: Expectation) -> dict[str, Any]:
    """One expectation; ``pass`` is its outcome, ``disturbed`` whether the host took too much CPU meanwhile."""
    return {
        "run": each.run,
        "name": each.name,
        "expected": each.expected,
        "seen": each.seen,
        "pass": each.passed,
        "steal": round(each.steal, 4),
        "disturbed": each.disturbed,
    }


def run_of(evening: Evening) -> dict[str, Any]:
    """One run's figures. Seconds are lab seconds unless a name says otherwise."""
    last = evening.governor[-1]["machines"] if evening.governor else {}
    empty = [row for row in evening.governor if any(each["empty"] for each in row["machines"].values())]
    during, usual = figures.sale(evening), figures.calm(evening)
    alone = evening.run == NOBODY  # elsewhere somebody sees to it that the prediction does not come true
    return {
        "name": evening.run,
        "mails": [_mail(each) for each in evening.deliveries() if each["state"] == "accepted"],
        "not_delivered": [_mail(each) for each in evening.deliveries() if each["state"] != "accepted"],
        "credits_end": {name: each["balance"] for name, each in last.items()},
        "exhaustion": {
            "predicted_s": _round(figures.predicted_s(evening)),
            "measured_s": _round(figures.measured_s(evening, figures.empty_at(evening))),
            "integrated_s": _round(figures.measured_s(evening, figures.integrated_exhaustion(evening))),
            "predictions": [each.as_data() for each in foresight.foresights(evening)] if alone else [],
        },
        "throttled_seconds": round(len(empty) * evening.scenario.speed),
        "cpu_after_exhaustion": _round(figures.cpu_while_empty(evening), 4),
        "requests": {"sent": during.requests, "failed": during.failed, "p95_ms": _ms(during.p95)},
        "calm": {"sent": usual.requests, "failed": usual.failed, "p50_ms": _ms(usual.p50), "p95_ms": _ms(usual.p95)},
        "affected_users": figures.affected(evening),
        "report": evening.report_file,
    }


def _mail(message: dict[str, Any]) -> dict[str, Any]:
    return {
        "to": message["recipient"]["address"],
        "tier": message["level"] or None,
        "kind": message["kind"],
        "breach_seconds": message["facts"].get("elapsed_s"),
        "accepted_at": message["accepted_at"],
        "message_id": message["message_id"],
        "state": message["state"],
    }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)


def _round(value: float | None, digits: int = 1) -> float | None:
    return None if value is None else round(value, digits)


def write_result(result: dict[str, Any], folder: Path) -> Path:
    """Write ``result.json`` and point ``latest`` beside the folder at it."""
    file = folder / "result.json"
    file.write_text(json.dumps(result, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    latest = folder.parent / "latest"
    latest.unlink(missing_ok=True)
    latest.symlink_to(folder.name, target_is_directory=True)
    return file


def show(result: dict[str, Any], console: Console) -> None:
    """The runs side by side, the expectations, the verdict as the last line."""
    runs = result.get("runs", [])
    table = Table("", *(run["name"] for run in runs), title=f"{result['scenario']} at speed {result['speed']:g}")
    for name, figure in (
        ("mails", lambda run: ", ".join(_brief(mail) for mail in run["mails"]) or "none"),
        ("credits at the end", lambda run: ", ".join(f"{value:.0f}" for value in run["credits_end"].values())),
        ("credits gone after", lambda run: _lab_minutes(run["exhaustion"]["measured_s"])),
        ("as predicted", lambda run: ", ".join(_predicted(each) for each in run["exhaustion"].get("predictions", []))),
        ("throttled for", lambda run: _lab_minutes(run["throttled_seconds"])),
        ("CPU after that", lambda run: _percent(run["cpu_after_exhaustion"])),
        ("requests failed", lambda run: f"{run['requests']['failed']} of {run['requests']['sent']}"),
        ("p95", lambda run: f"{run['requests']['p95_ms']:.0f} ms" if run["requests"]["p95_ms"] else ""),
        ("affected users", lambda run: f"{run['affected_users']['identified']} to {run['affected_users']['upper']}"),
        ("report", lambda run: run["report"]),
    ):  # fmt: skip
        table.add_row(name, *(figure(run) for run in runs))
    if runs:
        console.print(table)
    listed = Table("", "run", "expectation", "expected", "seen")
    for each in result["expectations"]:
        mark = "[green]ok[/green]" if each["pass"] else "[red]no[/red]"
        mark = "[yellow]?[/yellow]" if each["disturbed"] else mark
        listed.add_row(mark, each["run"], each["name"], each["expected"], each["seen"])
    if result["expectations"]:
        console.print(listed)
    colour = {Verdict.PASS: "green", Verdict.FAIL: "red"}.get(Verdict(result["verdict"]), "yellow")
    console.print(f"[{colour}]verdict: {result['verdict']}[/{colour}]", highlight=False)


def _brief(mail: dict[str, Any]) -> str:
    what = f"tier {mail['tier']}" if mail["kind"] == "tier" else mail["kind"]
    return f"{what} at {(mail['breach_seconds'] or 0) / 60:.0f} min"


def _predicted(each: dict[str, Any]) -> str:
    said = _lab_minutes(each["predicted_s"]) or "unknown"
    return f"{said} at {each['at_s'] / 60:.0f} min"


def _lab_minutes(seconds: float | None) -> str:
    return "" if not seconds else f"{seconds / 60:.0f} min"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"
