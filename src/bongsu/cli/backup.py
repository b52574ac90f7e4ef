"""``bongsu backup`` and ``bongsu restore``: Bongsu's own database, not the service's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from bongsu import config as configuration
from bongsu.cli.serve import ConfigOption

if TYPE_CHECKING:  # the database's library takes longer to load than all other commands together
    from bongsu.store.backup import Copy

Json = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]


def backup(
    to: Annotated[Path, typer.Argument(help="The file to write, or a folder (the name is then made of the time).")],
    config: ConfigOption = Path("bongsu.toml"),
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    as_json: Json = False,
) -> None:
    """Copy Bongsu's own database into a file, while bongsu serve goes on; the copy is verified before it gets its name.

    Examples: bongsu backup /var/backups/bongsu

    bongsu backup --config /etc/bongsu/bongsu.toml --force /var/backups/bongsu/last.db
    """
    from bongsu.adapters.clock import SystemClock
    from bongsu.store.backup import back_up

    loaded = configuration.load(config)
    if to.is_dir():
        ending = "db" if loaded.store.url.startswith("sqlite") else "dump"
        to /= f"bongsu-{SystemClock().now():%Y%m%dT%H%M%SZ}.{ending}"
    copy = back_up(loaded.store.url, to, replace=force)
    if as_json:
        print(json.dumps({"file": str(to), "bytes": to.stat().st_size, **_data(copy)}))  # noqa: T201
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[green]ok[/green]    {escape(str(to))}: {_size(to)}, whole and readable")
    _show(copy, console)
    secrets = escape(str(loaded.web.secrets))
    console.print(
        f"It does not hold {escape(str(config))} and the secrets in {secrets}: copy them once, to a place as safe.\n"
        f"To put it back: bongsu restore {escape(str(to))} --config {escape(str(config))}"
    )


def restore(
    file: Annotated[Path, typer.Argument(metavar="FROM", help="A file that bongsu backup made.")],
    config: ConfigOption = Path("bongsu.toml"),
    as_json: Json = False,
) -> None:
    """Put a backup in the place of Bongsu's database; stop bongsu serve first. The old database is kept beside it.

    Example: bongsu restore /var/backups/bongsu/last.db --config bongsu.toml
    """
    from bongsu.adapters.clock import SystemClock
    from bongsu.store.restore import restore as put_back

    loaded = configuration.load(config)
    copy, kept = put_back(file, loaded.store.url, f"{SystemClock().now():%Y%m%dt%H%M%S}")
    if as_json:
        print(json.dumps({"restored": str(file), "kept": kept, **_data(copy)}))  # noqa: T201
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[green]ok[/green]    restored from {escape(str(file))}")
    _show(copy, console)
    if kept is not None:
        console.print(f"The old database is kept: {escape(kept)}. Remove it when all is well.")
    console.print(f"Next: bongsu serve --config {escape(str(config))}")


def _data(copy: Copy) -> dict[str, object]:
    return {"kind": copy.kind, "schema": max(copy.schema), "rows": dict(copy.rows)}


def _show(copy: Copy, console: Console) -> None:
    rows = ", ".join(f"{name} {count}" for name, count in copy.rows.items() if name != "migrations")
    console.print(f"      {copy.kind}, schema {max(copy.schema)}; rows: {rows}")


def _size(file: Path) -> str:
    size = file.stat().st_size
    return f"{size / 2**20:.1f} MiB" if size >= 2**20 else f"{size / 2**10:.0f} KiB"
