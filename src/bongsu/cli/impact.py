"""``bongsu impact``: who was hurt, by an incident of a running server, or in any time from the access log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from bongsu import config as configuration
from bongsu.cli.serve import ConfigOption
from bongsu.cli.server import LOCAL, TOKEN, Server, Token, client, print_json
from bongsu.cli.tables import table
from bongsu.core.errors import InvalidInput
from bongsu.core.impact import Measured

THREADS = 2
COUNTING = 300.0
"""Seconds that the server may count."""
_ROUTE = ("sent", "failed", "slow", "limit", "users ≥", "users ≤", "blocked")
"""The columns beside the route's name, narrow enough for 80 signs."""


def impact(
    incident_id: Annotated[str | None, typer.Argument(help="An incident of the running server.")] = None,
    service: Annotated[str | None, typer.Option(help="Count this service's log for a time.")] = None,
    since: Annotated[str | None, typer.Option("--from", help="When it began: 2026-01-05T20:14:00+09:00.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="When it was over.")] = None,
    calm: Annotated[float, typer.Option(help="Minutes before it to compare with.")] = 30.0,
    config: ConfigOption = Path("bongsu.toml"),
    server: Server = LOCAL,
    token_file: Token = TOKEN,
    query: Annotated[bool, typer.Option("--query", help="Print the script that counts, for DuckDB.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of tables.")] = False,
) -> None:
    """Who was hurt: failed, slowed and blocked users beside the active ones, by route; what is only estimated, apart.

    By incident it asks the server; for a time of a service it reads bongsu.toml and the logs here.

    Examples: bongsu impact 20260105-2012-k3f9

    bongsu impact --service shop --from 2026-01-05T20:14:00+09:00 --to 2026-01-05T20:54:00+09:00 --json
    """
    problems = [f"{flag} is missing" for flag, given in (("--from", since), ("--to", until)) if service and not given]
    if bool(incident_id) == bool(service):
        problems.append("name an incident, or a --service with --from and --to; not both")
    if calm <= 0:
        problems.append(f"--calm: {calm:g} minutes is no time to compare with; 30 is usual")
    if problems:
        raise InvalidInput(problems)
    if incident_id:
        answer = client(server, token_file, COUNTING).get(f"/api/incidents/{incident_id}/impact")
        found = msgspec.convert(answer, Measured)
    else:
        found = _count(config, str(service), (str(since), str(until)), timedelta(minutes=calm))
    if query:
        print(found.traffic.query)  # noqa: T201 - this is the command's output
    elif as_json:
        print_json(msgspec.to_builtins(found))
    else:
        show(found, Console(highlight=False, soft_wrap=True))


def _count(file: Path, service: str, times: tuple[str, str], calm: timedelta) -> Measured:
    from bongsu.bootstrap import logs_of, prometheus_of, sales_of
    from bongsu.core.timescale import Timescale
    from bongsu.engine.impact import measure

    loaded = configuration.load(file)
    problems: list[str] = []
    logs = logs_of(loaded, threads=THREADS)
    if service not in loaded.service:
        problems.append(f"--service: there is no service {service!r}; known: {', '.join(sorted(loaded.service))}")
    elif service not in logs:
        problems.append(f"{file}: service.{service} has no access_log; docs/impact.md shows how to write one")
    window = [_time(flag, text, problems) for flag, text in zip(("--from", "--to"), times, strict=True)]
    if problems:
        raise InvalidInput(problems)
    return measure(
        service,
        logs[service],
        (window[0], window[1]),
        sales=sales_of(loaded.service[service]),
        metrics=prometheus_of(loaded),
        timescale=Timescale(loaded.timescale.origin, loaded.timescale.speed),
        calm=calm,
    )


def _time(flag: str, text: str, problems: list[str]) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        problems.append(f"{flag}: {text!r} is not a time; write 2026-01-05T20:14:00+09:00")
        return datetime.min.replace(tzinfo=UTC)
    if found.tzinfo is None:
        problems.append(f"{flag}: {text!r} has no time zone; write {text}+09:00, or {text}Z for UTC")
    return found


def show(found: Measured, console: Console) -> None:
    """The figures, then what they leave open, then where they come from."""
    from bongsu.render.impacts import Hurt
    from bongsu.render.words import Words

    said = Hurt(found, Words("en"))
    console.print(f"[bold]{escape(found.service)}[/bold], {said.window}")
    console.print(said.headline)
    people = table("users", "at least", "at most", "of the active")
    for row in said.people:
        people.add_row(*row)
    console.print(people)
    routes = Table(Column("route", min_width=28, overflow="fold"), box=None, padding=(0, 1))
    for name in _ROUTE:
        routes.add_column(name, justify="right")
    for route in said.routes:
        routes.add_row(*map(escape, route))
    console.print(routes)
    for line in (*said.estimates, said.left_out, *said.doubts, said.definitions):
        console.print(escape(line))
    console.print(f"From {escape(said.files)}. The script that counted: --query.", style="dim")
