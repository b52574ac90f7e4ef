"""What would go wrong in an alarm: tiers that reach nobody, gaps, addresses that cannot be relied on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bongsu.core.incident import Facts
from bongsu.core.policy import Policy
from bongsu.core.rotation import Schedule
from bongsu.core.schedule import Directory, Person, Recipient, Team

AHEAD = timedelta(days=14)
"""How far gaps are looked for."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a recipient's address. ``awaited``: it was asked, and the time to answer is not over."""

    asked_at: datetime | None = None
    verified_at: datetime | None = None
    awaited: bool = False
    suspect: bool = False
    """Its last mail was refused for good."""

    @property
    def silent(self) -> bool:
        """Whether it was asked and did not answer in time."""
        asked = self.asked_at is not None and not self.awaited
        return asked and (self.verified_at is None or (self.asked_at is not None and self.verified_at < self.asked_at))


Standings = Mapping[tuple[str, str], Standing]
"""By the recipient's id and address."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, as a code and the facts to make words of. ``wrong`` False: worth knowing, no more."""

    code: str
    where: str
    wrong: bool = True
    facts: Facts = field(default_factory=dict)


def judge(
    directory: Directory,
    policies: Mapping[str, Policy],
    now: datetime,
    standings: Standings | None = None,
    stale_before: datetime | None = None,
) -> tuple[Fault, ...]:
    """Everything that is wrong, the gravest first. ``stale_before``: what was verified before that is too old."""
    known = standings or {}
    found = [fault for policy in policies.values() for fault in _of_policy(policy, directory, now, known)]
    found += [fault for name, each in sorted(directory.schedules.items()) for fault in _of_schedule(name, each, now)]
    found += _of_people(directory, now, known, stale_before)
    return tuple(sorted(found, key=lambda fault: not fault.wrong))


def places(policy: Policy) -> list[tuple[str, tuple[str, ...]]]:
    """Everything in a policy that calls somebody, with whom: tiers by their number, the others by their name."""
    found = [(str(number), tier.notify) for number, tier in enumerate(policy.tiers, start=1)]
    found += [("ceiling", policy.ceiling.notify)] if policy.ceiling else []
    found += [("runway", policy.runway.notify)] if policy.runway else []
    return [*found, ("throttled", policy.throttled), ("blind", policy.blind)]


def _of_policy(policy: Policy, directory: Directory, now: datetime, known: Standings) -> Iterator[Fault]:
    where = f"policy.{policy.name}"
    told = {targets for _, targets in places(policy)[: len(policy.tiers)]}
    for place, targets in places(policy):
        if not place.isdigit() and (targets in told or not targets):
            continue  # said once, of the tier
        missing = [target for target in targets if not directory.resolve(target, now)]
        code = "nobody" if len(missing) == len(targets) else "target"
        for target in missing:
            yield Fault(code, where, facts={"place": place, "target": target})
        reached = [each for target in targets for each in directory.resolve(target, now)]
        yield from _of_reached(where, place, targets, reached, known)


def _of_reached(
    where: str, place: str, targets: Iterable[str], reached: list[Recipient], known: Standings
) -> Iterator[Fault]:
    if not reached:
        return
    bad = [each for each in reached if _unreliable(known.get((each.id, each.address)))]
    if len(bad) == len(reached):
        yield Fault("unreliable", where, facts={"place": place, "addresses": ", ".join(each.address for each in bad)})
    people = {each.id for each in reached}
    if len(people) == 1 and not all(target.startswith("on-call:") for target in targets):
        only = reached[0]
        if only.id.startswith("person:"):
            yield Fault("one", where, wrong=False, facts={"place": place, "name": only.name})


def _unreliable(standing: Standing | None) -> bool:
    return standing is not None and (standing.suspect or standing.silent)


def _of_schedule(name: str, schedule: Schedule, now: datetime) -> Iterator[Fault]:
    gaps = schedule.gaps(now, now + AHEAD)
    if gaps:
        first, hours = gaps[0], sum((each.end - each.start for each in gaps), timedelta())
        yield Fault(
            "gap",
            f"schedule.{name}",
            facts={
                "schedule": name, "from": first.start.isoformat(), "to": first.end.isoformat(),
                "count": len(gaps), "total_s": hours.total_seconds(),
            },
        )  # fmt: skip


def _of_people(directory: Directory, now: datetime, known: Standings, stale_before: datetime | None) -> Iterator[Fault]:
    everybody: list[tuple[str, Person | Team]] = [("person", each) for each in directory.people.values()]
    everybody += [("team", each) for each in directory.teams.values()]
    for kind, reader in everybody:
        if kind == "person" and not reader.addresses:
            on_duty = any(reader.id in each.people for each in directory.schedules.values())
            yield Fault("no_address", f"person.{reader.id}", on_duty, {"name": reader.name})
            continue
        for address in reader.addresses:
            standing = known.get((f"{kind}:{reader.id}", address), Standing())
            fault = _of_address(standing, stale_before)
            if fault is not None:
                code, wrong = fault
                facts: Facts = {"name": reader.name, "address": address}
                if standing.verified_at is not None:
                    facts = {**facts, "days": (now - standing.verified_at).days}
                yield Fault(code, f"{kind}.{reader.id}", wrong, facts)


def _of_address(standing: Standing, stale_before: datetime | None) -> tuple[str, bool] | None:
    if standing.suspect:
        return "suspect", True
    if standing.silent:
        return "silent", True
    if stale_before is None or standing.awaited:
        return None
    if standing.verified_at is None:
        return "unverified", False
    return ("stale", True) if standing.verified_at < stale_before else None
