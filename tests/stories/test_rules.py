"""The rules of the design as stories on a clock that only the story moves."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bongsu.core.errors import InvalidInput, StillBreached
from bongsu.core.incident import Kind, Status
from bongsu.core.schedule import Person
from bongsu.engine import command
from bongsu.store import outbox, timeline
from bongsu.testing import BURST, PEOPLE, START, World


def lines(world: World, policy: str = "burst") -> list[str]:
    incident = world.incident(policy)
    return [entry.what for entry in world.context.db.read(lambda tx: timeline.of(tx, incident.id))]


def test_nobody_acts_and_each_tier_hears_in_its_time(world: World) -> None:
    world.advance(minutes=10)
    world.cpu(0.42)
    world.advance(minutes=5, seconds=15)
    world.expect_mail(to="jimin", kind="tier", tier=1)
    world.advance(minutes=15)
    world.expect_mail(to="commerce", kind="tier", tier=2)
    world.advance(minutes=20)
    world.expect_mail(to="hq", kind="tier", tier=3)
    world.advance(minutes=60)
    world.expect_silence()


def test_no_tier_is_told_before_its_time_by_the_samples_own_timestamps(world: World) -> None:
    world.cpu(0.42)
    world.advance(minutes=50)
    sent = world.context.db.read(lambda tx: outbox.of(tx, world.incident().id))
    for message, minutes in zip([m for m in sent if m.kind == Kind.TIER], (5, 20, 40), strict=True):
        elapsed = float(str(message.facts["elapsed_s"]))
        assert minutes * 60 <= elapsed <= minutes * 60 + 30


def test_a_calm_shop_is_left_alone(world: World) -> None:
    world.advance(minutes=120)
    world.expect_silence()


def test_one_drained_machine_among_calm_ones_is_a_breach(world: World) -> None:
    world.cpu(0.30, "machine-2")
    world.cpu(0.02, "machine-1")
    world.advance(minutes=6)
    letter = world.expect_mail(to="jimin", kind="tier", tier=1)
    assert "machine-2" in letter.get_body(("plain",)).get_content()  # type: ignore[union-attr]


def test_the_peak_calls_at_once_inside_the_same_incident(world: World) -> None:
    world.cpu(0.97)
    world.advance(seconds=30)
    world.expect_mail(to="jimin", kind="ceiling")
    world.cpu(0.42)
    world.advance(minutes=5)
    world.expect_mail(to="jimin", kind="tier", tier=1)
    world.cpu(0.97)
    world.advance(minutes=10)
    world.expect_silence()
    assert lines(world).count("opened") == 1


def test_a_booting_machine_that_is_not_in_the_balancer_alarms_nobody(world: World) -> None:
    world.levels["machine-3"] = 1.0
    world.advance(minutes=10)
    world.expect_silence()


def test_a_short_dip_does_not_reset_the_clock(world: World) -> None:
    world.cpu(0.42)
    world.advance(minutes=4)
    world.cpu(0.1)
    world.advance(minutes=1, seconds=30)
    world.cpu(0.42)
    world.advance(seconds=15)
    world.expect_mail(to="jimin", kind="tier", tier=1)


def test_a_restart_neither_loses_nor_repeats_a_tier(world: World) -> None:
    world.cpu(0.42)
    world.advance(minutes=7)
    world.expect_mail(to="jimin", kind="tier", tier=1)
    world.restart()
    world.advance(minutes=10)
    world.expect_silence()
    world.restart()
    world.advance(minutes=4)
    world.expect_mail(to="commerce", kind="tier", tier=2)


def test_a_fresh_database_finds_the_true_start_in_the_stored_samples(world: World, tmp_path: Path) -> None:
    world.cpu(0.42)
    world.stop()
    world.advance(minutes=22)
    world.context.db.close()
    world.url = f"sqlite:///{tmp_path / 'another.db'}"
    world.context = world._open()
    world.watching = True
    world.advance(seconds=15)
    world.expect_mail(to="jimin", kind="tier", tier=1)
    world.expect_mail(to="commerce", kind="tier", tier=2)
    assert world.incident().seen.since == START + timedelta(seconds=15)


def test_after_an_outage_each_overdue_tier_is_told_once_with_the_true_time(world: World) -> None:
    world.cpu(0.42)
    world.advance(minutes=6)
    world.expect_mail(to="jimin", kind="tier", tier=1)
    world.stop()
    world.advance(minutes=50)
    world.restart()
    world.advance(seconds=15)
    world.expect_mail(to="commerce", kind="tier", tier=2)
    world.expect_mail(to="hq", kind="tier", tier=3)
    world.expect_silence()
    assert world.incident().seen.elapsed == timedelta(minutes=56)


def test_a_breach_that_began_and_ended_during_an_outage_is_one_mail(world: World) -> None:
    world.advance(minutes=1)
    world.stop()
    world.cpu(0.42)
    world.advance(minutes=30)
    world.cpu(0.08)
    world.advance(minutes=10)
    world.restart()
    world.advance(minutes=5)
    world.expect_mail(to="jimin", kind="over")
    world.expect_silence()


def test_an_acknowledgement_holds_the_department_back_for_the_hold(world: World) -> None:
    world.cpu(0.42)
    world.advance(minutes=6)
    world.expect_mail(to="jimin", kind="tier", tier=1)
    world.acknowledge()
    world.advance(minutes=14)
    world.acknowledge()  # once more, which extends nothing
    world.expect_silence()
    world.advance(minutes=1, seconds=15)
    letter = world.expect_mail(to="commerce", kind="tier", tier=2)
    assert "Kim Jimin" in letter.get_body(("plain",)).get_content()  # type: ignore[union-attr]


def test_throttling_voids_the_acknowledgement(world: World) -> None:
    world.cpu(0.42)
    world.advance(minutes=6)
    world.acknowledge()
    world.expect_mail(to="jimin", kind="tier", tier=1)
    world.balances["machine-1"] = 0.0
    world.cpu(0.2, "machine-1")
    world.advance(seconds=15)
    kinds = {m["X-Bongsu-Kind"] for m in world.post.letters[world.seen :]}
    assert kinds == {"throttled", "runway"}
    assert world.incident().void in ("throttled", "runway")


def test_the_flat_line_keeps_the_alarm_on(world: World) -> None:
    world.cpu(0.42)
    world.balances["machine-2"] = 200.0
    world.advance(minutes=6)
    world.balances["machine-1"] = 0.2
    world.cpu(0.195, "machine-1")
    world.cpu(0.05, "machine-2")
    world.advance(minutes=35)
    assert world.incident().status is Status.TRIGGERED
    assert "hq" in {m["To"].addresses[0].username for m in world.post.letters}


def test_credits_that_would_last_less_than_the_runway_call_at_once(world: World) -> None:
    world.balances["machine-1"] = 40.0  # 25 minutes at 100 %
    world.cpu(0.42)
    world.advance(seconds=15)
    world.expect_mail(to="jimin", kind="runway")


def test_the_resolved_mail_reaches_exactly_those_who_were_told(world: World) -> None:
    world.cpu(0.42)
    world.advance(minutes=21)
    world.expect_mail(to="jimin", kind="tier", tier=1)
    world.expect_mail(to="commerce", kind="tier", tier=2)
    world.cpu(0.1)
    world.advance(minutes=3)
    assert {world.expect_mail(to=name, kind="resolved")["To"].addresses[0].username for name in ("jimin", "commerce")}
    world.expect_silence()
    assert world.incident().status is Status.RESOLVED


def test_mitigated_is_not_resolved_until_the_runway_is_back(world: World) -> None:
    world.balances = dict.fromkeys(world.balances, 12.0)  # 7.5 minutes at 100 %, ten are asked for
    world.cpu(0.42)
    world.advance(minutes=6)
    world.cpu(0.1)
    world.advance(minutes=5)
    assert world.incident().status is Status.MITIGATED
    world.balances = dict.fromkeys(world.balances, 20.0)
    world.advance(seconds=15)
    assert world.incident().status is Status.RESOLVED


def test_resolving_by_hand_is_refused_while_the_breach_holds(world: World) -> None:
    world.cpu(0.42)
    world.advance(minutes=6)
    with pytest.raises(StillBreached):
        command.resolve(world.context, world.incident().id, "Kim Jimin")


def test_a_breach_within_half_an_hour_joins_its_incident_and_adds_up(world: World) -> None:
    world.cpu(0.42)
    world.advance(minutes=16)
    world.cpu(0.1)
    world.advance(minutes=10)
    first = world.incident()
    assert first.status is Status.RESOLVED
    world.seen = len(world.post.letters)
    world.cpu(0.42)
    world.advance(minutes=2, seconds=15)
    world.expect_mail(to="jimin", kind="tier", tier=1)
    world.advance(minutes=3)
    world.expect_mail(to="commerce", kind="tier", tier=2)
    assert world.incident().id == first.id


def test_a_machine_that_vanishes_leaves_the_breach_running_blind(world: World) -> None:
    world.cpu(0.42, "machine-1")
    world.advance(minutes=6)
    world.expect_mail(to="jimin", kind="tier", tier=1)
    world.silent.add("machine-1")
    world.advance(minutes=2)
    letter = world.expect_mail(to="jimin", kind="blind")
    assert "0 %" not in letter.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    world.advance(minutes=13)
    world.expect_mail(to="commerce", kind="tier", tier=2)


def test_a_machine_that_was_removed_leaves_the_breach(world: World) -> None:
    world.cpu(0.42, "machine-1")
    world.advance(minutes=6)
    world.expect_mail(to="jimin", kind="tier", tier=1)
    world.balancer.names.discard("machine-1")
    world.silent.add("machine-1")
    world.advance(minutes=3)
    world.expect_mail(to="jimin", kind="resolved")


def test_a_calm_machine_that_falls_silent_is_an_alarm_of_its_own(world: World) -> None:
    world.advance(minutes=2)
    world.silent.add("machine-2")
    world.advance(minutes=2)
    world.expect_mail(to="jimin", kind="blind")
    assert world.incident("blind").seen.machines == ("machine-2",)
    world.advance(minutes=30)
    world.expect_silence()
    world.silent.clear()
    world.advance(minutes=1)
    world.expect_mail(to="jimin", kind="resolved")


def test_prometheus_down_is_one_alarm_and_the_tiers_go_on(world: World) -> None:
    world.cpu(0.42)
    world.advance(minutes=6)
    world.expect_mail(to="jimin", kind="tier", tier=1)
    world.acknowledge()
    world.metrics.down = True
    world.advance(minutes=2)
    world.expect_mail(to="jimin", kind="blind")
    world.expect_silence()
    assert world.incident().void == "blind"
    world.advance(minutes=13)
    world.expect_mail(to="commerce", kind="tier", tier=2)
    world.metrics.down = False
    world.advance(minutes=1)
    assert world.incident().seen.since == START + timedelta(seconds=15)


def test_missing_data_is_never_zero(world: World) -> None:
    world.metrics.down = True
    world.advance(minutes=30)
    assert not [m for m in world.post.letters if m["X-Bongsu-Kind"] == "resolved"]
    assert [m["X-Bongsu-Kind"] for m in world.post.letters] == ["blind"]


def test_an_on_call_without_address_goes_up_to_the_department_at_once(tmp_path: Path) -> None:
    people = {**PEOPLE.people, "jimin": Person("jimin", "Kim Jimin", "ko")}
    stage = World(f"sqlite:///{tmp_path / 'b.db'}", tmp_path, directory=replace(PEOPLE, people=people))
    stage.cpu(0.42)
    stage.advance(minutes=5, seconds=15)
    stage.expect_mail(to="commerce", kind="tier", tier=2)
    assert "unreachable" in lines(stage)
    stage.advance(minutes=16)
    stage.expect_silence()
    stage.close()


def test_an_address_that_refuses_for_good_sends_the_alarm_up_and_harms_nobody_else(world: World) -> None:
    world.post.refuses.add("jimin@example.com")
    world.cpu(0.42)
    world.advance(minutes=5, seconds=30)
    world.expect_mail(to="commerce", kind="tier", tier=2)
    refused = world.context.db.read(lambda tx: outbox.of(tx, world.incident().id))[0]
    assert (refused.state, refused.answer) == ("refused", "550 no such user")


def test_a_closed_post_office_loses_nothing_and_repeats_nothing(world: World) -> None:
    world.post.closed = True
    world.cpu(0.42)
    world.advance(minutes=21)
    world.expect_silence()
    world.post.closed = False
    world.advance(minutes=3)
    assert sorted(m["X-Bongsu-Tier"] for m in world.post.letters) == ["1", "2"]


def test_the_mails_of_an_incident_are_one_thread(world: World) -> None:
    world.cpu(0.42)
    world.advance(minutes=41)
    assert len({m["References"] for m in world.post.letters}) == 1
    assert len({m["Message-ID"] for m in world.post.letters}) == 3


def test_a_rules_alert_joins_the_watchs_incident(world: World) -> None:
    world.cpu(0.42)
    world.advance(minutes=6)
    for _ in range(2):
        world.alert("CpuOverBaseline", bongsu_policy="burst")
    world.advance(minutes=1)
    assert lines(world).count("alert_joined") == 1
    world.expect_mail(to="jimin", kind="tier", tier=1)
    world.expect_silence()


def test_an_open_incident_keeps_the_policy_it_began_with(world: World) -> None:
    world.cpu(0.42)
    world.advance(minutes=6)
    world.policy = replace(BURST, tiers=(replace(BURST.tiers[0], after=timedelta(minutes=90)),))
    world.restart()
    world.advance(minutes=15)
    assert {m["X-Bongsu-Tier"] for m in world.post.letters} == {"1", "2"}


def test_a_snooze_holds_the_department_and_at_its_end_it_hears_who_snoozed(world: World) -> None:
    world.cpu(0.42)
    world.advance(minutes=6)
    world.expect_mail(to="jimin", kind="tier", tier=1)
    command.snooze(world.context, world.incident().id, "Kim Jimin", timedelta(minutes=60))
    world.advance(minutes=59)
    world.expect_silence()
    world.advance(minutes=2)
    letter = world.expect_mail(to="commerce", kind="tier", tier=2)
    assert "Kim Jimin" in letter.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    world.expect_mail(to="hq", kind="tier", tier=3)
    with pytest.raises(InvalidInput, match="hand the incident over"):
        command.snooze(world.context, world.incident().id, "Kim Jimin", timedelta(hours=5))


def test_a_tier_called_by_hand_hears_at_once_and_not_again_at_its_time(world: World) -> None:
    world.cpu(0.42)
    world.advance(minutes=6)
    world.expect_mail(to="jimin", kind="tier", tier=1)
    command.escalate(world.context, world.incident().id, "Kim Jimin", 3)
    world.deliver()
    letter = world.expect_mail(to="hq", kind="tier", tier=3)
    assert "Kim Jimin" in letter.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    world.advance(minutes=36)
    world.expect_mail(to="commerce", kind="tier", tier=2)
    world.expect_silence()
    command.escalate(world.context, world.incident().id, "Kim Jimin", 3)
    world.deliver()
    again = world.expect_mail(to="hq", kind="tier", tier=3)
    assert again["Message-ID"] != letter["Message-ID"], "called again, it is a new occurrence"
    with pytest.raises(InvalidInput, match="there is no tier 4"):
        command.escalate(world.context, world.incident().id, "Kim Jimin", 4)


def test_a_tier_that_repeats_goes_on_until_somebody_acknowledges(tmp_path: Path) -> None:
    first = replace(BURST.tiers[0], repeat=timedelta(minutes=3))
    world = World(f"sqlite:///{tmp_path}/repeat.db", tmp_path, policy=replace(BURST, tiers=(first, *BURST.tiers[1:])))
    world.cpu(0.42)
    world.advance(minutes=12)
    letters = [world.expect_mail(to="jimin", kind="tier", tier=1) for _ in range(3)]
    assert len({letter["Message-ID"] for letter in letters}) == 3
    world.acknowledge()
    world.advance(minutes=8)
    world.expect_silence()
    world.close()
