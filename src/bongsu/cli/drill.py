"""``bongsu drill``: rehearse an evening in the lab."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from bongsu.adapters.clock import SystemClock
from bongsu.cli.tables import table
from bongsu.core.drill import Verdict, physics_problems, predicted_exhaustion
from bongsu.core.errors import InvalidInput
from bongsu.lab.plan import LabPlan

app = typer.Typer(help="Rehearse an evening: a real shop gets into trouble and out of it.", no_args_is_help=True)

Folder = Annotated[Path, typer.Option("--dir", help="Where results are kept; latest/ points at the newest.")]
Json = Annotated[bool, typer.Option("--json", help="The result as JSON on stdout.")]
EXIT = {Verdict.PASS: 0, Verdict.FAIL: 1, Verdict.INCONCLUSIVE: 3}


@app.command()
def run(
    scenario: Annotated[str, typer.Argument(help="See: bongsu drill list.")] = "flash-sale",
    only: Annotated[list[str] | None, typer.Option("--only", help="Play only this run; may be repeated.")] = None,
    recorded: Annotated[
        Path | None, typer.Option("--scenario", help="A file of bongsu incidents replay: that incident again.")
    ] = None,
    sabotage: Annotated[bool, typer.Option("--sabotage", help="Break something in each; all must be noticed.")] = False,
    folder: Folder = Path("var/drills"),
    as_json: Json = False,
) -> None:
    """Play a scenario's runs in the lab and judge them. Exit code 0 pass, 1 fail, 3 inconclusive.

    Inconclusive means that the host took CPU away meanwhile; it is then played once more.

    Examples:

      bongsu drill run

      bongsu drill run flash-sale --only nobody-acts

      bongsu drill run --scenario replays/20260105-2012-k3f9.toml
    """
    from bongsu.lab.drill.scenarios import RUNS, SCENARIOS
    from bongsu.lab.drill.session import rehearse
    from bongsu.lab.drill.session import sabotage as break_things

    if recorded is not None:
        if sabotage or only:
            raise InvalidInput(["--scenario plays a recorded incident once; leave --only and --sabotage out"])
        _recorded(recorded, folder, as_json)
        return
    if scenario not in SCENARIOS:
        raise InvalidInput([f"there is no scenario {scenario!r}; known: {', '.join(SCENARIOS)}"])
    if unknown := set(only or ()) - set(RUNS):
        raise InvalidInput([f"there is no run {name!r}; known: {', '.join(RUNS)}" for name in sorted(unknown)])
    runs = [name for name in RUNS if not only or name in only]
    if sabotage:
        _twice(break_things, folder, as_json)
    else:
        _twice(lambda where, screen: rehearse(SCENARIOS[scenario], runs, where, screen), folder, as_json)


def _recorded(file: Path, folder: Path, as_json: bool) -> None:
    from bongsu.config.replays import load_replay
    from bongsu.lab.drill.replayed import rehearse

    replay = load_replay(file)
    _twice(lambda where, screen: rehearse(replay, where, screen), folder, as_json)


def _twice(play: Callable[[Path, Any], dict[str, Any]], folder: Path, as_json: bool) -> None:
    """Play; once more if the host disturbed it. Both results are kept."""
    from bongsu.lab.drill.result import show, write_result
    from bongsu.lab.drill.screen import Screen

    console = Console(stderr=as_json)
    result: dict[str, Any] = {}
    for attempt in (1, 2):
        where = folder.resolve() / f"{_now():%Y%m%d-%H%M%S}"
        with Screen(Console(stderr=True)) as screen:
            result = play(where, screen)
        write_result(result, where)
        if result["verdict"] != Verdict.INCONCLUSIVE or attempt == 2:
            break
        console.print("the host took CPU away (steal over 5 %): inconclusive, playing once more")
    if as_json:
        print(json.dumps(result, ensure_ascii=False, indent=2))  # noqa: T201 - this is the command's output
    show(result, console)
    sys.exit(EXIT[Verdict(result["verdict"])])


@app.command("list")
def list_scenarios(as_json: Json = False) -> None:
    """The scenarios, and whether their physics close."""
    from bongsu.lab.drill.scenarios import RUNS, SCENARIOS

    rows: list[dict[str, Any]] = []
    for name, each in SCENARIOS.items():
        machine = LabPlan(machine_type=each.machine_type).type
        gone = predicted_exhaustion(each, machine)
        rows.append(
            {
                "name": name,
                "runs": list(RUNS),
                "tiers_min": list(each.tiers),
                "machines": each.machines,
                "scale_to": each.scale_to,
                "exhaustion_min": None if gone is None else round(gone, 1),
                "problems": physics_problems(each, machine),
            }
        )
    if as_json:
        print(json.dumps(rows, indent=2))  # noqa: T201 - this is the command's output
        return
    shown = table("scenario", "tiers (min)", "machines", "credits last", "physics")
    for row in rows:
        tiers = ", ".join(f"{minutes:g}" for minutes in row["tiers_min"])
        closes = "; ".join(row["problems"]) or "close"
        shown.add_row(
            row["name"], tiers, f"{row['machines']} to {row['scale_to']}", f"{row['exhaustion_min']} min", closes
        )
    Console().print(shown)


def _now() -> datetime:
    return SystemClock().now()
