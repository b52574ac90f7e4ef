"""``bongsu generate``: files for Prometheus, Grafana and Alertmanager, from the same bongsu.toml."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from bongsu import config as configuration
from bongsu.cli.serve import ConfigOption
from bongsu.core.errors import BongsuError

if TYPE_CHECKING:
    from bongsu.generate.files import Comparison
    from bongsu.generate.setup import Setup

OutOption = Annotated[Path, typer.Option("--out", "-o", help="The folder to write to.", metavar="DIR")]
_COLOURS = {"new": "green", "same": "dim", "changed": "yellow", "edited": "red"}


class EditedByHand(BongsuError):
    """Files that somebody has edited were left as they are."""


def generate(
    config: ConfigOption = Path("bongsu.toml"),
    out: OutOption = Path("generated"),
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; say what would change, and exit 1 if anything would.")
    ] = False,
    grafana_mails: Annotated[
        bool,
        typer.Option("--grafana-mails", help="Grafana mails always, not only while Bongsu's heartbeat is missing."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that somebody has edited, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of lines.")] = False,
) -> None:
    """Write the files that Prometheus, Grafana and Alertmanager need, out of the same policies.

    A file that somebody has edited is left alone; what it would be now is written beside it as FILE.new, and the exit
    code is 1. The same configuration always gives the same bytes.

    Example: bongsu generate --config bongsu.toml --out generated

    Example: bongsu generate --config deploy/bongsu.toml --out deploy/generated --check
    """
    from bongsu.generate.files import State, compare, write
    from bongsu.generate.output import documents

    loaded = configuration.load(config)
    made, notices = documents(setup_of(loaded), grafana_mails or loaded.grafana.mails)
    for notice in notices:
        Console(stderr=True).print(f"[yellow]note:[/yellow] {escape(notice)}", highlight=False, soft_wrap=True)
    found = compare(out, made, force)
    kept = [] if check else write(out, found)
    _show(found, notices, check, as_json)
    if check and any(each.state is not State.SAME for each in found):
        raise typer.Exit(1)
    if kept:
        raise EditedByHand(
            f"{', '.join(kept)}: edited by hand and left alone; merge each FILE.new into it or delete it, put what "
            "should stay into bongsu.toml, or overwrite with --force"
        )


def setup_of(loaded: configuration.Config) -> Setup:
    """What the files are made from, by the names' order, so that the order in the configuration does not matter."""
    from bongsu.bootstrap import directory_of, policy_of
    from bongsu.generate.setup import Guarded, Setup

    profiles, catalogue = configuration.profiles_of(loaded), configuration.machines_of(loaded)
    services = tuple(
        Guarded(
            name=name,
            section=each,
            policy=policy_of(each.policy, loaded.policy[each.policy]),
            machine=catalogue[each.machine],
            profile=profiles[each.profile],
        )
        for name, each in sorted(loaded.service.items())
    )
    return Setup(services, directory_of(loaded), loaded)


def _show(found: list[Comparison], notices: list[str], check: bool, as_json: bool) -> None:
    if as_json:
        files = []
        for each in found:
            added, removed = each.counts()
            files.append({"file": each.document.name, "state": each.state, "added": added, "removed": removed})
        print(json.dumps({"files": files, "notices": notices}, ensure_ascii=False, indent=2))  # noqa: T201 - the output
        return
    console = Console(highlight=False, soft_wrap=True, markup=False)
    for each in found:
        added, removed = each.counts()
        counts = f"  +{added} -{removed}" if added or removed else ""
        console.print(f"{each.state:8}{each.document.name}{counts}", style=_COLOURS[each.state])
        if check and each.state in ("changed", "edited"):
            console.print("\n".join(each.diff()))
