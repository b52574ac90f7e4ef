"""What counts as a false alarm, and what as a missed one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bongsu.core.alarms import Outcome, Why, false_alarms, missed_alarms
from bongsu.core.incident import Ack, Handed, Incident, Kind, Seen, Status, Told, Triage
from bongsu.core.policy import Policy, Tier

T0 = datetime(2026, 1, 5, tzinfo=UTC)
TOLD = Told(Kind.TIER, 1, 1, T0, timedelta(minutes=5))
GONE = Told(Kind.THROTTLED, 0, 1, T0, timedelta(minutes=5))
OVER = Incident(
    "a", "shop", Policy("burst", (Tier(timedelta(minutes=5), ("team:shop",)),)), T0,
    Seen(at=T0, holding=False, elapsed=timedelta(0), since=None), status=Status.RESOLVED, told=(TOLD,),
)  # fmt: skip
OPEN = replace(OVER, status=Status.TRIGGERED)
ACK = Ack("Jimin", T0)
HARMLESS = Outcome(acted=False, hurt=0)


@pytest.mark.parametrize(
    ("incident", "outcome", "why"),
    [
        (OVER, HARMLESS, Why.IDLE),
        (OVER, None, None),
        (OVER, Outcome(acted=False, hurt=None), None),
        (OVER, Outcome(acted=False, hurt=1), None),
        (OVER, Outcome(acted=True, hurt=0), None),
        (OPEN, HARMLESS, None),
        (replace(OVER, ack=ACK), HARMLESS, None),
        (replace(OVER, handed=Handed("person:sora", "Jimin", T0, T0)), HARMLESS, None),
        (replace(OVER, told=()), HARMLESS, None),
        (replace(OPEN, triage=Triage("Jimin", T0, False, "a load test")), None, Why.JUDGED),
        (replace(OVER, triage=Triage("Jimin", T0, True, "a sale")), HARMLESS, None),
    ],
)
def test_a_false_alarm(incident: Incident, outcome: Outcome | None, why: Why | None) -> None:
    found = false_alarms([incident], {} if outcome is None else {"a": outcome})
    assert [each.why for each in found] == ([why] if why else [])
    assert [each.said for each in found if each.why is Why.JUDGED] == (["a load test"] if why is Why.JUDGED else [])


@pytest.mark.parametrize(
    ("incident", "mailed", "why"),
    [
        (replace(OVER, told=(replace(TOLD, kind=Kind.OVER),)), True, Why.OVER),
        (replace(OPEN, told=(GONE,)), True, Why.EXHAUSTED),
        (replace(OPEN, told=(TOLD, replace(GONE, at=T0 + timedelta(minutes=1)))), True, None),
        (replace(OVER, ack=ACK), False, Why.BY_HAND),
        (replace(OPEN, ack=ACK), False, Why.BY_HAND),
        (replace(OPEN, ack=ACK), True, None),
        (OVER, False, Why.UNTOLD),
        (OVER, True, None),
        (OPEN, False, None),
        (replace(OVER, told=()), False, None),
    ],
)
def test_a_missed_alarm(incident: Incident, mailed: bool, why: Why | None) -> None:
    found = missed_alarms([incident], {"a"} if mailed else set())
    assert [each.why for each in found] == ([why] if why else [])
