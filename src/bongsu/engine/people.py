"""Who is on call, with those who stand in: the configuration's schedules and the store's overrides together."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bongsu.core.errors import InvalidInput, NotFound
from bongsu.core.rotation import Override, Schedule, Shift, with_overrides
from bongsu.core.schedule import Directory, Recipient
from bongsu.engine.context import Context
from bongsu.store import overrides
from bongsu.store.database import Transaction

LONGEST = timedelta(days=366)
"""The longest override, and how far ahead the next shift of somebody is looked for."""
AHEAD = timedelta(days=14)
"""How far gaps are looked for."""
BEFORE = timedelta(days=62)
"""How far back overrides are still looked at, so that a shift keeps its beginning."""


def directory(tx: Transaction, context: Context, since: datetime) -> Directory:
    """Everybody, and the schedules with the overrides that had not ended at a time."""
    found = overrides.since(tx, since)
    if not found:
        return context.directory
    known = [each for each in found if each.person in context.directory.people]
    schedules = {
        name: with_overrides(schedule, (each for each in known if each.schedule == name))
        for name, schedule in context.directory.schedules.items()
    }
    return replace(context.directory, schedules=schedules)


def resolve(tx: Transaction, context: Context, targets: Iterable[str], now: datetime) -> tuple[Recipient, ...]:
    """Every address that some targets mean at a time, once."""
    asked = tuple(targets)
    taking_turns = any(target.startswith("on-call:") for target in asked)
    everybody = directory(tx, context, now) if taking_turns else context.directory
    found = [each for target in asked for each in everybody.resolve(target, now)]
    return tuple({each.address: each for each in found}.values())


@dataclass(frozen=True, slots=True)
class Duty:
    """A schedule as it stands: who is on call, who is next, and the gaps of the next two weeks."""

    schedule: str
    present: Shift
    following: Shift | None
    gaps: tuple[Shift, ...]


def duties(everybody: Directory, now: datetime) -> list[Duty]:
    """Every schedule as it stands."""
    return [_duty(name, schedule, now) for name, schedule in sorted(everybody.schedules.items())]


def _duty(name: str, schedule: Schedule, now: datetime) -> Duty:
    present = schedule.whole_shifts(now, now + timedelta(seconds=1))[0]
    return Duty(name, present, schedule.following(now, LONGEST), schedule.gaps(now, now + AHEAD))


def schedule_of(everybody: Directory, name: str) -> Schedule:
    """A schedule by its name. Raises NotFound."""
    found = everybody.schedules.get(name)
    if found is None:
        raise NotFound(f"There is no schedule {name!r}; known: {', '.join(sorted(everybody.schedules)) or 'none'}")
    return found


def stand_in(
    context: Context, schedule: str, person: str, start: datetime, end: datetime, by: str, note: str = ""
) -> Override:
    """Somebody is on call from then to then, whoever has the turn. Raises NotFound or InvalidInput."""
    now = context.clock.now()
    schedule_of(context.directory, schedule)
    problems = _unknown(context.directory, person)
    if end <= start:
        problems.append(f"it would end at {end.isoformat()}, before it begins; give a later end")
    elif end <= now:
        problems.append(f"it would end at {end.isoformat()}, which has passed; give a later end")
    elif end - start > LONGEST:
        problems.append("an override may last a year at the most; change the rotation in bongsu.toml instead")
    if problems:
        raise InvalidInput(problems)
    made = Override(_new_id(), schedule, person, start, end, by, now, note)
    context.db.write(lambda tx: overrides.add(tx, made))
    return made


def swap(
    context: Context, schedule: str, one: str, other: str, by: str, after: datetime | None = None
) -> tuple[Override, Override]:
    """Two people exchange their next shifts; of one that runs, the rest. Raises NotFound or InvalidInput."""
    now = context.clock.now()
    return context.db.write(lambda tx: _swap(tx, context, schedule, (one, other), by, max(after or now, now)))


def _swap(
    tx: Transaction, context: Context, name: str, pair: tuple[str, str], by: str, after: datetime
) -> tuple[Override, Override]:
    everybody, now = directory(tx, context, after - BEFORE), context.clock.now()
    schedule = schedule_of(everybody, name)
    problems = [problem for person in pair for problem in _unknown(everybody, person)]
    if pair[0] == pair[1]:
        problems.append("these are one and the same person; name two")
    shifts = [schedule.shift_of(person, after, LONGEST) for person in pair]
    problems += [
        f"{person} has no shift in {name} within a year; look at: bongsu schedule show {name}"
        for person, shift in zip(pair, shifts, strict=True)
        if shift is None and person in everybody.people
    ]
    if problems:
        raise InvalidInput(problems)
    made = [
        Override(_new_id(), name, person, max(shift.start, after), shift.end, by, now, "swap")
        for person, shift in zip(reversed(pair), shifts, strict=True)
        if shift is not None
    ]
    for each in made:
        overrides.add(tx, each)
    return made[0], made[1]


def take_back(context: Context, override_id: str) -> Override:
    """End an override now, or let it never begin. Raises NotFound."""
    return context.db.write(lambda tx: overrides.end(tx, override_id, context.clock.now()))


def _unknown(everybody: Directory, person: str) -> list[str]:
    if person in everybody.people:
        return []
    return [f"there is no person {person!r}; known: {', '.join(sorted(everybody.people)) or 'none'}"]


def _new_id() -> str:
    return secrets.token_hex(4)
