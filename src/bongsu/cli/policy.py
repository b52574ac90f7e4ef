"""``bongsu policy``: what a policy would have done."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bongsu.cli.subject import DEFAULT, configuration, pasts_of, subject

if TYPE_CHECKING:  # numpy comes with it: only a back-test needs it
    from bongsu.core.burst import MachineType
    from bongsu.core.verdicts import Exhaustion, RuleFigures, Verdict

app = typer.Typer(help="What a policy would have done.", no_args_is_help=True)
SHOWN = 20


@app.callback()
def group() -> None:
    """What a policy would have done."""


@app.command()
def backtest(
    csv: Annotated[
        list[Path] | None, typer.Option("--csv", help="timestamp,value: the CPU of one machine.", metavar="FILE")
    ] = None,
    since: Annotated[str | None, typer.Option(help="Ask Prometheus for so long, such as 30d.", metavar="TIME")] = None,
    machine: Annotated[str | None, typer.Option(help="The machine type, where no service says it.")] = None,
    service: Annotated[str | None, typer.Option(help="The service, where bongsu.toml has several.")] = None,
    nuisance: Annotated[float, typer.Option(help="Hours a week an early warning may be on in vain.", min=0.0)] = 2.0,
    opening: Annotated[float, typer.Option(help="Balance at the beginning, share of the cap.", min=0.0, max=1.0)] = 0.5,
    config: Annotated[
        Path, typer.Option("--config", "-c", envvar="BONGSU_CONFIG", help="The configuration file.", metavar="FILE")
    ] = DEFAULT,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of tables.")] = False,
) -> None:
    """Who would have been told when, how long before the credits were gone, and how often in vain.

    Examples: bongsu policy backtest --csv shop-1.csv --csv shop-2.csv --machine lightsail:small-2GB

    bongsu policy backtest --since 30d --service shop --nuisance 1 --json
    """
    from bongsu.core.verdicts import judge

    loaded = configuration(config)
    kind, policy, name = subject(loaded, machine, service, config)
    pasts, notes = pasts_of(csv or [], since, loaded, name)
    verdict = judge(pasts, kind, policy, nuisance, opening)
    notes += [f"{each}: shorter than three days; two teach, so there is nothing to judge" for each in verdict.too_short]
    if as_json:
        print(json.dumps(as_data(verdict, kind, notes), indent=2, ensure_ascii=False))  # noqa: T201 - the output
        return
    show(verdict, kind, notes, Console(highlight=False, soft_wrap=True))


def as_data(verdict: Verdict, machine: MachineType, notes: list[str]) -> dict[str, Any]:
    """Everything, for ``--json``; what could not be judged is null."""
    return {
        "machine": machine.key,
        "machines": verdict.machines,
        "weeks": round(verdict.weeks, 3),
        "exhaustions": [
            {"machine": each.machine, "at": each.at.isoformat(), "minutes_before": each.before}
            for each in verdict.exhaustions
        ],
        "rules": [
            {
                "rule": each.rule, "notify": list(each.notify), "told": each.told, "in_vain": each.vain,
                "exhaustions_told_before": each.reached, "median_minutes_before": each.median_before,
            }
            for each in verdict.rules
        ],
        "early_warning": {
            "nuisance_hours_a_week": _number(verdict.nuisance_hours),
            "recall": {str(minutes): _number(value) for minutes, value in verdict.recall.items()},
            "brier": _number(verdict.brier),
            "brier_skill": _number(verdict.skill),
            "reliability": [{"count": b.count, "said": b.said, "happened": b.happened} for b in verdict.bins],
        },
        "proposed": {
            "for_nuisance_hours_a_week": verdict.asked_hours,
            "level": _number(verdict.proposed),
            "recall": {str(minutes): _number(value) for minutes, value in verdict.proposed_recall.items()},
        },
        "notes": notes,
    }  # fmt: skip


def _number(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None


def show(verdict: Verdict, machine: MachineType, notes: list[str], console: Console) -> None:
    """Tables and sentences."""
    console.print(
        f"{verdict.machines} machine{'s' * (verdict.machines != 1)} as {machine.key}, {verdict.weeks:.1f} machine-weeks"
        f": the credits were gone {len(verdict.exhaustions)} times",
        style="bold",
    )
    rules = Table(box=None, pad_edge=False)
    for title in ("rule", "tells", "told", "exhaustions told before", "median minutes before", "in vain a week"):
        rules.add_column(title, justify="left" if title in ("rule", "tells") else "right")
    for each in verdict.rules:
        rules.add_row(*_rule_row(each, verdict))
    console.print(rules)
    for one in verdict.exhaustions[:SHOWN]:
        console.print(_sentence(one))
    if len(verdict.exhaustions) > SHOWN:
        console.print(f"... and {len(verdict.exhaustions) - SHOWN} more: --json lists all")
    console.print(
        f"early warning on in vain: {_shown(verdict.nuisance_hours)} h a week; on before: {_recall(verdict.recall)}"
    )
    console.print(f"probability of the next hour: Brier {_shown(verdict.brier, 4)}, skill {_shown(verdict.skill)}")
    if verdict.bins:
        told = ", ".join(f"{b.said:.0%} → {b.happened:.0%} ({b.count})" for b in verdict.bins)
        console.print(f"said → happened: {told}")
    if math.isfinite(verdict.proposed):
        console.print(
            f"for {verdict.asked_hours:g} h a week in vain: warn above {verdict.proposed:.2f} (log odds of soon against"
            f" later), on before: {_recall(verdict.proposed_recall)}"
        )
    for note in notes:
        console.print(f"note: {note}", style="yellow", markup=False)


def _rule_row(each: RuleFigures, verdict: Verdict) -> list[str]:
    vain = f"{each.vain / verdict.weeks:.1f}" if verdict.weeks else "-"
    before = "-" if each.median_before is None else f"{each.median_before:.0f}"
    reached = f"{each.reached} of {len(verdict.exhaustions)}"
    return [each.rule, ", ".join(each.notify), str(each.told), reached, before, vain]


def _sentence(each: Exhaustion) -> str:
    told = [f"{rule} {before:.0f}" for rule, before in each.before.items() if before is not None]
    return f"  {each.at:%Y-%m-%d %H:%M} {each.machine}: " + (
        f"minutes before: {', '.join(told)}" if told else "nobody told"
    )


def _recall(recall: dict[int, float]) -> str:
    return ", ".join(f"{minutes} min {_percent(value)}" for minutes, value in recall.items())


def _percent(value: float) -> str:
    return f"{value:.0%}" if math.isfinite(value) else "-"


def _shown(value: float, digits: int = 2) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "-"
