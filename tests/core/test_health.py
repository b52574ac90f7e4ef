"""What the auditor calls late, and what makes Bongsu complain of itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bongsu.core.escalation import Acknowledged, Observed, begin, step
from bongsu.core.health import KINDS, MESSAGE, TIER, TIMER, Late, Vitals, complaints, late_timer, untold_tiers, warnings
from bongsu.core.incident import Incident, Muted, Seen
from bongsu.core.policy import Policy, Tier

T0 = datetime(2026, 1, 5, 20, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
POLICY = Policy("burst", (Tier(5 * MINUTE, ("on-call:shop",)), Tier(20 * MINUTE, ("team:commerce",))))


def seen(minutes: float, **more: object) -> Seen:
    moment = T0 + minutes * MINUTE
    return replace(Seen(moment, True, minutes * MINUTE, T0, watched_at=moment, held=minutes * MINUTE), **more)


def opened() -> Incident:
    return begin("i1", "shop", POLICY, seen(5), T0 + 5 * MINUTE)[0]


def test_a_timer_is_late_only_beyond_the_tolerance() -> None:
    incident = opened()
    assert incident.due_at == T0 + 20 * MINUTE
    assert late_timer(incident, T0 + 21 * MINUTE, MINUTE) is None
    assert late_timer(incident, T0 + 21.1 * MINUTE, MINUTE) == Late(TIMER, "i1", T0 + 20 * MINUTE)
    assert late_timer(replace(incident, due_at=None), T0 + 99 * MINUTE, MINUTE) is None


def test_a_tier_that_nobody_told_is_found_without_the_timer() -> None:
    forgotten = replace(opened(), due_at=None)
    assert untold_tiers(forgotten, T0 + 20.5 * MINUTE, MINUTE) == ()
    assert untold_tiers(forgotten, T0 + 22 * MINUTE, MINUTE) == (Late(TIER, "i1", T0 + 20 * MINUTE, 2),)
    told, _ = step(forgotten, Observed(seen(22)), T0 + 22 * MINUTE)
    assert untold_tiers(told, T0 + 99 * MINUTE, MINUTE) == ()


def test_a_tier_that_is_held_or_muted_is_not_late_until_that_ends() -> None:
    held, _ = step(opened(), Acknowledged("Kim Jimin"), T0 + 10 * MINUTE)
    assert untold_tiers(held, T0 + 25.5 * MINUTE, MINUTE) == ()
    (late,) = untold_tiers(held, T0 + 27 * MINUTE, MINUTE)
    assert late.due == T0 + 25 * MINUTE
    (void,) = untold_tiers(replace(held, void="machine"), T0 + 22 * MINUTE, MINUTE)
    assert void.due == T0 + 20 * MINUTE
    muted = replace(opened(), seen=seen(5, muted=Muted("maintenance", "Kim Jimin", T0 + 60 * MINUTE)))
    assert untold_tiers(muted, T0 + 59 * MINUTE, MINUTE) == ()
    assert len(untold_tiers(muted, T0 + 62 * MINUTE, MINUTE)) == 1


def test_a_dip_and_an_end_are_nobodys_lateness() -> None:
    for calm in (seen(5, dipping=True), seen(5, holding=False)):
        assert untold_tiers(replace(opened(), seen=calm), T0 + 99 * MINUTE, MINUTE) == ()


def vitals(**more: object) -> Vitals:
    well = Vitals(T0, T0 - 60 * MINUTE, T0, timedelta(seconds=5), T0, timedelta(seconds=15))
    return replace(well, **more)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"database": "it does not answer"}, ["database"]),
        ({"looked_at": T0 - 2 * MINUTE}, ["watch_stuck"]),
        ({"looked_at": T0 - 2 * MINUTE, "look_every": MINUTE}, []),
        ({"looked_at": None}, ["watch_stuck"]),
        ({"looked_at": None, "audited_at": None, "started_at": T0 - MINUTE / 2}, []),
        ({"audited_at": T0 - 2 * MINUTE}, ["audit_stuck"]),
        ({"late": (Late(TIMER, "i1", T0 - 2 * MINUTE),)}, ["escalation_late"]),
        ({"late": (Late(TIER, "i1", T0 - 2 * MINUTE, 2),)}, ["escalation_late"]),
        ({"late": (Late(MESSAGE, "i1", T0 - 2 * MINUTE),)}, ["delivery_stuck"]),
        ({"late": tuple(Late(kind, "i1", T0) for kind in KINDS)}, ["escalation_late", "delivery_stuck"]),
        ({"ahead": {"prometheus": timedelta(seconds=30)}}, []),
    ],
)
def test_what_bongsu_complains_of(change: dict[str, object], expected: list[str]) -> None:
    assert [each.what for each in complaints(vitals(**change))] == expected


def test_a_complaint_names_the_worst_and_counts_the_rest() -> None:
    late = (Late(TIMER, "i2", T0 - MINUTE), Late(TIMER, "i1", T0 - 3 * MINUTE))
    (complaint,) = complaints(vitals(late=late))
    assert complaint.why == "the escalation of i1 is late by 180 s, and 1 more"


@pytest.mark.parametrize(("seconds", "said"), [(30, "30.0 s ahead of"), (-6, "6.0 s behind"), (5, ""), (-1, "")])
def test_clocks_that_are_apart_are_a_warning(seconds: int, said: str) -> None:
    found = warnings(vitals(ahead={"the database": timedelta(seconds=seconds)}))
    assert [said in each.why for each in found] == [True] * bool(said)
