"""``bongsu oncall`` and ``bongsu schedule``: who has the turn, who stands in, what is not ready."""

from __future__ import annotations

import getpass
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bongsu.cli.server import LOCAL, TOKEN, Json, Server, Token, client, print_json
from bongsu.cli.tables import table
from bongsu.config.checks import zone
from bongsu.config.rosters import DAYS

app = typer.Typer(help="Who is on call; stand in, swap, subscribe; what is not ready.", no_args_is_help=True)
schedules = typer.Typer(help="Show a schedule as a calendar.", no_args_is_help=True)
By = Annotated[str | None, typer.Option("--by", help="In whose name; the user of this terminal if not given.")]
_COLOURS = ("cyan", "green", "magenta", "yellow", "blue", "bright_red")


def asking(by: str | None) -> str:
    """In whose name something is asked."""
    return by or getpass.getuser()


@app.command()
def show(server: Server = LOCAL, token_file: Token = TOKEN, as_json: Json = False) -> None:
    """Who is on call now, who is next, and the gaps of the next two weeks.

    Example: bongsu oncall show --json
    """
    found = client(server, token_file).get("/api/oncall")
    if as_json:
        print_json(found)
        return
    console = Console(highlight=False)
    if not found:
        console.print("There is no schedule yet; add a [schedule.NAME] to bongsu.toml.")
        return
    shown = table("schedule", "now", "until", "next", "from", "gaps in 14 days")
    for each in found:
        present, following = each["now"], each["next"]
        shown.add_row(
            escape(each["schedule"]), _name(present), _time(present["end"]),
            _name(following) if following else "", _time(following["start"]) if following else "",
            f"[red]{len(each['gaps'])}, first {_time(each['gaps'][0]['start'])}[/red]" if each["gaps"] else "none",
        )  # fmt: skip
    console.print(shown)


@app.command("list")
def list_overrides(server: Server = LOCAL, token_file: Token = TOKEN, as_json: Json = False) -> None:
    """Overrides that are not over.

    Example: bongsu oncall list
    """
    found = client(server, token_file).get("/api/overrides")
    if as_json:
        print_json(found)
        return
    shown = table("id", "schedule", "who", "from", "to", "made by", "why")
    for each in found:
        row = (each["id"], each["schedule"], each["person"], _time(each["start"]), _time(each["end"]), each["made_by"])
        shown.add_row(*(escape(text) for text in (*row, each["note"])))
    Console(highlight=False).print(shown if found else "Nobody stands in.")


@app.command()
def override(
    schedule: str,
    person: str,
    start: Annotated[str, typer.Option("--from", help="When it begins: 2026-01-05T09:00; now if not given.")] = "",
    end: Annotated[str, typer.Option("--to", help="When it ends: 2026-01-06T09:00.")] = "",
    note: Annotated[str, typer.Option(help="Why, in a few words.")] = "",
    by: By = None,
    server: Server = LOCAL,
    token_file: Token = TOKEN,
    as_json: Json = False,
) -> None:
    """Let somebody stand in. Times without an offset are in the schedule's time zone.

    Example: bongsu oncall override shop sora --from 2026-01-05T09:00 --to 2026-01-06T09:00 --note wedding
    """
    if not end:
        raise typer.BadParameter("say until when: --to 2026-01-06T09:00")
    api = client(server, token_file)
    zone_name = api.get(f"/api/schedules/{schedule}", weeks="1")["time_zone"]
    asked: dict[str, object] = {"schedule": schedule, "person": person, "by": asking(by), "note": note}
    asked["end"] = _moment(end, zone_name)
    if start:
        asked["start"] = _moment(start, zone_name)
    _made([api.post("/api/overrides", asked)], as_json)


@app.command()
def swap(
    schedule: str,
    one: str,
    other: str,
    after: Annotated[str, typer.Option("--after", help="Their first shifts after this time; now if not given.")] = "",
    by: By = None,
    server: Server = LOCAL,
    token_file: Token = TOKEN,
    as_json: Json = False,
) -> None:
    """Two people exchange their next shifts; of one that runs, the rest.

    Example: bongsu oncall swap shop jimin sora
    """
    api = client(server, token_file)
    asked: dict[str, object] = {"schedule": schedule, "one": one, "other": other, "by": asking(by)}
    if after:
        zone_name = api.get(f"/api/schedules/{schedule}", weeks="1")["time_zone"]
        asked["after"] = _moment(after, zone_name)
    _made(api.post("/api/swaps", asked), as_json)


@app.command()
def cancel(override_id: str, server: Server = LOCAL, token_file: Token = TOKEN, as_json: Json = False) -> None:
    """Take an override back; what has passed of it stays.

    Example: bongsu oncall cancel 1f3a9c02
    """
    found = client(server, token_file).post(f"/api/overrides/{override_id}/end", {})
    if as_json:
        print_json(found)
    else:
        typer.echo(f"{found['person']} does not stand in any more in {found['schedule']}")


@app.command()
def feed(
    name: str,
    of_schedule: Annotated[bool, typer.Option("--schedule", help="The feed of a schedule, not of a person.")] = False,
    server: Server = LOCAL,
    token_file: Token = TOKEN,
) -> None:
    """The address that a calendar program subscribes to. Whoever knows it can read that feed.

    Example: bongsu oncall feed jimin
    """
    kind = "schedule" if of_schedule else "person"
    typer.echo(client(server, token_file).get(f"/api/feeds/{kind}/{name}")["address"])


@app.command()
def ready(server: Server = LOCAL, token_file: Token = TOKEN, as_json: Json = False) -> None:
    """What would go wrong in an alarm; exit code 1 when something would.

    Example: bongsu oncall ready
    """
    found = client(server, token_file).get("/api/readiness")
    if as_json:
        print_json(found)
    else:
        console = Console(highlight=False, soft_wrap=True)
        for each in found["faults"]:
            mark = "[red]wrong[/red]" if each["wrong"] else "[yellow]note[/yellow] "
            console.print(f"{mark}  {escape(each['where'])}: {escape(each['what'])}; {escape(each['do'])}")
        if found["ready"]:
            console.print("[green]ready[/green]  every tier reaches somebody, and no schedule has a gap for two weeks")
    raise typer.Exit(0 if found["ready"] else 1)


@schedules.command("show")
def show_schedule(
    name: str,
    weeks: Annotated[int, typer.Option(min=1, max=53, help="How many weeks, from this Monday on.")] = 4,
    server: Server = LOCAL,
    token_file: Token = TOKEN,
    as_json: Json = False,
) -> None:
    """A schedule as a calendar, with its gaps.

    Example: bongsu schedule show shop --weeks 4
    """
    found = client(server, token_file).get(f"/api/schedules/{name}", weeks=str(weeks))
    if as_json:
        print_json(found)
        return
    people = list(dict.fromkeys(p["person"] for w in found["weeks"] for d in w for p in d["parts"] if p["person"]))
    colours = {person: _COLOURS[n % len(_COLOURS)] for n, person in enumerate(people)}
    grid = Table(*DAYS, title=f"{escape(found['schedule'])}, {found['time_zone']}", show_lines=True)
    for week in found["weeks"]:
        grid.add_row(*(_day(day, colours) for day in week))
    Console(highlight=False).print(grid)


@schedules.callback()
def _group() -> None:
    """Keeps ``show`` a command of its own, for typer folds a lonely one into its group."""


def _day(day: dict[str, Any], colours: dict[str, str]) -> str:
    lines = [day["date"][5:]]
    for part in day["parts"]:
        at = "" if part["at"] == "00:00" else f"{part['at']} "
        if part["person"] is None:
            lines.append(f"{at}[bold red]nobody[/bold red]")
        else:
            mark = "*" if part["override"] else ""
            lines.append(f"{at}[{colours[part['person']]}]{escape(part['name'])}{mark}[/]")
    return "\n".join(lines)


def _made(found: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    for each in found:
        span = f"from {_time(each['start'])} to {_time(each['end'])}"
        undo = f"take it back: bongsu oncall cancel {each['id']}"
        typer.echo(f"{each['person']} stands in, in {each['schedule']}, {span}; {undo}")


def _moment(text: str, zone_name: str) -> str:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no time; write 2026-01-05T09:00 or 2026-01-05T09:00+09:00") from None
    return (at if at.tzinfo is not None else at.replace(tzinfo=zone(zone_name))).isoformat()


def _name(shift: dict[str, Any]) -> str:
    if shift["person"] is None:
        return "[red]nobody[/red]"
    return escape(shift["name"]) + (" (stands in)" if shift["override"] else "")


def _time(text: str) -> str:
    return f"{datetime.fromisoformat(text).astimezone():%a %Y-%m-%d %H:%M %Z}"
