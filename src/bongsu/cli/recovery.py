"""``bongsu data diff``, ``plan`` and ``apply``: what differs from a backup, and putting it right."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from bongsu.cli.data import FILE, SHOWN, Json, Name, Which, opened, show_verification
from bongsu.cli.serve import ConfigOption
from bongsu.core.errors import InvalidInput
from bongsu.core.recovery_plan import parse, render

if TYPE_CHECKING:
    from bongsu.adapters.servicedata import Comparison
    from bongsu.core.comparing import Change, Layout


def diff(
    which: Which = "latest",
    config: ConfigOption = FILE,
    name: Name = None,
    since: Annotated[str | None, typer.Option(help="Changed rows written since (ISO 8601, with its zone).")] = None,
    until: Annotated[str | None, typer.Option(help="Changed rows written until.")] = None,
    as_json: Json = False,
) -> None:
    """Compare the data row by row with a backup: what is lost, damaged, changed or new. Nothing is touched.

    Lost and damaged: by the rules in tables.toml, business does not do that. Changed: it may. The window goes by when a
    row was last written (track_commit_timestamp = on); of lost rows nobody knows when they went, so they are all shown.
    Exit code 1 when something is lost or damaged.

    Examples: bongsu data diff latest

    bongsu data diff latest --since 2026-01-05T20:00+09:00 --until 2026-01-05T20:40+09:00
    """
    window = _times(since, until)
    found = opened(config, name)
    compared = found.compare(found.folder.find(which))
    if any(window) and not compared.dated:
        raise InvalidInput([
            "--since and --until: this server does not know when rows were written; "
            "set track_commit_timestamp = on for the next time, and leave them away now"
        ])  # fmt: skip
    changes = [each for each in compared.changes if _within(each, *window)]
    if as_json:
        print(json.dumps(_comparison(compared, changes), default=str, ensure_ascii=False))  # noqa: T201
    else:
        _show(compared, changes, Console(highlight=False, soft_wrap=True))
    raise typer.Exit(1 if any(each.damaged for each in changes) else 0)


def plan(
    which: Which = "latest",
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write.", metavar="PLAN.sql")] = Path("plan.sql"),
    config: ConfigOption = FILE,
    name: Name = None,
    as_json: Json = False,
) -> None:
    """Work out on a copy what puts the data right, prove it there, and write it as SQL to review. Nothing is touched.

    What the backup has and business does not delete comes back; what business does not change is put right; then each
    invariant's own repair, from the histories, for what the backup is too old to know.

    Example: bongsu data plan latest --out plan.sql
    """
    data = opened(config, name)
    made = data.plan(data.folder.find(which))
    try:
        out.write_text(render(made.plan), encoding="utf-8")
    except OSError as error:
        raise InvalidInput([f"--out: {out} cannot be written ({error.strerror}); name another file"]) from None
    if as_json:
        damaged = {each.name: len(each.rows) for each in made.before.verdicts if each.rows}
        told = {
            "file": str(out), "steps": len(made.plan.steps), "leaves": dict(made.plan.leaves),
            "took_s": round(made.took, 3), "damaged_before": damaged,
            "recovery_point": made.plan.recovery_point.isoformat(),
        }  # fmt: skip
        print(json.dumps(told))  # noqa: T201
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"before: {made.before.holding} of {len(made.before.verdicts)} invariants hold")
    old = [each for each in made.plan.steps if each.why.endswith("as in the backup")]
    kinds = Counter(each.why.partition(",")[0] for each in made.plan.steps if each not in old)
    taken = f"{made.plan.recovery_point:%Y-%m-%d %H:%M:%S} UTC"
    console.print(f"plan:   {len(made.plan.steps)} steps, {len(old)} of them from the backup of {taken}")
    for kind, count in kinds.items():
        console.print(f"        {count} {kind}")
    console.print(f"after:  {made.after.holding} of {len(made.after.verdicts)} hold on a copy ({made.took:.1f} s)")
    for broken, count in made.plan.leaves.items():
        console.print(f"[yellow]left[/yellow]    {broken}: {count} rows that no step can put right; they need a person")
    if made.plan.steps:
        console.print(f"Read {escape(str(out))}, then: bongsu data apply {escape(str(out))} --confirm")
    else:
        console.print("There is nothing to put right.")


def apply(
    file: Annotated[Path, typer.Argument(metavar="PLAN.sql", help="A plan that bongsu data plan wrote.")],
    confirm: Annotated[bool, typer.Option("--confirm", help="You have read the plan.")] = False,
    config: ConfigOption = FILE,
    name: Name = None,
    as_json: Json = False,
) -> None:
    """Carry out a plan in one transaction: every step touches its one row and the invariants hold, or nothing is done.

    Example: bongsu data apply plan.sql --confirm
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput([f"{file}: cannot be read ({error}); name a file that bongsu data plan wrote"]) from None
    wanted = parse(str(file), text)
    if not confirm:
        raise InvalidInput([
            f"{file} has {len(wanted.steps)} steps that change the data of {wanted.database}; "
            "read them, then say --confirm"
        ])  # fmt: skip
    done = opened(config, name).apply(wanted)
    if as_json:
        print(json.dumps({  # noqa: T201
            "steps": done.steps, "holding": done.after.holding, "of": len(done.after.verdicts),
            "writers_waited_s": round(done.waited, 3), "recovery_time_s": round(done.recovery_time.total_seconds(), 1),
            "recovery_point": done.recovery_point.isoformat(),
        }))  # fmt: skip
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[green]ok[/green]    {done.steps} steps in one transaction; writers waited {done.waited:.2f} s")
    show_verification(done.after, console)
    console.print(f"recovery time {done.recovery_time.total_seconds():.0f} s since the plan was begun; recovery point "
                  f"{done.recovery_point:%Y-%m-%d %H:%M:%S} UTC, and what came later from the histories")  # fmt: skip


def _times(since: str | None, until: str | None) -> tuple[datetime | None, datetime | None]:
    found: list[datetime | None] = []
    problems = []
    for flag, text in (("--since", since), ("--until", until)):
        try:
            at = datetime.fromisoformat(text) if text else None
        except ValueError:
            at = None
            problems.append(f"{flag}: {text!r} is not a time; write 2026-01-05T20:00+09:00")
        if at is not None and at.tzinfo is None:
            problems.append(f"{flag}: {text!r} has no time zone; write 2026-01-05T20:00+09:00")
        found.append(at)
    if problems:
        raise InvalidInput(problems)
    return found[0], found[1]


def _within(change: Change, since: datetime | None, until: datetime | None) -> bool:
    if change.written is None:
        return True
    return (since is None or change.written >= since) and (until is None or change.written <= until)


def _show(compared: Comparison, changes: list[Change], console: Console) -> None:
    layouts = {each.table: each for each in compared.layouts}
    for table, tally in compared.tallies.items():
        mine = [each for each in changes if each.table == table]
        counts = Counter(each.kind for each in mine)
        said = "".join(f", {count} {kind}" for kind, count in sorted(counts.items()))
        console.print(f"{table}: {tally.same} as in the backup, {tally.new} new{said}")
        damaged = [each for each in mine if each.damaged]
        for each in damaged[:SHOWN]:
            console.print(f"  [red]{each.kind}[/red] {escape(_line(layouts[table], each))}")
        if len(damaged) > SHOWN:
            console.print(f"  and {len(damaged) - SHOWN} more (--json lists all)")
    for table in compared.unkeyed:
        console.print(f"[yellow]{table}[/yellow]: has no primary key and cannot be compared")
    if not compared.dated:
        console.print("When rows were written is not known: track_commit_timestamp is off.")


def _line(layout: Layout, change: Change) -> str:
    key = ", ".join(f"{name} {value}" for name, value in zip(layout.key, change.key, strict=True))
    cells = "".join(f"; {each.column} {each.before} -> {each.now}" for each in change.cells if each.damaged)
    written = f" (written {change.written:%H:%M:%S} UTC)" if change.written else ""
    return f"{key}{cells}{written}"


def _comparison(compared: Comparison, changes: list[Change]) -> dict[str, object]:
    return {
        "backup": compared.backup.file,
        "recovery_point": compared.backup.taken_at.isoformat(),
        "tables": {name: {"same": each.same, "new": each.new} for name, each in compared.tallies.items()},
        "unkeyed": list(compared.unkeyed),
        "changes": [
            {
                "table": each.table, "key": list(each.key), "kind": each.kind,
                "written": each.written.isoformat() if each.written else None,
                "columns": {cell.column: [cell.before, cell.now] for cell in each.cells},
            }
            for each in changes
        ],
    }  # fmt: skip
