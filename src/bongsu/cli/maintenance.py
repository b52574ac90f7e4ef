"""``bongsu maintenance`` and ``bongsu silence``: mute on purpose, with an owner and an end, over the server's API."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from bongsu.cli.server import LOCAL, TOKEN, Json, Server, Token, client, print_json, token_of
from bongsu.cli.tables import table
from bongsu.client import Client
from bongsu.core.errors import InvalidInput

app = typer.Typer(help="Mute the tiers of a service while you work on it.", no_args_is_help=True)
silence_app = typer.Typer(help="Mute alerts by their labels, after a look at what that mutes.", no_args_is_help=True)

By = Annotated[str, typer.Option("--by", help="The owner, who is told when it begins and ends.")]
Why = Annotated[str, typer.Option("--why", help="What is done.")]
Also = Annotated[list[str] | None, typer.Option("--also", help="Mute this too: ceiling, exhaustion or blindness.")]
Exhaustion = Annotated[bool, typer.Option("--mute-exhaustion", help="The same as --also exhaustion.")]
OfPolicy = Annotated[str | None, typer.Option("--policy", help="Only incidents of this policy.")]
For = Annotated[str, typer.Option("--for", help="How long: 30m, 2h or 1h30m.")]


def minutes_of(span: str) -> float:
    """Minutes of ``1h30m``. Raises InvalidInput."""
    hours, found, rest = span.strip().lower().rpartition("h")
    try:
        return (float(hours) * 60 if found else 0.0) + (float(rest.removesuffix("m")) if rest else 0.0)
    except ValueError:
        raise InvalidInput([f"--for: {span!r} is no span of time; write 30m, 2h or 1h30m"]) from None


@app.command()
def start(
    service: str, by: By, why: Why, span: For, policy: OfPolicy = None, also: Also = None,
    exhaustion: Exhaustion = False,
    server: Server = LOCAL, token_file: Token = TOKEN,
) -> None:  # fmt: skip
    """Begin one now. Empty credits, throttling, the ceiling and missing data still call unless muted too.

    Example: bongsu maintenance start shop --for 2h --by jimin --why "new disks"
    """
    asked = _asked(service, by, why, policy, also, exhaustion)
    print_json(Client(server, token_of(token_file)).post("/api/maintenances", {**asked, "minutes": minutes_of(span)}))


@app.command()
def plan(
    service: str, by: By, why: Why, begins: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%dT%H:%M%z"])],
    ends: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%dT%H:%M%z"])], policy: OfPolicy = None,
    also: Also = None, exhaustion: Exhaustion = False, server: Server = LOCAL, token_file: Token = TOKEN,
) -> None:  # fmt: skip
    """Plan one; it begins by itself.

    Example: bongsu maintenance plan shop --from 2026-01-06T02:00+09:00 --to 2026-01-06T04:00+09:00 --by jimin --why x
    """
    times = {"starts_at": begins.isoformat(), "ends_at": ends.isoformat()}
    asked = _asked(service, by, why, policy, also, exhaustion)
    print_json(Client(server, token_of(token_file)).post("/api/maintenances", {**asked, **times}))


@app.command()
def end(maintenance_id: str, server: Server = LOCAL, token_file: Token = TOKEN) -> None:
    """End one now, or call it off.

    Example: bongsu maintenance end m-1f2e3d4c
    """
    print_json(Client(server, token_of(token_file)).post(f"/api/maintenances/{maintenance_id}/end", {}))


@app.command("list")
def list_maintenances(server: Server = LOCAL, token_file: Token = TOKEN, as_json: Json = False) -> None:
    """Those that hold, are planned, or ended in the last days.

    Example: bongsu maintenance list --json
    """
    found = client(server, token_file).get("/api/maintenances")
    if as_json:
        print_json(found)
        return
    rows = [
        (m["id"], m["state"], m["service"], m["policy"] or "", m["starts_at"], m["ends_at"], m["by"], m["why"],
         ", ".join(m["also"]))
        for m in found
    ]  # fmt: skip
    _table(("id", "state", "service", "policy", "from", "to", "owner", "why", "also mutes"), rows, "No maintenance.")


@silence_app.command()
def preview(matchers: list[str], server: Server = LOCAL, token_file: Token = TOKEN, as_json: Json = False) -> None:
    """What a silence would mute: what fires now, and the incidents of the last week.

    Example: bongsu silence preview alertname=PoolTimeouts bongsu_service=shop
    """
    found = client(server, token_file).post("/api/silences/preview", {"matchers": matchers})
    print_json(found) if as_json else _preview(found)


@silence_app.command()
def add(
    matchers: list[str], by: By, why: Why, span: For = "1h", server: Server = LOCAL, token_file: Token = TOKEN,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:  # fmt: skip
    """Show what it would mute, ask, and begin a silence.

    Example: bongsu silence add alertname=PoolTimeouts --for 2h --by jimin --why "known, being mended"
    """
    asked_of = Client(server, token_of(token_file))
    found = asked_of.post("/api/silences/preview", {"matchers": matchers})
    _preview(found)
    if not yes:
        typer.confirm("Begin this silence?", abort=True)
    shown = [alert["fingerprint"] for alert in found["alerts"]]
    asked = {"matchers": matchers, "by": by, "why": why, "minutes": minutes_of(span), "shown": shown}
    print_json(asked_of.post("/api/silences", {**asked, "confirm": bool(found["confirm"])}))


@silence_app.command("list")
def list_silences(server: Server = LOCAL, token_file: Token = TOKEN, as_json: Json = False) -> None:
    """Silences, those that ended in the last days too.

    Example: bongsu silence list
    """
    found = client(server, token_file).get("/api/v2/silences")
    if as_json:
        print_json(found)
        return
    rows = [
        (s["id"], s["status"]["state"], ", ".join(map(_matcher, s["matchers"])), s["endsAt"], s["createdBy"],
         s["comment"])
        for s in found
    ]  # fmt: skip
    _table(("id", "state", "matchers", "to", "owner", "why"), rows, "No silence.")


@silence_app.command()
def expire(silence_id: str, server: Server = LOCAL, token_file: Token = TOKEN) -> None:
    """End a silence now.

    Example: bongsu silence expire 8b0c5a52-0d0c-4c8b-9f0e-7a7c1d9f2a11
    """
    Client(server, token_of(token_file)).post(f"/api/silences/{silence_id}/expire", {})


def _asked(
    service: str, by: str, why: str, policy: str | None, also: list[str] | None, exhaustion: bool
) -> dict[str, Any]:
    more = [*(also or []), *(["exhaustion"] if exhaustion else [])]
    return {"service": service, "by": by, "why": why, "policy": policy, "also": list(dict.fromkeys(more))}


def _preview(found: dict[str, Any]) -> None:
    console = Console()
    console.print(f"It may concern: {', '.join(found['services']) or 'no service'}")
    labels = [(each["labels"].get("alertname", ""), str(each["labels"])) for each in found["alerts"]]
    _table(("fires now", "labels"), labels, "Nothing that fires now.")
    past = [(each["id"], each["service"], each["status"]) for each in found["incidents"]]
    _table(("incident of the last week", "service", "status"), past, "No incident of the last week.")
    for problem in found["confirm"]:
        console.print(f"[yellow]broad:[/yellow] {escape(problem)}")


def _matcher(each: dict[str, Any]) -> str:
    op = {(False, True): "=", (False, False): "!=", (True, True): "=~", (True, False): "!~"}
    return f"{each['name']}{op[each['isRegex'], each['isEqual']]}{each['value']}"


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]], none: str) -> None:
    shown = table(*heads)
    for row in rows:
        shown.add_row(*(escape(cell) for cell in row))
    Console().print(shown if rows else none)
