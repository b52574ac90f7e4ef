"""People, teams and who is on call: whom a target means at a given time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo

from bongsu.core.quiet import Quiet
from bongsu.core.rotation import Schedule


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can be told; without an address nobody can. ``zone`` None: the site's."""

    id: str
    name: str
    locale: str = "en"
    addresses: tuple[str, ...] = ()
    zone: tzinfo | None = None
    quiet: Quiet | None = None


@dataclass(frozen=True, slots=True)
class Team:
    """A department. With an address of its own it is told there, otherwise each member is."""

    id: str
    name: str
    members: tuple[str, ...] = ()
    locale: str = "en"
    addresses: tuple[str, ...] = ()
    zone: tzinfo | None = None


@dataclass(frozen=True, slots=True)
class Recipient:
    """One address to write to. ``id`` is ``person:x`` or ``team:x``."""

    id: str
    name: str
    address: str
    locale: str


@dataclass(frozen=True, slots=True)
class Directory:
    """Everybody there is. ``zone``: in which times are shown to all who have none of their own."""

    people: Mapping[str, Person] = field(default_factory=dict)
    teams: Mapping[str, Team] = field(default_factory=dict)
    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    zone: tzinfo = UTC

    def name_of(self, target: str) -> str:
        """What people call a person or a team; of one who is not listed, the name in the configuration."""
        kind, _, name = target.partition(":")
        found = (self.people if kind == "person" else self.teams).get(name)
        return found.name if found is not None else name

    def zone_of(self, recipient: str) -> tzinfo:
        """In which zone ``person:x`` or ``team:x`` reads times."""
        kind, _, name = recipient.partition(":")
        found = (self.people if kind == "person" else self.teams).get(name)
        return found.zone if found is not None and found.zone is not None else self.zone

    def quiet_of(self, recipient: str) -> Quiet | None:
        """The quiet hours of ``person:x``, if any; a team has none."""
        kind, _, name = recipient.partition(":")
        return self.people[name].quiet if kind == "person" and name in self.people else None

    def on_call(self, schedule: str, now: datetime) -> Person | None:
        """The person on call in a schedule."""
        found = self.schedules.get(schedule)
        name = found.on_call(now) if found else None
        return self.people.get(name) if name else None

    def resolve(self, target: str, now: datetime) -> tuple[Recipient, ...]:
        """The addresses that ``on-call:x``, ``team:x`` or ``person:x`` means at ``now``; empty if it reaches nobody."""
        kind, _, name = target.partition(":")
        if kind == "on-call":
            person = self.on_call(name, now)
            return _person(person) if person else ()
        if kind == "person":
            return _person(self.people[name]) if name in self.people else ()
        team = self.teams.get(name)
        if team is None:
            return ()
        if team.addresses:
            return tuple(Recipient(f"team:{team.id}", team.name, each, team.locale) for each in team.addresses)
        return tuple(r for member in team.members if member in self.people for r in _person(self.people[member]))


def _person(person: Person) -> tuple[Recipient, ...]:
    return tuple(Recipient(f"person:{person.id}", person.name, each, person.locale) for each in person.addresses)
