"""Maintenance, silences and handing over, as stories: who is told nothing, until when, and what comes after."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bongsu.core.errors import IllegalTransition, InvalidInput
from bongsu.core.incident import Status
from bongsu.core.maintenance import Maintenance
from bongsu.core.matcher import parse
from bongsu.core.silence import Silence
from bongsu.engine import command, maintenance, silence
from bongsu.store import timeline
from bongsu.testing import World


def maintain(world: World, minutes: float, *also: str, after: float = 0, policy: str | None = None) -> Maintenance:
    begins = world.clock.now() + timedelta(minutes=after)
    asked = Maintenance("", "shop", begins, begins + timedelta(minutes=minutes), "jimin", "new disks", policy, also)
    return maintenance.keep(world.context, asked)


def lines(world: World) -> list[str]:
    incident = world.incident()
    return [entry.what for entry in world.context.db.read(lambda tx: timeline.of(tx, incident.id))]


def text(letter: object) -> str:
    return letter.get_body(("plain",)).get_content()  # type: ignore[attr-defined,no-any-return]


def test_maintenance_mutes_the_tiers_and_after_it_they_count_from_its_end_with_the_true_duration(world: World) -> None:
    maintain(world, 60)
    world.tick()
    world.expect_mail(to="jimin", kind="muting")
    world.cpu(0.42)
    world.advance(minutes=59)
    world.expect_silence()
    world.advance(minutes=1)
    world.expect_mail(to="jimin", kind="muting")
    world.advance(minutes=4, seconds=45)
    world.expect_silence()
    world.advance(seconds=15)
    letter = world.expect_mail(to="jimin", kind="tier", tier=1)
    assert "1시간 4분" in text(letter)
    assert "점검" in text(letter)
    world.advance(minutes=15)
    world.expect_mail(to="commerce", kind="tier", tier=2)
    assert [line for line in lines(world) if "muted" in line] == ["muted", "unmuted"]


def test_whoever_was_told_before_the_maintenance_is_told_again_after_it(world: World) -> None:
    world.cpu(0.42)
    world.advance(minutes=21)
    world.expect_mail(to="jimin", kind="tier", tier=1)
    world.expect_mail(to="commerce", kind="tier", tier=2)
    begun = maintain(world, 120)
    world.advance(minutes=30)
    world.expect_mail(to="jimin", kind="muting")
    maintenance.end(world.context, begun.id)
    world.advance(minutes=5, seconds=15)
    world.expect_mail(to="jimin", kind="muting")
    world.expect_mail(to="jimin", kind="tier", tier=1)
    world.advance(minutes=15)
    world.expect_mail(to="commerce", kind="tier", tier=2)
    world.expect_silence()


def test_maintenance_mutes_neither_exhaustion_nor_the_ceiling_nor_blindness(world: World) -> None:
    maintain(world, 120)
    world.tick()
    world.expect_mail(to="jimin", kind="muting")
    world.cpu(0.97)
    world.advance(seconds=30)
    world.expect_mail(to="jimin", kind="ceiling")
    world.balances = dict.fromkeys(world.levels, 0.5)
    world.cpu(0.2)
    world.advance(minutes=1)
    assert {world.expect_mail(to="jimin", kind=kind)["X-Bongsu-Kind"] for kind in ("throttled", "runway")}
    world.silent |= set(world.levels)
    world.advance(minutes=2)
    world.expect_mail(to="jimin", kind="blind")
    world.expect_silence()


def test_asked_to_it_mutes_them_too_and_calls_when_it_ends(world: World) -> None:
    maintain(world, 30, "ceiling", "exhaustion", "blindness")
    world.tick()
    world.expect_mail(to="jimin", kind="muting")
    world.balances = dict.fromkeys(world.levels, 0.5)
    world.cpu(0.97)
    world.advance(minutes=29)
    world.expect_silence()
    world.advance(minutes=1)
    kinds = {letter["X-Bongsu-Kind"] for letter in world.post.letters[1:]}
    assert kinds == {"muting", "ceiling", "throttled", "runway"} or kinds == {"muting", "ceiling", "runway"}


def test_a_planned_maintenance_begins_by_itself_and_one_called_off_mutes_nothing(world: World) -> None:
    maintain(world, 30, after=10)
    off = maintain(world, 30, after=10)
    maintenance.end(world.context, off.id)
    world.cpu(0.42)
    world.advance(minutes=9)
    world.expect_mail(to="jimin", kind="tier", tier=1)
    world.advance(minutes=2)
    world.expect_mail(to="jimin", kind="muting")
    world.advance(minutes=28)
    world.expect_silence()
    world.advance(minutes=2)
    world.expect_mail(to="jimin", kind="muting")


def test_what_is_over_within_the_maintenance_is_never_told(world: World) -> None:
    maintain(world, 60)
    world.cpu(0.42)
    world.advance(minutes=30)
    world.cpu(0.05)
    world.advance(minutes=60)
    world.expect_mail(to="jimin", kind="muting")
    world.expect_mail(to="jimin", kind="muting")
    world.expect_silence()
    assert world.incident().status is Status.RESOLVED


def test_a_dead_watch_does_not_keep_the_tiers_muted(world: World) -> None:
    world.cpu(0.42)
    maintain(world, 20)
    world.advance(minutes=10)
    world.clock.advance(timedelta(minutes=16))
    command.due(world.context)
    command.due(world.context)
    world.deliver()
    world.expect_mail(to="jimin", kind="muting")
    world.expect_mail(to="jimin", kind="tier", tier=1)


def test_maintenance_of_one_policy_leaves_the_others_alone(world: World) -> None:
    maintain(world, 60, policy="alerts")
    world.cpu(0.42)
    world.advance(minutes=6)
    world.expect_mail(to="jimin", kind="muting")
    world.expect_mail(to="jimin", kind="tier", tier=1)
    world.alert("PoolTimeouts", seconds=3600)
    world.advance(minutes=6)
    world.expect_silence()


def test_a_restart_in_a_maintenance_forgets_nothing_and_tells_nothing_twice(world: World) -> None:
    maintain(world, 30)
    world.cpu(0.42)
    world.advance(minutes=10)
    world.restart()
    world.advance(minutes=21)
    world.expect_mail(to="jimin", kind="muting")
    world.expect_mail(to="jimin", kind="muting")
    world.expect_silence()


def test_a_maintenance_without_owner_reason_or_sense_is_refused_with_every_fault(world: World) -> None:
    now = world.clock.now()
    asked = Maintenance("", "shoop", now, now + timedelta(days=3), "", " ", also=("everything",))
    with pytest.raises(InvalidInput) as caught:
        maintenance.keep(world.context, asked)
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "service", "by", "why", "a maintenance lasts 24 h at most; begin another one after it", "also",
    ]  # fmt: skip


def quiet(world: World, matcher: str, minutes: float) -> Silence:
    now = world.clock.now()
    begun = Silence("s1", (parse(matcher),), now, now + timedelta(minutes=minutes), "Kim Jimin", "moving house", now)
    return silence.keep(world.context, begun, changes=False)


def test_an_open_incident_whose_alerts_are_all_silenced_stays_open_and_its_tiers_go_on_afterwards(
    world: World,
) -> None:
    world.alert("PoolTimeouts", seconds=7200)
    world.advance(minutes=6)
    world.expect_mail(to="jimin", kind="tier", tier=1)
    quiet(world, 'alertname="PoolTimeouts"', minutes=30)
    world.advance(minutes=29)
    world.expect_mail(to="jimin", kind="muting")
    world.expect_silence()
    found = world.incident("alerts")
    assert found.status is Status.TRIGGERED
    assert found.seen.muted is not None
    assert found.seen.muted.by == "Kim Jimin"
    world.advance(minutes=2)
    assert {world.post.letters[-1]["X-Bongsu-Kind"], world.post.letters[-2]["X-Bongsu-Kind"]} == {"muting", "tier"}


def test_one_alert_that_is_not_silenced_keeps_the_tiers_going(world: World) -> None:
    world.alert("PoolTimeouts", seconds=7200)
    world.alert("DiskFull", seconds=7200)
    quiet(world, 'alertname="PoolTimeouts"', minutes=60)
    world.advance(minutes=6)
    world.expect_mail(to="jimin", kind="muting")
    assert "DiskFull" in world.expect_mail(to="jimin", kind="tier", tier=1)["Subject"]


def test_handing_over_tells_the_new_owner_at_once_and_their_acknowledgement_holds(world: World) -> None:
    world.cpu(0.42)
    world.advance(minutes=6)
    world.expect_mail(to="jimin", kind="tier", tier=1)
    world.acknowledge()
    command.reassign(world.context, world.incident().id, "Kim Jimin", "person:sora")
    world.deliver()
    letter = world.expect_mail(to="sora", kind="reassigned")
    assert "Kim Jimin handed this to you" in text(letter)
    held = world.incident()
    assert held.ack is not None
    assert held.ack.by == "Lee Sora"
    world.advance(minutes=2)
    world.acknowledge("Lee Sora")
    world.advance(minutes=12)
    world.expect_silence()
    world.advance(minutes=2)
    world.expect_mail(to="commerce", kind="tier", tier=2)


def test_a_new_owner_who_does_not_answer_holds_the_tiers_for_five_minutes_only(world: World) -> None:
    world.cpu(0.42)
    world.advance(minutes=16)
    world.expect_mail(to="jimin", kind="tier", tier=1)
    command.reassign(world.context, world.incident().id, "Kim Jimin", "team:headquarters")
    world.deliver()
    world.expect_mail(to="hq", kind="reassigned")
    world.advance(minutes=4, seconds=30)
    world.expect_silence()
    world.advance(minutes=1)
    world.expect_mail(to="commerce", kind="tier", tier=2)


def test_handing_over_never_extends_what_an_acknowledgement_holds(world: World) -> None:
    world.cpu(0.42)
    world.advance(minutes=6)
    world.acknowledge()
    limit = world.incident().hold_until
    world.advance(minutes=13)
    for to in ("person:sora", "person:jimin", "person:sora"):
        command.reassign(world.context, world.incident().id, "x", to)
    world.acknowledge("Lee Sora")
    assert world.incident().hold_until == limit


def test_it_is_handed_to_nobody_who_does_not_exist_or_cannot_be_told_or_when_it_is_over(world: World) -> None:
    world.cpu(0.42)
    world.advance(minutes=6)
    with pytest.raises(InvalidInput, match="person:jimin"):
        command.reassign(world.context, world.incident().id, "x", "person:nobody")
    world.post.refuses.add("sora@example.com")
    command.reassign(world.context, world.incident().id, "x", "person:sora")
    world.advance(minutes=14, seconds=30)
    world.expect_mail(to="jimin", kind="tier", tier=1)
    world.expect_mail(to="commerce", kind="tier", tier=2)
    world.cpu(0.05)
    world.advance(minutes=30)
    with pytest.raises(IllegalTransition):
        command.reassign(world.context, world.incident().id, "x", "person:sora")


def test_a_preview_names_the_incidents_that_spoke_for_an_alert_and_no_others(world: World) -> None:
    world.alert("DiskFull", seconds=60)
    world.advance(minutes=60)
    first = world.incident("alerts")
    world.alert("PoolTimeouts", seconds=3600, bongsu_policy="pool")
    world.alert("Slow", seconds=3600)
    world.advance(minutes=1)
    second = world.incident("alerts")
    assert first.id != second.id

    def named(matcher: str) -> list[str]:
        return [each.id for each in silence.preview(world.context, [parse(matcher)]).incidents]

    assert named("alertname=DiskFull") == [first.id]
    assert named("alertname=Slow") == [second.id]
    assert named("alertname=~DiskFull|Slow") == [second.id, first.id]
    assert named("alertname=Other") == []
