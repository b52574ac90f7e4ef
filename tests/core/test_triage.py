"""Who must know of what is urgent."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bongsu.core.errors import IllegalTransition
from bongsu.core.escalation import Effect, Note, Notify, begin, step
from bongsu.core.incident import Incident, Kind, Seen, Status
from bongsu.core.policy import Policy, Tier
from bongsu.core.triage import Triaged

T0 = datetime(2026, 1, 5, 20, 0, tzinfo=UTC)
NOW = T0 + timedelta(minutes=6)
TIERS = (
    Tier(timedelta(minutes=5), ("on-call:shop",)),
    Tier(timedelta(minutes=20), ("team:commerce",)),
    Tier(timedelta(minutes=40), ("team:headquarters",)),
)
URGENT = Triaged("jimin", True, "nobody can pay", ("team:owner",))


def opened(*tiers: Tier, minutes: float = 5) -> Incident:
    lasted = timedelta(minutes=minutes)
    seen = Seen(at=T0 + lasted, holding=True, elapsed=lasted, since=T0, watched_at=T0 + lasted)
    return begin("i", "shop", Policy("burst", tiers or TIERS), seen, T0 + lasted)[0]


def told(effects: tuple[Effect, ...]) -> list[tuple[Kind, int, tuple[str, ...]]]:
    return [(e.kind, e.level, e.targets) for e in effects if isinstance(e, Notify)]


def test_urgent_tells_the_next_tier_at_once_and_takes_nothing_from_its_time() -> None:
    before = opened()
    incident, effects = step(before, URGENT, NOW)
    assert told(effects) == [(Kind.URGENT, 2, ("team:commerce",))]
    (tell,) = (e for e in effects if isinstance(e, Notify))
    assert (tell.facts["triage_by"], tell.facts["triage_why"]) == ("jimin", "nobody can pay")
    assert (incident.status, incident.due_at, incident.ack) == (before.status, before.due_at, before.ack)
    assert not incident.has_told(Kind.TIER, 2)


def test_a_department_that_knows_already_makes_it_the_upper_ones() -> None:
    _, effects = step(opened(minutes=21), URGENT, T0 + timedelta(minutes=22))
    assert told(effects) == [(Kind.URGENT, 3, ("team:headquarters",))]


def test_without_a_further_tier_the_owner_is_told_if_it_was_not() -> None:
    _, effects = step(opened(TIERS[0]), URGENT, NOW)
    assert told(effects) == [(Kind.URGENT, 1, ("team:owner",))]
    _, effects = step(opened(TIERS[0]), replace(URGENT, owner=()), NOW)
    assert told(effects) == []
    _, effects = step(opened(TIERS[0], TIERS[1], minutes=21), replace(URGENT, owner=("team:commerce",)), NOW)
    assert told(effects) == []


def test_judging_it_urgent_again_tells_nobody_twice_and_judging_anew_is_kept() -> None:
    incident, _ = step(opened(), URGENT, NOW)
    incident, effects = step(incident, replace(URGENT, why="still"), NOW)
    assert told(effects) == []
    incident, effects = step(incident, Triaged("sora", False, "a crawler"), NOW)
    assert told(effects) == []
    assert incident.triage is not None
    assert (incident.triage.urgent, incident.triage.by, incident.triage.why) == (False, "sora", "a crawler")
    notes = [e.what for e in effects if isinstance(e, Note)]
    assert notes == ["triaged"]


def test_after_the_end_it_can_go_to_the_review_and_is_urgent_no_more() -> None:
    over = replace(opened(), status=Status.RESOLVED)
    incident, effects = step(over, Triaged("jimin", False, "a sale"), NOW)
    assert incident.triage is not None
    assert told(effects) == []
    with pytest.raises(IllegalTransition):
        step(over, URGENT, NOW)
    with pytest.raises(IllegalTransition):
        step(replace(over, status=Status.REVIEWED), Triaged("jimin", False, "a sale"), NOW)
