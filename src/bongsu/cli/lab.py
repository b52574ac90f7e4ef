"""``bongsu lab``: burstable machines on this computer, with a real balancer, database, metrics store and mail."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from bongsu.cli.tables import table
from bongsu.core.errors import BongsuError
from bongsu.lab.directory import lab_directory
from bongsu.lab.plan import LabPlan
from bongsu.lab.processes import sweep
from bongsu.lab.running import RunningLab, open_lab, start_lab
from bongsu.lab.throttle import Enclosures

app = typer.Typer(
    name="lab",
    no_args_is_help=True,
    help="Burstable machines on this computer: a real shop on CPU-capped machines with a credit bucket, behind a real "
    "HAProxy, with real PostgreSQL, Prometheus and mail. Everything stays on loopback and below one directory.",
)

_DEFAULT = LabPlan()
Directory = Annotated[Path, typer.Option("--dir", help="Where the lab keeps everything it makes.")]


@app.command(
    epilog="Examples:\n\n"
    "bongsu lab up  (two machines, until Ctrl-C)\n\n"
    "bongsu lab up --balance 20 --with-load 150  (in trouble within a minute or so)\n\n"
    "bongsu lab up --detach; bongsu lab status; bongsu lab down"
)
def up(
    machines: Annotated[int, typer.Option(help="Machines to begin with.")] = _DEFAULT.machines,
    size: Annotated[float, typer.Option(help="Cores of this computer that are 100 % of a machine.")] = _DEFAULT.size,
    speed: Annotated[float, typer.Option(help="Lab seconds per real second.")] = _DEFAULT.speed,
    machine_type: Annotated[str, typer.Option("--type", help="A row of the machine catalogue.")] = (
        _DEFAULT.machine_type
    ),
    balance: Annotated[float | None, typer.Option(help="Credits to begin with; by default a tenth of the cap.")] = None,
    newcomer_balance: Annotated[float | None, typer.Option(help="Credits of machines added later.")] = None,
    boot_delay: Annotated[float, typer.Option(help="Lab seconds before an added machine starts.")] = (
        _DEFAULT.boot_delay
    ),
    max_machines: Annotated[int, typer.Option(help="Most machines the lab takes.")] = _DEFAULT.max_machines,
    with_load: Annotated[float | None, typer.Option(metavar="RATE", help="Visitors per real second.")] = None,
    without_bongsu: Annotated[bool, typer.Option("--without-bongsu", help="Leave Bongsu out.")] = False,
    throttle: Annotated[str, typer.Option(help="How CPU is capped: auto, cgroup or duty.")] = _DEFAULT.throttle,
    detach: Annotated[bool, typer.Option("--detach", help="Return when the lab is ready.")] = False,
    directory: Directory = Path("var/lab"),
) -> None:
    """Start a lab; without --detach it runs here until Ctrl-C."""
    plan = LabPlan(
        machines=machines,
        size=size,
        speed=speed,
        machine_type=machine_type,
        opening_balance=balance,
        newcomer_balance=newcomer_balance,
        boot_delay=boot_delay,
        max_machines=max(max_machines, machines),
        throttle=throttle,
        bongsu=not without_bongsu,
        load_rate=with_load,
    )
    if detach:
        lab = start_lab(plan, directory, keep=True, say=typer.echo)
        _addresses(lab)
        typer.echo(f"the lab runs on (pid {lab.pid}); end it with: bongsu lab down --dir {lab.directory.root}")
        return
    raise typer.Exit(_foreground(plan, directory))


def _foreground(plan: LabPlan, directory: Path) -> int:
    from bongsu.lab.supervisor import run_lab

    place = lab_directory(directory)

    def say(line: str) -> None:
        typer.echo(line)
        if line.startswith("ready"):
            _addresses(open_lab(directory))
            typer.echo("Ctrl-C ends the lab.")

    return run_lab(plan, place, say)


def _addresses(lab: RunningLab) -> None:
    for name in ("shop", "bongsu", "prometheus"):
        if name != "bongsu" or lab.status()["with_bongsu"]:
            typer.echo(f"{name:<11} {lab.endpoints[name]}")
    typer.echo(f"{'mail':<11} {lab.endpoints['inbox']}")


@app.command(epilog="Example:\n\nbongsu lab down --dir var/lab")
def down(directory: Directory = Path("var/lab")) -> None:
    """End the lab and everything it started."""
    place = lab_directory(directory)
    if place.holder() is None:
        if not place.pid.exists():
            typer.echo(f"no lab runs in {place.root}; nothing to do")
            return
        with place.claim():
            swept, groups = sweep(place.root), Enclosures(place.mark).sweep()
            place.state.unlink(missing_ok=True)
        left = f"; swept {len(swept)} processes and {len(groups)} cgroups of one that was killed"
        typer.echo(f"no lab runs in {place.root}{left if swept or groups else '; nothing to do'}")
        return
    _end(directory)
    typer.echo("down; nothing is left running")


def _end(directory: Path) -> None:
    place = lab_directory(directory)
    if place.read_state() is not None:
        open_lab(directory).down()
        return
    # It holds the directory but has not written its state: it is just starting, or just stopping.
    pid = place.holder()
    if pid:
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 20
    while place.holder() is not None:
        if time.monotonic() > deadline:
            raise BongsuError(f"the lab (pid {pid}) does not end; kill it with: kill -9 {pid}")
        time.sleep(0.05)


@app.command(epilog="Examples:\n\nbongsu lab status\n\nbongsu lab status --json | jq .machines")
def status(
    directory: Directory = Path("var/lab"),
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show the parts, the machines with their CPU and credits, and the addresses."""
    lab = open_lab(directory)
    state, machines, gauges = lab.status(), lab.machines(), _gauges(lab)
    for machine in machines:
        figures = gauges.get(machine["name"], {})
        machine["cpu"] = figures.get("system_cpu_usage")
        machine["credits"] = figures.get("burst_credit_balance")
        machine["throttled"] = figures.get("burst_throttled_ratio")
    if as_json:
        json.dump({**state, "machines": machines}, sys.stdout, indent=1)
        sys.stdout.write("\n")
        return
    console = Console()
    console.print(f"lab in {lab.directory.root}: {state['state']}, speed {state['speed']:g}, pid {state['pid']}")
    console.print(f"machines capped by {state['throttle']}")
    console.print(_part_table(state["parts"]))
    console.print(_machine_table(machines))
    _addresses(lab)


def _gauges(lab: RunningLab) -> dict[str, dict[str, float]]:
    try:
        return lab.gauges()
    except OSError:  # the governor is not up yet
        return {}


def _part_table(parts: list[dict[str, object]]) -> Table:
    shown = table("part", "state", "pid", "port", "log")
    for part in parts:
        shown.add_row(
            *(str(part[key] if part[key] is not None else "") for key in ("name", "state", "pid", "port", "log"))
        )
    return shown


def _machine_table(machines: list[dict[str, object]]) -> Table:
    shown = table("machine", "state", "pid", "address", "CPU", "credits", "held back")
    for each in machines:
        row = [str(each[key] if each[key] is not None else "") for key in ("name", "state", "pid", "address")]
        row += [_share(each["cpu"]), _number(each["credits"]), _share(each["throttled"])]
        shown.add_row(*row)
    return shown


def _share(value: object) -> str:
    return f"{value:.0%}" if isinstance(value, float) else ""


def _number(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) else ""
