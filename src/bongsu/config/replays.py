"""The file of a recorded incident: what ``bongsu incidents replay`` writes, and drills and tests read."""

from __future__ import annotations

import json
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from bongsu.config.reading import read
from bongsu.core.errors import InvalidInput
from bongsu.core.replay import Alarm, Minute

_HEAD = """\
# Incident {incident}, as it was recorded; written by: bongsu incidents replay {incident}
#   sh bin/drill --scenario FILE    plays its arrivals in the lab, a lab minute in a second
#   pytest {test}    plays its samples on a virtual clock, under the bongsu.toml of today
# Times are seconds since the breach began. It is yours to change: more arrivals, fewer credits, another responder.
"""


class Times(msgspec.Struct, frozen=True):
    """The policy as it stood, in seconds."""

    tiers: list[float]
    settle: float
    ack_holds: float
    runway_under: float
    resolve_full_burn: float


class Replay(msgspec.Struct, frozen=True):
    """A recorded incident. ``lead``: how much was recorded before the breach began; ``ends``: when the record does.

    ``acknowledged``: after how long somebody took it; ``added``: how many machines were added; ``routes``: requests by
    method and route; ``cpu``, ``balance``, ``throttled``: samples by machine; ``notes``: what the record lacks.
    """

    incident: str
    service: str
    policy: str
    started_at: datetime
    lead: float
    ends: float
    machine_type: str
    machines: int
    times: Times
    alarms: list[Alarm]
    minutes: list[Minute]
    added: int = 0
    opening_balance: float | None = None
    acknowledged: float | None = None
    acknowledged_by: str = ""
    notes: list[str] = []
    routes: dict[str, int] = {}
    cpu: dict[str, list[tuple[float, float]]] = {}
    balance: dict[str, list[tuple[float, float]]] = {}
    throttled: dict[str, list[tuple[float, float]]] = {}


def load_replay(path: Path) -> Replay:
    """Read such a file. Raises InvalidInput with every fault."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput([f"{path}: cannot be read ({error.strerror})"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput([f"{path}: not valid TOML: {error}; mend that line"]) from None
    problems: list[str] = []
    found = read(Replay, data, "", problems)
    if found is not None:
        problems += _faults(found)
    if problems or found is None:
        raise InvalidInput([f"{path}: {each}" for each in problems])
    return found


def _faults(found: Replay) -> list[str]:
    faults = []
    if not found.minutes:
        faults.append("minutes: none; the record must have arrivals")
    if not 1 <= found.machines <= 16:
        faults.append(f"machines: {found.machines} is not between 1 and 16")
    if found.lead < 0 or found.ends <= 0:
        faults.append("lead and ends: the record must begin before the breach and end after it")
    if found.started_at.tzinfo is None:
        faults.append("started_at: has no time zone; write 2026-01-05T20:12:00Z")
    faults += [
        f"minutes[{number}]: arrivals and CPU are not negative"
        for number, each in enumerate(found.minutes, start=1)
        if min(each.per_s, each.cpu) < 0
    ]
    return faults


def file_name(incident_id: str) -> tuple[str, str]:
    """What the scenario and its test are called."""
    return f"{incident_id}.toml", f"test_replay_{incident_id.replace('-', '_')}.py"


def text_of(replay: Replay) -> str:
    """The file's text: ``load_replay`` reads the same back."""
    data: dict[str, Any] = msgspec.to_builtins(replay)
    tables = {name: data.pop(name) for name in ("times", "routes", "cpu", "balance", "throttled")}
    data["started_at"] = replay.started_at
    lines = [_HEAD.format(incident=replay.incident, test=file_name(replay.incident)[1])]
    lines += [f"{name} = {_value(value)}" for name, value in data.items() if value is not None]
    for name, table in tables.items():
        lines += ["", f"[{name}]", *(f"{_key(key)} = {_value(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    return name if name.isidentifier() and name.isascii() else json.dumps(name, ensure_ascii=False)


def _value(value: Any) -> str:
    """A TOML value; tables of a list stand on lines of their own."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_value(each)}" for name, each in value.items()) + " }"
    if isinstance(value, list | tuple) and value and isinstance(value[0], dict):
        return "[\n" + "".join(f"  {_value(each)},\n" for each in value) + "]"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
