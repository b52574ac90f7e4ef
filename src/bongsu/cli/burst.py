"""``bongsu burst``: what credits are left, how long they last, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bongsu.cli.burst_plan import plan
from bongsu.cli.server import LOCAL, TOKEN, Json, Server, Token, client, print_json
from bongsu.cli.tables import table
from bongsu.core.errors import InvalidInput

app = typer.Typer(
    help="Burst credits: what is left, how long it lasts, and why; how many machines are enough.", no_args_is_help=True
)
app.command("plan")(plan)
Only = Annotated[str | None, typer.Option("--machine", help="This machine alone.")]
Locale = Annotated[str, typer.Option("--lang", help="The language of sentences: en or ko.")]


def _machines(server: str, token_file: Path, machine: str | None, lang: str = "en") -> list[dict[str, Any]]:
    problems = [] if lang in ("en", "ko") else [f"--lang: {lang!r} is not spoken here; en or ko"]
    found: list[dict[str, Any]] = client(server, token_file).get("/api/burst") if not problems else []
    mine = [each for each in found if machine in (None, each["machine"])]
    if machine is not None and not mine and not problems:
        names = ", ".join(each["machine"] for each in found) or "none was seen yet"
        problems.append(f"--machine: there is no machine {machine!r}; known: {names}")
    if problems:
        raise InvalidInput(problems)
    return mine


def _show(shown: Table, found: list[dict[str, Any]]) -> Console:
    console = Console(highlight=False, soft_wrap=True)
    console.print(shown if found else _NONE)
    return console


@app.command()
def status(server: Server = LOCAL, token_file: Token = TOKEN, machine: Only = None, as_json: Json = False) -> None:
    """Every machine's balance and what it is doing.

    Example: bongsu burst status --json
    """
    found = _machines(server, token_file, machine)
    if as_json:
        print_json(found)
        return
    shown = table("service", "machine", "type", "balance", "of", "CPU", "baseline", "state")
    for each in found:
        shown.add_row(
            escape(each["service"]), escape(each["machine"]), each["type"], _balance(each), f"{each['cap']:g}",
            f"{each['cpu']:.0%}", f"{each['baseline']:.0%}", each["cause"],
        )  # fmt: skip
    _show(shown, found)


@app.command()
def forecast(
    server: Server = LOCAL, token_file: Token = TOKEN, machine: Only = None, lang: Locale = "en", as_json: Json = False
) -> None:
    """When the credits run out: at full burn, at this pace, and how likely how soon.

    Example: bongsu burst forecast --machine shop-1 --lang ko
    """
    found = _machines(server, token_file, machine, lang)
    if as_json:
        print_json(found)
        return
    shown = table("machine", "full burn", "this pace", "10 %", "50 %", "90 %", "30 min", "1 h", "6 h")
    for each in found:
        said = each["forecast"]
        within = [said["within_min"].get(minutes) for minutes in ("30", "60", "360")]
        shown.add_row(
            escape(each["machine"]), *(_minutes(said[name]) for name in _TIMES),
            *("" if p is None else f"{p:.0%}" for p in within),
        )  # fmt: skip
    console = _show(shown, found)
    for each in found:
        console.print(f"{escape(each['machine'])}: {escape(each['said'][lang])}")


@app.command()
def explain(
    server: Server = LOCAL, token_file: Token = TOKEN, machine: Only = None, lang: Locale = "en", as_json: Json = False
) -> None:
    """Why a machine is slow or fast, what its forecast rests on, and how its forecasts did so far.

    Example: bongsu burst explain --machine shop-1
    """
    found = _machines(server, token_file, machine, lang)
    if as_json:
        print_json(found)
        return
    console = Console(highlight=False, soft_wrap=True)
    if not found:
        console.print(_NONE)
    for each in found:
        console.print(f"[bold]{escape(each['service'])} {escape(each['machine'])}[/bold] ({each['type']})")
        for line in (each["said"][lang], each["rests_on"][lang], *each["why"][lang], *each["problems"]):
            console.print(f"  {escape(line)}")
        if each["residual"] is not None:
            console.print(f"  measured minus reckoned: {each['residual']:+.1f} credits")
        for minutes, tally in each["score"].items():
            if tally["number"]:
                console.print(
                    f"  within {minutes} min: {tally['number']} forecasts said {tally['said']:.0%}, "
                    f"it happened in {tally['happened']:.0%}"
                )


_NONE = "No machine has been seen yet."
_TIMES = ("full_burn_min", "pace_min", "p10_min", "p50_min", "p90_min")


def _balance(each: dict[str, Any]) -> str:
    if each["balance"] is None:
        return f"{each['at_least']:.0f}..{each['at_most']:.0f}"
    return f"{each['balance']:.1f}"


def _minutes(value: float | None) -> str:
    if value is None:
        return "-"
    hours, minutes = divmod(round(value), 60)
    return f"{hours} h {minutes:02d}" if hours else f"{minutes} min"
