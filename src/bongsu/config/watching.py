"""The sections about who watches the watcher, and about time; and their faults."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from bongsu.core.health import OURSELVES

SHORTEST = timedelta(seconds=1)
_NAME = re.compile(r"[a-z0-9-]+")


class HeartbeatSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A heartbeat that must come every so often (wall time): by /heartbeat/NAME?token=, the token being in the file
    heartbeat-NAME of the secrets, or by an alert with the label ``bongsu_heartbeat="NAME"``.

    ``watchdog``: ``bongsu generate`` writes that alert as a rule that always fires. ``notify``: who hears of it when it
    has not come twice in a row; whoever is told of a blind service if not given.
    """

    expect_every: timedelta
    watchdog: bool = False
    notify: list[str] = []


class HeartbeatOut(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An address asked every so often (wall time) for as long as Bongsu does its work. ``url_file`` holds it: a secret.

    ``timeout`` in seconds.
    """

    url_file: Path
    every: timedelta = timedelta(minutes=1)
    timeout: float = 10.0


class Time(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Service time against wall time; speed 1 unless this is a lab.

    ``ahead``: how wrong this server takes its clock to be, to rehearse two servers whose clocks differ.
    """

    origin: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    speed: float = 1.0
    ahead: timedelta = timedelta(0)


def watching_problems(heartbeats: Mapping[str, HeartbeatSection], out: HeartbeatOut | None) -> list[str]:
    """Every fault in [heartbeat.*] and [heartbeat_out], but for the people they name."""
    problems: list[str] = []
    for name, each in heartbeats.items():
        if not _NAME.fullmatch(name):
            problems.append(
                f"heartbeat.{name}: a name has small letters, digits and - alone, for it is part of an address"
            )
        if name == OURSELVES:
            problems.append(f"heartbeat.{name}: Bongsu keeps its own heartbeat under this name; take another")
        if each.expect_every < SHORTEST:
            problems.append(f"heartbeat.{name}.expect_every: must be at least PT1S; a minute is PT1M")
    if out is not None and out.every < SHORTEST:
        problems.append("heartbeat_out.every: must be at least PT1S; a minute is PT1M")
    if out is not None and not 0 < out.timeout <= 60:
        problems.append("heartbeat_out.timeout: must be above 0 and at most 60 seconds")
    return problems
