"""``bongsu incidents replay``: an incident as a scenario for the lab, and as a test."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from bongsu.cli.server import LOCAL, TOKEN, Json, Server, Token, client, print_json
from bongsu.config.replays import Replay, file_name, text_of
from bongsu.core.errors import InvalidInput

PATIENCE = 150.0
"""Seconds the server may take: it reads the access log."""
_TEST = '''\
"""Incident {incident}: fails when a tier of its alarm chain would no longer come, or would reach nobody.

Written by: bongsu incidents replay {incident}. It plays the samples of then under the bongsu.toml of today.
"""

from pathlib import Path

from bongsu.replaying import broken_chain

HERE = Path(__file__).parent
SCENARIO = HERE / {scenario}
CONFIG = HERE / {config}


def test_the_alarms_of_{name}_still_come(tmp_path: Path) -> None:
    assert broken_chain(SCENARIO, CONFIG, tmp_path) == []
'''


def replay(
    incident_id: str,
    folder: Annotated[Path, typer.Option("--dir", help="Where the two files are written.")] = Path("replays"),
    config: Annotated[
        Path, typer.Option("--config", "-c", envvar="BONGSU_CONFIG", help="The configuration that the test tries.")
    ] = Path("bongsu.toml"),
    server: Server = LOCAL,
    token_file: Token = TOKEN,
    as_json: Json = False,
) -> None:
    """Write an incident down as a scenario for the lab and as a test of its alarm chain.

    Then: sh bin/drill --scenario replays/ID.toml, and: pytest replays

    Example: bongsu incidents replay 20260105-2012-k3f9
    """
    if not config.is_file():
        raise InvalidInput([f"{config}: no such file; the test needs the configuration: name it with --config"])
    found = client(server, token_file, PATIENCE).get(f"/api/incidents/{incident_id}/replay")
    recorded = msgspec.convert(found, Replay)
    scenario, test = (folder / name for name in file_name(recorded.incident))
    _write({scenario: text_of(recorded), test: _test(recorded, scenario, config)})
    if as_json:
        said = {"scenario": str(scenario), "test": str(test), "notes": recorded.notes}
        print_json(said)
        return
    alarms = ", ".join(f"{each.name} after {each.after / 60:.0f} min" for each in recorded.alarms) or "none"
    typer.echo(f"recorded: {len(recorded.minutes)} minutes of {recorded.service}; alarms: {alarms}")
    for note in recorded.notes:
        typer.echo(f"note: {note}")
    typer.echo(f"play it in the lab: sh bin/drill --scenario {scenario}")
    typer.echo(f"try its alarm chain: pytest {test}")


def _write(texts: Mapping[Path, str]) -> None:
    """Both files or none. Raises InvalidInput where somebody has changed one, which is theirs then."""
    changed = [path for path, text in texts.items() if path.exists() and path.read_text(encoding="utf-8") != text]
    if changed:
        raise InvalidInput([f"{path}: is there and says something else; move it, or name --dir" for path in changed])
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _test(recorded: Replay, scenario: Path, config: Path) -> str:
    there = os.path.relpath(config.resolve(), scenario.parent.resolve())
    name = recorded.incident.replace("-", "_")
    return _TEST.format(
        incident=recorded.incident, name=name, scenario=json.dumps(scenario.name), config=json.dumps(there)
    )
