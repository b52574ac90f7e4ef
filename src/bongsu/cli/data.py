"""``bongsu data``: a service's database verified, backed up, compared, put right; in place, without the server."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from bongsu import config as configuration
from bongsu.cli.serve import ConfigOption
from bongsu.cli.tables import table
from bongsu.core.checkup import Finding, Level
from bongsu.core.errors import BongsuError, InvalidInput
from bongsu.core.recovery import Verification

if TYPE_CHECKING:
    from bongsu.adapters.servicedata import ServiceData
    from bongsu.core.backups import Backup

app = typer.Typer(help="Verify, back up and recover a service's database (\\[data.NAME]).", no_args_is_help=True)

Name = Annotated[str | None, typer.Option("--data", help="Which [data.NAME], if there are several.", metavar="NAME")]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
Which = Annotated[str, typer.Argument(metavar="BACKUP", help="A file of the folder of backups, or: latest.")]
FILE = Path("bongsu.toml")
SHOWN = 10


def opened(config: Path, name: str | None) -> ServiceData:
    """The data that is meant. Raises InvalidInput."""
    from bongsu.bootstrap import data_of

    loaded = configuration.load(config)
    if not loaded.data:
        raise InvalidInput([f"{config}: there is no [data.NAME]; see docs/recover-data.md for how to write one"])
    known = ", ".join(sorted(loaded.data))
    if name is None and len(loaded.data) > 1:
        raise InvalidInput([f"there are several: {known}; name one with --data"])
    name = name or next(iter(loaded.data))
    if name not in loaded.data:
        raise InvalidInput([f"there is no [data.{name}] in {config}; known: {known}"])
    return data_of(name, loaded.data[name])


def data_in_care(loaded: configuration.Config) -> list[Finding]:
    """What `bongsu check` says of each [data.NAME], by its files alone."""
    from bongsu.bootstrap import data_of

    found = []
    for name, section in loaded.data.items():
        try:
            invariants = len(data_of(name, section).invariants)
        except InvalidInput as error:
            found += [Finding(Level.ERROR, problem, f"data.{name}") for problem in error.problems]
            continue
        found.append(Finding(Level.OK, f"{invariants} invariants", f"data.{name}"))
        if section.every is None:
            do = 'give `every = "PT6H"`, if nobody else backs it up'
            found.append(Finding(Level.WARNING, "no backup is scheduled", f"data.{name}", do))
    return found


@app.command()
def verify(
    config: ConfigOption = FILE,
    name: Name = None,
    as_json: Json = False,
    export: Annotated[Path | None, typer.Option(help="Every damaged row into a CSV file.", metavar="FILE.csv")] = None,
) -> None:
    """Ask every invariant: it holds, or which rows are damaged. Exit code 1 when one does not hold.

    Examples: bongsu data verify

    bongsu data verify --json --export damaged.csv
    """
    found = opened(config, name).verify()
    if export is not None:
        _export(found, export)
    if as_json:
        print(json.dumps(_verification(found), ensure_ascii=False, default=str))  # noqa: T201
    else:
        show_verification(found, _console())
        if export is not None:
            _console().print(f"{found.damaged} damaged rows are in {escape(str(export))}")
    if found.faults:
        raise InvalidInput(found.faults)
    raise typer.Exit(0 if found.good else 1)


@app.command()
def backup(
    config: ConfigOption = FILE,
    name: Name = None,
    as_json: Json = False,
    prove: Annotated[bool, typer.Option("--prove/--no-prove", help="Restore it elsewhere and verify it.")] = True,
) -> None:
    """Take a backup, restore it in a scratch server, count its rows and ask the invariants there.

    Example: bongsu data backup
    """
    data = opened(config, name)
    made = data.back_up()
    if prove:
        made = data.prove(made)
    if as_json:
        print(json.dumps(_backup(made, data.clock.now())))  # noqa: T201
    else:
        console = _console()
        console.print(
            f"[green]ok[/green]    {escape(str(data.folder.path / made.file))}: "
            f"{_bytes(made.size)} in {made.took:.1f} s"
        )
        console.print(
            f"      the data of {made.taken_at:%Y-%m-%d %H:%M:%S} UTC, PostgreSQL {made.version}, at {made.lsn}"
        )
        console.print(f"      rows: {', '.join(f'{table} {count}' for table, count in sorted(made.rows.items()))}")
        if made.verified_at and made.holding:
            console.print(f"[green]ok[/green]    restored in {made.restored_in:.1f} s; every row there, "
                          f"{made.holding[0]} of {made.holding[1]} invariants hold")  # fmt: skip
    if made.fault:
        raise BongsuError(f"{made.file} was made, but: {made.fault}")


@app.command()
def backups(config: ConfigOption = FILE, name: Name = None, as_json: Json = False) -> None:
    """The backups: how old, how large, when last restored and verified.

    Example: bongsu data backups --json
    """
    data = opened(config, name)
    found, now = data.backups(), data.clock.now()
    if as_json:
        print(json.dumps([_backup(each, now) for each in found]))  # noqa: T201
        return
    shown = table("backup", "age", "size", "verified", "restored in")
    for each in found:
        verified = f"{_age(now, each.verified_at)} ago" if each.verified_at else each.fault or "never"
        restored = f"{each.restored_in:.1f} s" if each.restored_in is not None else ""
        shown.add_row(escape(each.file), _age(now, each.taken_at), _bytes(each.size), escape(verified), restored)
    _console().print(shown if found else "There is no backup. Make one with: bongsu data backup")


@app.command()
def prove(which: Which = "latest", config: ConfigOption = FILE, name: Name = None, as_json: Json = False) -> None:
    """Restore a backup in a scratch server and verify it there; noted in its manifest.

    Example: bongsu data prove latest
    """
    data = opened(config, name)
    proven = data.prove(data.folder.find(which))
    if as_json:
        print(json.dumps(_backup(proven, data.clock.now())))  # noqa: T201
    if proven.fault:
        raise BongsuError(f"{proven.file}: {proven.fault}")
    if not as_json and proven.holding:
        _console().print(
            f"[green]ok[/green]    {escape(proven.file)}: restored in {proven.restored_in:.1f} s; every row there, "
            f"{proven.holding[0]} of {proven.holding[1]} invariants hold"
        )


@app.command()
def restore(
    which: Which,
    beside: Annotated[bool, typer.Option("--beside", help="As another database of the same server.")] = False,
    as_name: Annotated[str | None, typer.Option("--as", help="The other database's name.", metavar="DATABASE")] = None,
    config: ConfigOption = FILE,
    name: Name = None,
    as_json: Json = False,
) -> None:
    """Restore a backup beside the data, as another database, and verify it there. The data itself is not touched.

    Example: bongsu data restore latest --beside
    """
    if not beside:
        raise InvalidInput([
            "a whole restore would lose what was accepted since the backup: restore it with --beside and look, "
            "or let bongsu data plan put right what is damaged"
        ])  # fmt: skip
    data = opened(config, name)
    found = data.folder.find(which)
    target = as_name or f"{data.name}_{found.taken_at.astimezone(UTC):%Y%m%dt%H%M%S}"
    verified, took = data.restore_beside(found, target)
    now = data.clock.now()
    if as_json:
        told = {"database": target, "restored_s": round(took, 3), "recovery_point": found.taken_at.isoformat()}
        print(json.dumps({**told, **_verification(verified)}, default=str))  # noqa: T201
        return
    console = _console()
    console.print(f"[green]ok[/green]    {escape(found.file)} is now the database {escape(target)}, in {took:.1f} s")
    console.print(f"      recovery point {found.taken_at:%Y-%m-%d %H:%M:%S} UTC: {_age(now, found.taken_at)} ago")
    show_verification(verified, console)
    console.print(f"When you no longer need it: DROP DATABASE {escape(target)}")


def show_verification(found: Verification, console: Console) -> None:
    """A line for each invariant, and the first damaged rows of each that does not hold."""
    for each in found.verdicts:
        if each.fault:
            console.print(f"[red]?[/red]        {each.name}: could not be asked")
        elif each.holds:
            console.print(f"[green]holds[/green]    {each.name}: {escape(each.means)}")
        else:
            count = f"{len(each.rows)} row" + "s" * (len(each.rows) != 1)
            console.print(f"[red]damaged[/red]  {each.name}: {escape(each.means)}; {count}")
            for row in each.rows[:SHOWN]:
                said = ", ".join(f"{name} {value}" for name, value in zip(each.columns, row, strict=True))
                console.print(f"           {escape(said)}")
            if len(each.rows) > SHOWN:
                console.print(f"           and {len(each.rows) - SHOWN} more (--export lists all)")
    took = f", asked in {found.took:.2f} s" if found.took else ""
    console.print(f"{found.holding} of {len(found.verdicts)} hold{took}")


def _export(found: Verification, to: Path) -> None:
    try:
        with to.open("w", newline="", encoding="utf-8") as file:
            out = csv.writer(file)
            out.writerow(["invariant", "key", "row"])
            for each in found.verdicts:
                for key, row in zip(each.keys(), each.rows, strict=True):
                    out.writerow([each.name, key, json.dumps(dict(zip(each.columns, row, strict=True)), default=str)])
    except OSError as error:
        raise InvalidInput([f"--export: {to} cannot be written ({error.strerror}); name another file"]) from None


def _verification(found: Verification) -> dict[str, Any]:
    return {
        "data": found.database,
        "at": found.at.isoformat(),
        "good": found.good,
        "holding": found.holding,
        "of": len(found.verdicts),
        "invariants": [
            {
                "name": each.name, "means": each.means, "holds": each.holds, "fault": each.fault,
                "damaged": [dict(zip(each.columns, row, strict=True)) for row in each.rows],
            }
            for each in found.verdicts
        ],
    }  # fmt: skip


def _backup(each: Backup, now: datetime) -> dict[str, Any]:
    return {
        "file": each.file, "taken_at": each.taken_at.isoformat(), "age_s": round((now - each.taken_at).total_seconds()),
        "bytes": each.size, "took_s": each.took, "sha256": each.sha256, "server": each.version, "lsn": each.lsn,
        "rows": dict(each.rows), "verified_at": each.verified_at.isoformat() if each.verified_at else None,
        "restored_s": each.restored_in, "holding": each.holding, "fault": each.fault,
    }  # fmt: skip


def _bytes(size: int) -> str:
    return f"{size / 2**20:.1f} MiB" if size >= 2**20 else f"{size / 2**10:.0f} KiB"


def _age(now: datetime, then: datetime) -> str:
    seconds = max(0, int((now - then).total_seconds()))
    for unit, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"


def _console() -> Console:
    return Console(highlight=False, soft_wrap=True)
