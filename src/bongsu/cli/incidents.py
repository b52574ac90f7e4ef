"""``bongsu incidents``: what is going on, and taking it, over the server's API."""

from __future__ import annotations

import getpass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from bongsu.cli.server import LOCAL, TOKEN, Json, Server, Token, client, print_json, token_of
from bongsu.cli.tables import table
from bongsu.client import Client

app = typer.Typer(help="List, show, acknowledge and resolve incidents of a running server.", no_args_is_help=True)


@app.command("list")
def list_incidents(server: Server = LOCAL, token_file: Token = TOKEN, as_json: Json = False) -> None:
    """Incidents, the newest first.

    Example: bongsu incidents list --json
    """
    found = client(server, token_file).incidents()
    if as_json:
        print_json(found)
        return
    shown = table("id", "service", "policy", "status", "since", "over", "taken by")
    for each in found:
        seen, ack = each["seen"], each.get("ack") or {}
        over = str(timedelta(seconds=round(each["elapsed_s"])))
        row = (each["id"], each["service"], each["policy"]["name"], each["status"], _minute(seen["since"]), over)
        shown.add_row(*row, escape(ack.get("by", "")))
    Console().print(shown if found else "No incident. All is calm.")


def _minute(at: str | None) -> str:
    """An ISO time for a narrow column; the id tells the year."""
    return (at or "")[5:16].replace("T", " ")


@app.command()
def show(incident_id: str, server: Server = LOCAL, token_file: Token = TOKEN, as_json: Json = False) -> None:
    """One incident: its timeline and who was told.

    Example: bongsu incidents show 20260105-2012-k3f9
    """
    found = client(server, token_file).incident(incident_id)
    if as_json:
        print_json(found)
        return
    console = Console()
    console.print(f"[bold]{found['id']}[/bold] {found['service']}/{found['policy']['name']}: {found['status']}")
    lines = table("at", "what", "facts")
    for entry in found["timeline"]:
        facts = ", ".join(f"{key}={value}" for key, value in entry["facts"].items() if value not in (None, ""))
        lines.add_row(entry["at"], entry["what"], facts)
    console.print(lines)
    sent = table("to", "kind", "tier", "state", "answer")
    for message in found["deliveries"]:
        to, level = message["recipient"]["address"], str(message["level"] or "")
        sent.add_row(to, message["kind"], level, message["state"], message["answer"] or "")
    console.print(sent)


@app.command()
def ack(incident_id: str, by: str, server: Server = LOCAL, token_file: Token = TOKEN) -> None:
    """Take an incident in somebody's name.

    Example: bongsu incidents ack 20260105-2012-k3f9 "Kim Jimin"
    """
    _command(server, token_file, incident_id, "acknowledge", by)


@app.command()
def snooze(incident_id: str, by: str, minutes: float = 60.0, server: Server = LOCAL, token_file: Token = TOKEN) -> None:
    """Take an incident and let the next tiers wait (up to four hours). It never holds the ceiling or throttling.

    Example: bongsu incidents snooze 20260105-2012-k3f9 "Kim Jimin" --minutes 90
    """
    _command(server, token_file, incident_id, "snooze", by, minutes=minutes)


@app.command()
def escalate(incident_id: str, by: str, tier: int, server: Server = LOCAL, token_file: Token = TOKEN) -> None:
    """Tell a tier now, whatever its time.

    Example: bongsu incidents escalate 20260105-2012-k3f9 "Kim Jimin" 2
    """
    _command(server, token_file, incident_id, "escalate", by, tier=tier)


@app.command()
def triage(
    incident_id: str,
    urgent: Annotated[bool, typer.Option("--urgent/--not-urgent", help="Tell the department now, or at the review.")],
    why: Annotated[str, typer.Option(help="The reason; whoever is told reads it.")],
    by: Annotated[str, typer.Option(help="Who judges.")] = getpass.getuser(),
    server: Server = LOCAL,
    token_file: Token = TOKEN,
) -> None:
    """Judge an incident: urgent tells the next tier at once, not urgent puts it onto the next review's agenda.

    The tiers keep their times whatever is judged.

    Example: bongsu incidents triage 20260105-2012-k3f9 --urgent --why "nobody can pay" --by "Kim Jimin"
    """
    answer = Client(server, token_of(token_file)).post(
        f"/api/incidents/{incident_id}/triage", {"by": by, "urgent": urgent, "why": why}
    )
    print_json(answer)


@app.command()
def agenda(server: Server = LOCAL, token_file: Token = TOKEN, as_json: Json = False) -> None:
    """What was judged not urgent and waits for the next review.

    Example: bongsu incidents agenda --json
    """
    found = client(server, token_file).get("/api/agenda")
    if as_json:
        print_json(found)
        return
    shown = table("id", "service", "status", "judged by", "why")
    for each in found:
        judged = each["triage"]
        shown.add_row(each["id"], each["service"], each["status"], judged["by"], escape(judged["why"]))
    Console().print(shown if found else "Nothing waits for the review.")


@app.command()
def reassign(incident_id: str, to: str, by: str, server: Server = LOCAL, token_file: Token = TOKEN) -> None:
    """Hand an incident to a person or a team, who is told at once; the tiers go on unless they acknowledge soon.

    Example: bongsu incidents reassign 20260105-2012-k3f9 person:sora "Kim Jimin"
    """
    with_token = Client(server, token_of(token_file))
    print_json(with_token.post(f"/api/incidents/{incident_id}/reassign", {"to": to, "by": by}))


@app.command()
def resolve(incident_id: str, by: str, server: Server = LOCAL, token_file: Token = TOKEN) -> None:
    """Declare an incident over; refused while its breach holds."""
    _command(server, token_file, incident_id, "resolve", by)


@app.command("scale-out")
def scale_out(incident_id: str, by: str, server: Server = LOCAL, token_file: Token = TOKEN) -> None:
    """Ask for the machines that an incident's service needs."""
    _command(server, token_file, incident_id, "scale-out", by)


def _command(server: str, token_file: Path, incident_id: str, verb: str, by: str, **more: float) -> None:
    print_json(Client(server, token_of(token_file)).command(incident_id, verb, by, **more))
