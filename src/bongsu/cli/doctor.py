"""``bongsu doctor``: which signals a service has, which are missing and how to get them, and the classic mistakes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from bongsu import config as configuration
from bongsu.cli.examination import Doctor, Examination, Section
from bongsu.core.checkup import Finding, Level, Presence, Standing
from bongsu.core.errors import InvalidInput
from bongsu.core.signal import SIGNALS

DEFAULT = Path("bongsu.toml")
_COLOURS = {Level.OK: "green", Level.WARNING: "yellow", Level.ERROR: "red"}
_SIGNS = {Presence.THERE: "green", Presence.SECOND_BEST: "yellow", Presence.MISSING: "red"}


def doctor(
    url: Annotated[
        str | None, typer.Argument(help="A service's metrics or a Prometheus; without it, what bongsu.toml names.")
    ] = None,
    config: Annotated[
        Path, typer.Option("--config", "-c", envvar="BONGSU_CONFIG", help="The configuration file.", metavar="FILE")
    ] = DEFAULT,
    prometheus: Annotated[str | None, typer.Option(help="Look at this Prometheus too.", metavar="URL")] = None,
    grafana: Annotated[
        list[str] | None,
        typer.Option(help="Look at this Grafana's data sources: its address, or a provisioning file.", metavar="URL"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of tables.")] = False,
) -> None:
    """Say which signals are there, which are missing and what to add, and find the classic mistakes.

    Exit code 0: nothing is wrong; 1: something keeps Bongsu from seeing; 2: there was nothing to look at.

    Examples: bongsu doctor http://shop-1:8080/actuator/prometheus

    bongsu doctor http://prometheus:9090 --grafana http://grafana:3000 --json

    bongsu doctor --config bongsu.toml
    """
    from bongsu.adapters.clock import SystemClock

    found = Doctor(_configuration(config, url), SystemClock()).look(url, prometheus, grafana or [])
    if as_json:
        print(json.dumps(as_data(found), indent=2, ensure_ascii=False))  # noqa: T201
    else:
        show(found, Console(highlight=False, soft_wrap=True))
    if not found.healthy:
        raise typer.Exit(1)


def _configuration(path: Path, url: str | None) -> configuration.Config | None:
    """The configuration; with an address to look at it may be missing where nobody named it."""
    if path == DEFAULT and not path.exists():
        if url is None:
            raise InvalidInput(
                [f"there is no {path} here; name it with --config, or give an address: bongsu doctor http://host:9090"]
            )
        return None
    return configuration.load(path)


def as_data(found: Examination) -> dict[str, Any]:
    """Everything found, for ``--json``."""
    return {
        "kind": found.kind,
        "url": found.url,
        "ok": found.healthy,
        "services": [
            {
                "where": section.title,
                "profile": section.profile.name,
                "signals": [_signal_data(row) for row in section.standings],
            }
            for section in found.sections
        ],
        "findings": [
            {"level": each.level.value, "what": each.what, "where": each.where, "do": each.do}
            for each in found.findings
        ],
    }


def _signal_data(row: Standing) -> dict[str, Any]:
    known = SIGNALS.get(row.signal)
    return {
        "signal": row.signal,
        "unit": known.unit if known else "",
        "presence": row.presence.value,
        "how": row.how,
        "add": row.add,
        "query": row.reading.query if row.reading else None,
        "series": row.series,
    }


def show(found: Examination, console: Console) -> None:
    """Tables of signals, then the findings, the worst last: that is where the eyes of a reader are."""
    for section in found.sections:
        _show_section(section, console)
    for level in Level:
        for finding in found.findings:
            if finding.level is level:
                _show_finding(finding, console)
    errors, warnings = (sum(each.level is level for each in found.findings) for level in (Level.ERROR, Level.WARNING))
    counted = f"{errors} error{'s' * (errors != 1)}, {warnings} warning{'s' * (warnings != 1)}"
    console.print(counted if errors or warnings else "Nothing is wrong.")


def _show_section(section: Section, console: Console) -> None:
    """One line for each signal and no frame: what is to be added shall survive copying."""
    console.print(Text(_plain(f"{section.title}: {section.profile.title}"), style="bold"))
    unheard = []
    for row in section.standings:
        if row.presence is Presence.MISSING and not row.add and not row.how:
            unheard.append(row.signal)
            continue
        line = Text(f"  {row.signal:<14}").append(f"{row.presence.value:<12}", style=_SIGNS[row.presence])
        console.print(line.append(_plain(_detail(row))))
    if unheard:
        console.print(Text(_plain(f"  not measured by this exporter: {', '.join(unheard)}"), style="dim"))
    console.print()


def _detail(row: Standing) -> str:
    """What figure it is, whether it has a value, and the line to add."""
    empty = "no value at this moment" if row.presence is not Presence.MISSING and row.series == 0 else ""
    said = ", ".join(word for word in (row.how, empty) if word)
    if row.add:
        return f"{said} → {row.add}".strip()
    return said or (SIGNALS[row.signal].meaning if row.signal in SIGNALS else "")


def _show_finding(finding: Finding, console: Console) -> None:
    line = Text.assemble((f"{finding.level.value:<8}", _COLOURS[finding.level]), _plain(finding.what))
    console.print(line.append(f"  ({_plain(finding.where)})", style="dim"))
    if finding.do:
        console.print(Text(f"        → {_plain(finding.do)}"))


def _plain(text: str) -> str:
    """Without control characters: the words may be a stranger's."""
    return "".join(sign if sign.isprintable() else " " for sign in text)
