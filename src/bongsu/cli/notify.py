"""``bongsu notify``: find out whether people can be reached, before it matters."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from bongsu.cli.server import LOCAL, TOKEN, Json, Server, Token, client, print_json, token_of
from bongsu.cli.tables import table
from bongsu.client import Client
from bongsu.core.errors import InvalidInput

app = typer.Typer(help="Find out whether people can be reached.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Find out whether people can be reached."""


@app.command("test")
def try_out(
    to: Annotated[list[str] | None, typer.Argument(metavar="[PERSON|TEAM]...", help="Whom.")] = None,
    everybody: Annotated[bool, typer.Option("--all", help="Every person, and every team with an address.")] = False,
    by: Annotated[str, typer.Option(help="Who asks; the mail says so.")] = "bongsu notify test",
    wait: Annotated[float, typer.Option(help="Seconds to wait for the mail server's answers.")] = 30.0,
    server: Server = LOCAL,
    token_file: Token = TOKEN,
    as_json: Json = False,
) -> None:
    """Send a test through the real path, and print each server's answer. Exit code 1 when one was not accepted.

    Examples: bongsu notify test jimin

    bongsu notify test --all --json
    """
    if everybody == bool(to):
        raise InvalidInput(["name people or teams, or say --all"])
    asked = Client(server, token_of(token_file))
    sent = asked.post("/api/notify/test", {"to": to or [], "by": by})
    found = _answered(asked, [each["id"] for each in sent], wait)
    if as_json:
        print_json(found)
    else:
        _show(found)
    if any(each["state"] != "accepted" for each in found):
        raise typer.Exit(1)


def _answered(asked: Client, ids: list[int], wait: float) -> list[dict[str, Any]]:
    until = time.monotonic() + wait
    query = "&".join(f"id={each}" for each in ids)
    while True:
        found: list[dict[str, Any]] = asked.get(f"/api/deliveries?{query}&limit={max(1, len(ids))}")
        if all(each["state"] in ("accepted", "refused") for each in found) or time.monotonic() > until:
            return sorted(found, key=lambda each: int(each["id"]))
        time.sleep(0.2)


def _show(found: list[dict[str, Any]]) -> None:
    shown = table("to", "address", "state", "answer")
    for each in found:
        tries = each["tries"]
        answer = tries[-1]["answer"] if tries else "not tried yet: mail does not go out (see `bongsu notify relay`)"
        colour = {"accepted": "green", "refused": "red"}.get(each["state"], "yellow")
        to = each["recipient"]
        shown.add_row(escape(to["name"]), escape(to["address"]), f"[{colour}]{each['state']}[/]", escape(answer))
    Console().print(shown)


@app.command()
def relay(server: Server = LOCAL, token_file: Token = TOKEN, as_json: Json = False) -> None:
    """Whether mail goes out, when it did not, and which addresses refused it the last time.

    Example: bongsu notify relay --json
    """
    found = client(server, token_file).get("/api/relay")
    if as_json:
        print_json(found)
        return
    console = Console(soft_wrap=True, highlight=False)
    console.print("[red]mail does not go out[/]" if found["down"] else "[green]mail goes out[/]")
    for each in found["outages"]:
        console.print(f"away from {each['since']} to {each['ended_at'] or 'now'}: {escape(each['why'])}")
    for address, each in found["suspects"].items():
        console.print(f"refused since {each['since']}: {escape(address)} ({escape(each['why'])})")
