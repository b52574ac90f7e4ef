"""``bongsu report``, ``items``, ``review``, ``lessons``: what comes after an incident, over the server's API."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from bongsu.cli.server import LOCAL, TOKEN, Json, Server, Token, client, print_json
from bongsu.cli.tables import table
from bongsu.core.errors import InvalidInput
from bongsu.core.followup import SECTIONS, tags_of

report = typer.Typer(help="Read, write, approve and share incident reports.", no_args_is_help=True)
items = typer.Typer(help="What was promised after incidents.", no_args_is_help=True)
review = typer.Typer(help="The regular review.", no_args_is_help=True)

By = Annotated[str, typer.Option("--by", envvar=["BONGSU_NAME", "USER"], help="Who you are.")]


@report.command("show")
def show(
    incident_id: str,
    server: Server = LOCAL,
    token_file: Token = TOKEN,
    form: Annotated[str, typer.Option("--format", help="md, html, pdf or json.")] = "md",
    lang: Annotated[str, typer.Option(help="en or ko.")] = "en",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write it to this file.")] = None,
) -> None:
    """A report, to read or to file.

    Example: bongsu report show 20260105-2012-k3f9 --format pdf --lang ko -o report.pdf
    """
    paths = {"md": "report.md", "html": "report", "pdf": "report.pdf"}
    api = client(server, token_file)
    if form == "json":
        print_json(api.report(incident_id))
        return
    if form not in paths:
        raise InvalidInput([f"--format {form}: choose md, html, pdf or json"])
    body = api.raw(f"/incidents/{incident_id}/{paths[form]}?lang={lang}")
    if out is not None:
        out.write_bytes(body)
        print(out)  # noqa: T201
    elif form == "pdf":
        raise InvalidInput(["a PDF goes to a file: add --out report.pdf"])
    else:
        print(body.decode())  # noqa: T201


@report.command("edit")
def edit(
    incident_id: str, by: By = "", server: Server = LOCAL, token_file: Token = TOKEN,
    file: Annotated[Path | None, typer.Option("--file", help="Take the text from here instead of an editor.")] = None,
) -> None:  # fmt: skip
    """Write a report's sections in your editor (EDITOR).

    Example: bongsu report edit 20260105-2012-k3f9 --by Jimin
    """
    api = client(server, token_file)
    there = api.get(f"/api/incidents/{incident_id}/written")["edition"] or {}
    before = as_text(there.get("texts", {}), there.get("tags", []))
    after = file.read_text(encoding="utf-8") if file is not None else _edited(before)
    if after == before:
        print("Nothing changed.")  # noqa: T201
        return
    texts, tags = from_text(after)
    body = {"by": by, "texts": texts, "tags": tags, "based_on": there.get("number", 0)}
    made = api.post(f"/api/incidents/{incident_id}/written", body)
    print(f"Edition {made['number']} is kept.")  # noqa: T201
    if made["both"]:
        print(f"Somebody wrote at the same time; both texts stand in: {', '.join(made['both'])}.")  # noqa: T201


@report.command("approve")
def approve(incident_id: str, by: By = "", server: Server = LOCAL, token_file: Token = TOKEN) -> None:
    """Declare the newest edition final; facts and words stay as they are from then on.

    Example: bongsu report approve 20260105-2012-k3f9 --by Sora
    """
    api = client(server, token_file)
    there = api.get(f"/api/incidents/{incident_id}/written")["edition"] or {}
    api.post(f"/api/incidents/{incident_id}/approve", {"by": by, "number": there.get("number", 0)})
    print(f"The report of {incident_id} is approved.")  # noqa: T201


@report.command("withdraw")
def withdraw(incident_id: str, by: By = "", server: Server = LOCAL, token_file: Token = TOKEN) -> None:
    """Take an approval back, so that the report can be changed.

    Example: bongsu report withdraw 20260105-2012-k3f9 --by Sora
    """
    client(server, token_file).post(f"/api/incidents/{incident_id}/withdraw", {"by": by})


@report.command("share")
def share(incident_id: str, to: list[str], by: By = "", server: Server = LOCAL, token_file: Token = TOKEN) -> None:
    """Mail a report to people and teams.

    Example: bongsu report share 20260105-2012-k3f9 team:commerce person:sora
    """
    sent = client(server, token_file).post(f"/api/incidents/{incident_id}/share", {"by": by, "to": to})
    print(f"{sent['mails']} mails are on their way.")  # noqa: T201


@items.command("list")
def list_items(server: Server = LOCAL, token_file: Token = TOKEN, as_json: Json = False) -> None:
    """Everything that is still to be done.

    Example: bongsu items list
    """
    found = client(server, token_file).get("/api/items")
    if as_json:
        print_json(found)
        return
    shown = table("number", "until", "who", "what", "incident")
    for each in found:
        shown.add_row(str(each["id"]), each["due"], each["owner"], escape(each["text"]), each["incident_id"])
    Console().print(shown if found else "Nothing is left to do.")


@items.command("add")
def add_item(
    incident_id: str,
    text: str,
    owner: Annotated[str, typer.Option(help="person:X or team:X.")],
    due: Annotated[str, typer.Option(help="A date, such as 2026-03-31.")],
    by: By = "",
    server: Server = LOCAL,
    token_file: Token = TOKEN,
) -> None:
    """Promise something; its owner is told, and reminded until it is done.

    Example: bongsu items add 20260105-2012-k3f9 "cache the top sellers" --owner person:jimin --due 2026-01-20
    """
    body = {"by": by, "text": text, "owner": owner, "due": due}
    made = client(server, token_file).post(f"/api/incidents/{incident_id}/items", body)
    print(f"Action item {made['id']}, until {made['due']}.")  # noqa: T201


@items.command("done")
def done(
    number: int,
    result: Annotated[str, typer.Option(help="How it ended.")] = "",
    by: By = "",
    server: Server = LOCAL,
    token_file: Token = TOKEN,
) -> None:
    """It is done.

    Example: bongsu items done 12 --result "top sellers come from the cache since Tuesday"
    """
    client(server, token_file).post(f"/api/items/{number}/done", {"by": by, "result": result})


@review.command("show")
def show_review(server: Server = LOCAL, token_file: Token = TOKEN, as_json: Json = False) -> None:
    """The agenda: what was not dealt with, what is late, and whether we get better.

    Example: bongsu review show --json
    """
    found = client(server, token_file).get("/api/review")
    if as_json:
        print_json(found)
        return
    console = Console()
    waiting = table("incident", "service", "opened", "taken by", title="To review")
    for each in found["unreviewed"]:
        waiting.add_row(each["id"], each["service"], each["opened_at"], (each.get("ack") or {}).get("by", ""))
    console.print(waiting if found["unreviewed"] else "No incident waits for a review.")
    late = table("number", "until", "who", "what", title="Overdue")
    for each in found["overdue"]:
        late.add_row(str(each["id"]), each["due"], each["owner"], escape(each["text"]))
    if found["overdue"]:
        console.print(late)
    pace = table("median", "this span", "the one before", title="Do we get better?")
    for name in ("incidents", "detect", "acknowledge", "recover"):
        pace.add_row(name, *(_figure(name, found[span].get(name)) for span in ("now", "before")))
    console.print(pace)
    for key, title in (("missed_alarms", "Missed alarms"), ("false_alarms", "False alarms")):
        alarms = table("incident", "service", "why", "reason given", title=title)
        for each in found[key]:
            alarms.add_row(each["incident"]["id"], each["incident"]["service"], each["why"], escape(each["said"]))
        console.print(alarms if found[key] else f"{title}: none.")
    drills = table("drill", "ended", "verdict", "not met", title="The last drills")
    for each in found["drills"]:
        said = each["problem"] or "\n".join(each["failed"])
        verdict = each["verdict"] or "cannot be read"
        drills.add_row(each["scenario"] or each["name"], each["at"] or "", verdict, escape(said))
    if found["drills"]:
        console.print(drills)


@review.command("close")
def close(ids: list[str], by: By = "", server: Server = LOCAL, token_file: Token = TOKEN) -> None:
    """The meeting has dealt with these incidents.

    Example: bongsu review close 20260105-2012-k3f9 --by Sora
    """
    client(server, token_file).post("/api/review/close", {"by": by, "ids": ids})


def lessons(
    words: Annotated[list[str] | None, typer.Argument(help="Words that must stand in it.")] = None,
    tag: Annotated[str, typer.Option(help="Only with this tag.")] = "",
    server: Server = LOCAL,
    token_file: Token = TOKEN,
    as_json: Json = False,
) -> None:
    """Search what was learned from incidents.

    Example: bongsu lessons cache --tag sale
    """
    found = client(server, token_file).get("/api/lessons", q=" ".join(words or []), tag=tag)
    if as_json:
        print_json(found)
        return
    for each in found:
        print(f"{each['incident_id']}  {each['by']}  {' '.join('#' + tag for tag in each['tags'])}")  # noqa: T201
        print(as_text(each["texts"], []))  # noqa: T201
    if not found:
        print("Nothing was written down that fits.")  # noqa: T201


def as_text(texts: dict[str, str], tags: list[str]) -> str:
    """Sections as one Markdown text: a heading each."""
    parts = [f"# {name}\n\n{texts.get(name, '')}".rstrip() for name in SECTIONS]
    return "\n\n".join([*parts, f"# tags\n\n{' '.join(tags)}".rstrip()]) + "\n"


def from_text(text: str) -> tuple[dict[str, str], list[str]]:
    """Sections and tags out of one text. Raises InvalidInput for words before the first heading."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        heading = line.removeprefix("# ").strip()
        if line.startswith("# ") and heading in (*SECTIONS, "tags"):
            name = heading
            found[name] = []
        elif name:
            found[name].append(line)
        elif line.strip():
            raise InvalidInput(
                [f"{line[:40]!r} stands before the first heading; headings are # {', # '.join(SECTIONS)}"]
            )
    whole = {key: "\n".join(lines).strip() for key, lines in found.items()}
    return {key: said for key, said in whole.items() if key != "tags"}, list(tags_of(whole.get("tags", "")))


def _edited(before: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.md"
        file.write_text(before, encoding="utf-8")
        subprocess.run([*shlex.split(os.environ.get("EDITOR", "vi")), str(file)], check=True)
        return file.read_text(encoding="utf-8")


def _figure(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if name == "incidents" else f"{value / 60:.1f} min"
