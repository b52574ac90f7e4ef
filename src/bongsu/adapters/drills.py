"""The newest drills: a folder with one folder a drill, each holding the ``result.json`` that the drill left."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from bongsu.core.drill import Drilled, Verdict

MOST = 5
RESULT = "result.json"


class _Expectation(msgspec.Struct):
    run: str
    name: str
    expected: str
    seen: str
    passed: bool = msgspec.field(name="pass")


class _Result(msgspec.Struct):
    scenario: str
    verdict: Verdict
    expectations: list[_Expectation]


_RESULT = msgspec.json.Decoder(_Result)


def newest(folder: Path) -> tuple[Drilled, ...]:
    """The last ``MOST`` drills, the last one first; what cannot be read says why."""
    try:
        found = [(_ended(each), each) for each in folder.iterdir() if each.is_dir() and not each.is_symlink()]
    except OSError as error:
        return (Drilled(folder.name, None, problem=f"{folder}: {error.strerror}"),)
    found.sort(key=lambda each: (each[0], each[1].name), reverse=True)
    return tuple(_read(each, at) for at, each in found[:MOST])


def _ended(folder: Path) -> datetime:
    """When its result was written, or failing that the folder."""
    for each in (folder / RESULT, folder):
        try:
            return datetime.fromtimestamp(each.stat().st_mtime, UTC)
        except OSError:
            continue
    return datetime.fromtimestamp(0, UTC)  # it went away meanwhile: reading it will say so


def _read(folder: Path, at: datetime) -> Drilled:
    try:
        result = _RESULT.decode((folder / RESULT).read_bytes())
    except FileNotFoundError:
        return Drilled(folder.name, at, problem=f"it left no {RESULT}: it was broken off, or is still running")
    except OSError as error:
        return Drilled(folder.name, at, problem=f"{RESULT}: {error.strerror}")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Drilled(folder.name, at, problem=f"{RESULT} is broken: {error}")
    failed = tuple(
        f"{each.run}: {each.name} ({each.expected}; {each.seen})" for each in result.expectations if not each.passed
    )
    return Drilled(folder.name, at, result.scenario, result.verdict, failed)
