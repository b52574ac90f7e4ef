"""The escalation engine as a pure function: totality, timers, and what may never happen."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bongsu.core.errors import IllegalTransition, StillBreached
from bongsu.core.escalation import (
    Acknowledged,
    Due,
    Effect,
    Escalated,
    Event,
    Note,
    Notify,
    Observed,
    Reassigned,
    Resolved,
    Reviewed,
    Snoozed,
    Unreachable,
    begin,
    step,
)
from bongsu.core.health import untold_tiers
from bongsu.core.incident import Incident, Kind, Seen, Status
from bongsu.core.policy import Ceiling, Policy, Runway, Tier
from bongsu.core.triage import Triaged

T0 = datetime(2026, 1, 5, 20, 0, tzinfo=UTC)
PATIENCE = timedelta(seconds=15)
POLICY = Policy(
    "burst",
    (
        Tier(timedelta(minutes=5), ("on-call:shop",)),
        Tier(timedelta(minutes=20), ("team:commerce",)),
        Tier(timedelta(minutes=40), ("team:headquarters",)),
    ),
    ceiling=Ceiling(("on-call:shop",)),
    runway=Runway(("on-call:shop",)),
    throttled=("on-call:shop",),
    blind=("on-call:shop",),
)
DOCS = Path(__file__).parents[2] / "docs" / "escalation-transitions.md"


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def seen(minutes: float, *, holding: bool = True, **more: object) -> Seen:
    base = Seen(
        at=at(minutes),
        holding=holding,
        elapsed=timedelta(minutes=minutes),
        since=T0 if holding else None,
        held=timedelta(minutes=minutes) if holding and "held" not in more and "since" not in more else timedelta(0),
        watched_at=at(minutes),
        patience=PATIENCE,
        machines=("machine-1",) if holding else (),
        joined=("machine-1",) if holding else (),
    )
    return replace(base, **more)


def told(effects: tuple[Effect, ...]) -> list[tuple[Kind, int]]:
    return [(effect.kind, effect.level) for effect in effects if isinstance(effect, Notify)]


def notes(effects: tuple[Effect, ...]) -> list[str]:
    return [effect.what for effect in effects if isinstance(effect, Note)]


def opened(minutes: float = 5, **more: object) -> Incident:
    return begin("i", "shop", POLICY, seen(minutes, **more), at(minutes))[0]


def walk(incident: Incident, *events: tuple[float, Event]) -> tuple[Incident, list[tuple[Kind, int]]]:
    said: list[tuple[Kind, int]] = []
    for minutes, event in events:
        incident, effects = step(incident, event, at(minutes))
        said += told(effects)
    return incident, said


def test_tiers_are_told_in_their_time_and_once() -> None:
    ticks = [(m / 2, Observed(seen(m / 2))) for m in range(11, 120)]
    _, said = walk(opened(), *ticks)
    assert said == [(Kind.TIER, 2), (Kind.TIER, 3)]


def test_an_acknowledgement_holds_the_next_tier_for_the_hold_and_not_longer() -> None:
    incident, said = walk(opened(), (6, Acknowledged("jimin")), (20.5, Observed(seen(20.5))))
    assert said == []
    incident, effects = step(incident, Observed(seen(21)), at(21))
    assert told(effects) == [(Kind.TIER, 2)]
    (tell,) = [effect for effect in effects if isinstance(effect, Notify)]
    assert tell.facts["ack_by"] == "jimin"
    assert tell.facts["ack_at"] == at(6).isoformat()


def test_acknowledging_again_does_not_extend_the_hold() -> None:
    incident, _ = walk(opened(), (6, Acknowledged("jimin")), (20, Acknowledged("sora")))
    assert incident.hold_until == at(21)
    assert incident.ack is not None
    assert incident.ack.by == "jimin"


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"high": True}, Kind.CEILING),
        ({"runway": timedelta(minutes=3)}, Kind.RUNWAY),
        ({"throttled": True}, Kind.THROTTLED),
        ({"blind_since": T0}, Kind.BLIND),
    ],
)
def test_something_that_begins_voids_the_hold_and_is_told_at_once(change: dict[str, object], kind: Kind) -> None:
    incident, _ = walk(opened(), (6, Acknowledged("jimin")))
    incident, effects = step(incident, Observed(seen(21, **change)), at(21))
    assert told(effects) == [(kind, 0), (Kind.TIER, 2)]
    assert (incident.status, incident.void) == (Status.TRIGGERED, kind.value)


def test_what_was_there_before_the_acknowledgement_does_not_void_it() -> None:
    low = {"runway": timedelta(minutes=3)}
    incident, said = walk(opened(5, **low), (6, Acknowledged("jimin")), (20.5, Observed(seen(20.5, **low))))
    assert said == []
    assert incident.void is None


def test_another_machine_in_breach_voids_the_hold() -> None:
    incident, _ = walk(opened(), (6, Acknowledged("jimin")))
    more = ("machine-1", "machine-2")
    incident, said = walk(incident, (20.5, Observed(seen(20.5, machines=more, joined=more))))
    assert said == [(Kind.TIER, 2)]
    assert incident.void == "machine"


def test_the_ceiling_calls_once_and_again_only_after_an_hour_below() -> None:
    incident, effects = begin("i", "shop", POLICY, seen(1, high=True), at(1))
    assert told(effects) == [(Kind.CEILING, 0)]
    quiet = [(m, Observed(seen(m))) for m in range(3, 63)]
    incident, said = walk(incident, (2, Observed(seen(2, high=True))), *quiet[:30], (33, Observed(seen(33, high=True))))
    assert (Kind.CEILING, 0) not in said
    incident, said = walk(
        incident, *[(m, Observed(seen(m))) for m in range(34, 93)], (93, Observed(seen(93, high=True)))
    )
    assert said.count((Kind.CEILING, 0)) == 1


def test_a_tier_that_reaches_nobody_goes_up_at_once_and_the_next_is_not_told_twice() -> None:
    incident = opened()
    incident, said = walk(incident, (5, Unreachable(Kind.TIER, 1, 1, "nobody")))
    assert said == [(Kind.TIER, 2)]
    _, said = walk(incident, (20, Observed(seen(20))), (40, Observed(seen(40))))
    assert said == [(Kind.TIER, 3)]


def test_when_nobody_is_left_the_timeline_says_so() -> None:
    _, effects = step(opened(40), Unreachable(Kind.TIER, 3, 1, "nobody"), at(40))
    assert notes(effects) == ["unreachable", "exhausted"]


def test_mitigated_then_resolved_when_the_runway_is_back() -> None:
    incident, effects = step(opened(), Observed(seen(8, holding=False, recovered=False)), at(8))
    assert (incident.status, notes(effects)) == (Status.MITIGATED, ["mitigated"])
    incident, effects = step(incident, Observed(seen(9, holding=False)), at(9))
    assert (incident.status, told(effects)) == (Status.RESOLVED, [(Kind.RESOLVED, 0)])


def test_resolving_by_hand_is_refused_while_the_breach_holds() -> None:
    with pytest.raises(StillBreached):
        step(opened(), Resolved("jimin"), at(6))


def test_a_breach_within_rejoin_reopens_and_tells_again_once_it_has_held_for_settle() -> None:
    incident, _ = walk(opened(), (8, Observed(seen(8, holding=False))))
    back = {"since": at(20), "elapsed": timedelta(minutes=9)}
    blip = {**back, "held": timedelta(0), "dipping": True}
    incident, said = walk(incident, (21, Observed(seen(21, **back))), (22, Observed(seen(22, **blip))))
    assert (incident.status, said) == (Status.RESOLVED, [])
    incident, said = walk(incident, (23, Observed(seen(23, **back, held=timedelta(minutes=2)))))
    assert (incident.status, incident.occurrence, said) == (Status.TRIGGERED, 2, [(Kind.TIER, 1)])


def test_the_timer_lets_samples_decide_while_the_watch_is_alive() -> None:
    incident, _ = walk(opened(), (19.9, Observed(seen(19.9))))
    assert incident.due_at is not None
    alive = replace(incident, seen=replace(incident.seen, watched_at=incident.due_at))
    _, effects = step(alive, Due(incident.due_at), incident.due_at)
    assert told(effects) == []


def test_the_timer_tells_when_the_watch_is_dead() -> None:
    incident = opened()
    assert incident.due_at == at(20) + PATIENCE
    _, effects = step(incident, Due(incident.due_at), incident.due_at)
    assert told(effects) == [(Kind.TIER, 2)]


def test_a_stale_timer_does_nothing() -> None:
    incident = opened()
    assert step(incident, Due(at(7)), at(30)) == (incident, ())


EVENTS: dict[str, Event] = {
    "Observed (holds)": Observed(seen(21)),
    "Observed (over)": Observed(seen(21, holding=False)),
    "Due": Due(at(20) + PATIENCE),
    "Acknowledged": Acknowledged("jimin"),
    "Unreachable": Unreachable(Kind.TIER, 1, 1, "nobody"),
    "Resolved": Resolved("jimin"),
    "Snoozed": Snoozed("jimin", at(60)),
    "Escalated (tier 3)": Escalated("jimin", 3),
    "Triaged (urgent)": Triaged("jimin", True, "nobody can pay"),
    "Triaged (not urgent)": Triaged("jimin", False, "a test"),
    "Reassigned": Reassigned("jimin", "person:sora", "Lee Sora"),
    "Reviewed": Reviewed("jimin"),
}


def in_status(status: Status) -> Incident:
    """An incident five minutes in, in any status."""
    incident = opened()
    if status in (Status.MITIGATED, Status.RESOLVED, Status.REVIEWED):
        ended = replace(incident.seen, holding=False, since=None, recovered=False)
        incident = replace(incident, seen=ended, mitigated_at=at(8), resolved_at=at(9))
    return replace(incident, status=status)


def transition(status: Status, event: Event) -> str:
    try:
        incident, effects = step(in_status(status), event, at(21))
    except IllegalTransition:
        return "refused"
    except StillBreached:
        return "refused while the breach holds"
    said = [f"tell {kind}{f' {level}' if level else ''}" for kind, level in told(effects)]
    return "; ".join([incident.status.value, *said])


def transition_table() -> str:
    rows = ["| event | " + " | ".join(Status) + " |", "|---|" + "---|" * len(Status)]
    for name, event in EVENTS.items():
        rows.append(f"| {name} | " + " | ".join(transition(status, event) for status in Status) + " |")
    head = (
        "# Transitions of an incident\n\n"
        "Printed by `tests/core/test_escalation.py` from `bongsu.core.escalation.step`; do not edit.\n"
        "An incident opened at minute 5 (tiers at 5, 20 and 40 minutes) meets each event at minute 21.\n"
        "A cell holds the status afterwards and what is told.\n\n"
    )
    return head + "\n".join(rows) + "\n"


def test_every_pair_is_named_or_refused_and_the_documented_table_is_true(request: pytest.FixtureRequest) -> None:
    table = transition_table()
    if request.config.getoption("--write-docs"):
        DOCS.write_text(table, encoding="utf-8")
    assert DOCS.read_text(encoding="utf-8") == table, "run: pytest tests/core/test_escalation.py --write-docs"


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[float, Event]]:
    """Any sequence of events in the order of time, with observations that are consistent in themselves."""
    steps = draw(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 300)), min_size=1, max_size=40))
    minutes, found = 5.0, []
    for choice, seconds in steps:
        minutes += seconds / 60
        observed = seen(minutes, high=choice == 1, throttled=choice == 2, blind_since=T0 if choice == 3 else None)
        others: dict[int, Event] = {
            4: Observed(seen(minutes, holding=False, recovered=bool(seconds % 2))),
            5: Acknowledged("jimin"),
            6: Unreachable(Kind.TIER, 1 + seconds % 3, 1, "nobody"),
            7: Due(at(minutes)),
            8: Unreachable(Kind.CEILING, 0, 1, "nobody"),
            9: Snoozed("jimin", at(minutes + seconds)),
            10: Escalated("jimin", 1 + seconds % 3),
            11: Triaged("jimin", True, "nobody can pay", ("team:owner",)),
            12: Triaged("jimin", False, "a test"),
        }
        event = others.get(choice, Observed(observed))
        found.append((minutes, event))
    return found


def asked(incident: Incident, event: Event, minutes: float) -> tuple[Incident, tuple[Effect, ...]]:
    """What a person asks for may be refused, and then nothing changes; everything else is always taken."""
    try:
        return step(incident, event, at(minutes))
    except IllegalTransition:
        assert isinstance(event, Snoozed | Escalated | Triaged)
        return incident, ()


@settings(max_examples=300)
@given(histories())
def test_whatever_happens_no_notification_is_told_twice_and_no_timer_is_forgotten(
    history: list[tuple[float, Event]],
) -> None:
    incident, effects = begin("i", "shop", POLICY, seen(5), at(5))
    keys = [(e.kind, e.level, e.occurrence) for e in effects if isinstance(e, Notify)]
    for minutes, event in history:
        before = incident
        incident, effects = asked(incident, event, minutes)
        keys += [(e.kind, e.level, e.occurrence) for e in effects if isinstance(e, Notify)]
        assert len(incident.told) >= len(before.told)
        if before.ack and incident.ack and not isinstance(event, Snoozed):
            assert incident.hold_until == before.hold_until or before.hold_until is None
        waiting = [tier for level, tier in enumerate(POLICY.tiers, 1) if not incident.has_told(Kind.TIER, level)]
        if incident.open and incident.seen.holding and waiting:
            assert incident.due_at is not None, "a holding incident with a tier to come must have its timer"
        if not incident.open:
            assert incident.due_at is None
    assert len(keys) == len(set(keys)), "every notification has a key of its own"


@settings(max_examples=200)
@given(histories())
def test_a_held_tier_is_never_told_and_an_overdue_one_always_is(history: list[tuple[float, Event]]) -> None:
    incident = opened()
    for minutes, event in history:
        held = incident.holds(at(minutes))
        incident, effects = asked(incident, event, minutes)
        if (
            held
            and incident.void is None
            and not isinstance(event, Unreachable | Escalated)
            and incident.holds(at(minutes))
        ):
            assert not [kind for kind, _ in told(effects) if kind is Kind.TIER]
        if isinstance(event, Observed) and incident.open and incident.seen.holding and not incident.holds(at(minutes)):
            for level, tier in enumerate(POLICY.tiers, 1):
                if incident.seen.elapsed >= tier.after:
                    assert incident.has_told(Kind.TIER, level)
        for late in untold_tiers(incident, at(minutes), timedelta(0)):
            assert incident.due_at is not None, late
            soon = at(minutes) + incident.seen.patience
            assert incident.due_at <= soon, f"the auditor finds {late}, and no timer would"
