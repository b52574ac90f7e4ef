"""``bongsu contacts``: ask people whether mails reach them, and see who answered."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from bongsu.cli.oncall import By, asking
from bongsu.cli.server import LOCAL, TOKEN, Json, Server, Token, client, print_json
from bongsu.cli.tables import table

app = typer.Typer(
    help="Ask people whether mails reach them; who answered, and who cannot be reached.", no_args_is_help=True
)
_LOOK_S = 1.0


@app.command()
def verify(
    who: Annotated[list[str] | None, typer.Argument(help="People by their name in bongsu.toml, or team:NAME.")] = None,
    everybody: Annotated[bool, typer.Option("--all", help="Everybody who has an address.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the answers, and fail if one is missing.")] = False,
    minutes: Annotated[float, typer.Option(help="How long to wait.")] = 10.0,
    by: By = None,
    server: Server = LOCAL,
    token_file: Token = TOKEN,
    as_json: Json = False,
) -> None:
    """Mail people a link with a button, and count who answered in how long.

    Examples: bongsu contacts verify jimin

    bongsu contacts verify --all --wait --minutes 30
    """
    if bool(who) == everybody:
        raise typer.BadParameter("name the people to ask, or say --all")
    api = client(server, token_file)
    found = api.post("/api/contacts/rounds", {"who": who or [], "by": asking(by)})
    if wait:
        until = time.monotonic() + minutes * 60
        while found["answered"] < found["asked"] and time.monotonic() < until:
            time.sleep(_LOOK_S)
            found = api.get(f"/api/contacts/rounds/{found['id']}")
    if as_json:
        print_json(found)
    else:
        _round(found, waited=wait)
    raise typer.Exit(1 if wait and found["answered"] < found["asked"] else 0)


@app.command()
def status(server: Server = LOCAL, token_file: Token = TOKEN, as_json: Json = False) -> None:
    """Every address, and when it last answered.

    Example: bongsu contacts status --json
    """
    found = client(server, token_file).get("/api/contacts")
    if as_json:
        print_json(found)
        return
    shown = table("who", "address", "last answered", "stands")
    for each in found["contacts"]:
        answered = _time(each["verified_at"]) if each["verified_at"] else "never"
        shown.add_row(escape(each["name"]), escape(each["address"]), answered, _standing(each))
    Console(highlight=False).print(shown)
    if found["newest_round"]:
        _round(found["newest_round"], waited=False)


def _standing(contact: dict[str, Any]) -> str:
    if contact["suspect"]:
        return "[red]the last mail was refused[/red]"
    if contact["silent"]:
        return "[red]did not answer[/red]"
    return "asked, not answered yet" if contact["awaited"] and not contact["verified_at"] else ""


def _round(found: dict[str, Any], *, waited: bool) -> None:
    console = Console(highlight=False, soft_wrap=True)
    console.print(
        f"round {found['id']}, begun {_time(found['started_at'])}: {found['answered']} of {found['asked']} answered"
    )
    for line in found["lines"]:
        who = f"{escape(line['name'])} <{escape(line['address'])}>"
        if line["took_s"] is not None:
            console.print(f"[green]answered[/green]   {who} after {timedelta(seconds=round(line['took_s']))}")
        elif line["mail"] == "refused":
            console.print(f"[red]refused[/red]    {who}: {escape(line['answer'])}")
        else:
            console.print(f"[yellow]no answer[/yellow]  {who}")
    if not waited and found["answered"] < found["asked"]:
        console.print("look again: bongsu contacts status")


def _time(text: str) -> str:
    return f"{datetime.fromisoformat(text).astimezone():%Y-%m-%d %H:%M %Z}"
