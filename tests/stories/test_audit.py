"""Rules 9 to 12 sentence by sentence: what no other story says yet."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bongsu.core.errors import StillBreached
from bongsu.core.incident import Status
from bongsu.core.maintenance import Maintenance
from bongsu.core.schedule import Team
from bongsu.engine import command, intake, maintenance
from bongsu.engine.context import Integration
from bongsu.engine.intake import FRESH
from bongsu.store import incidents, timeline
from bongsu.testing import BURST, PEOPLE, World
from bongsu.web.alertmanager import read_alerts
from bongsu.web.hooks import read_hook


def lines(world: World, policy: str = "burst") -> list[str]:
    incident = world.incident(policy)
    return [entry.what for entry in world.context.db.read(lambda tx: timeline.of(tx, incident.id))]


def kinds(world: World) -> list[tuple[str, str, str | None]]:
    """Everything that was sent: to whom, of which kind, which tier."""
    return [(m["To"].addresses[0].username, m["X-Bongsu-Kind"], m["X-Bongsu-Tier"]) for m in world.post.letters]


def test_9_mitigated_is_when_every_machine_has_been_under_the_baseline_for_settle(world: World) -> None:
    world.cpu(0.42)
    world.advance(minutes=6)
    world.cpu(0.05, "machine-1")
    world.advance(minutes=5)
    assert world.incident().status is Status.TRIGGERED, "the other machine is still over it"
    world.balances = dict.fromkeys(world.balances, 12.0)  # so that it is not resolved in the same breath
    world.cpu(0.05)
    world.advance(minutes=1, seconds=45)
    assert world.incident().status is Status.TRIGGERED
    world.advance(seconds=30)
    assert world.incident().status is Status.MITIGATED


def test_9_what_is_throttled_is_not_over_although_its_cpu_is_under_the_baseline(world: World) -> None:
    world.balances = dict.fromkeys(world.balances, None)
    world.cpu(0.42)
    world.advance(minutes=6)
    world.extra = {name: {"throttled": 0.5} for name in world.levels}
    world.cpu(0.195)
    world.advance(minutes=10)
    assert world.incident().status is Status.TRIGGERED
    world.extra = {name: {"throttled": 0.0} for name in world.levels}
    world.advance(minutes=2, seconds=15)
    assert world.incident().status is Status.RESOLVED


def test_9_whoever_may_not_resolve_is_offered_a_snooze_and_later_may(world: World) -> None:
    world.cpu(0.42)
    world.advance(minutes=6)
    with pytest.raises(StillBreached) as refused:
        command.resolve(world.context, world.incident().id, "Kim Jimin")
    assert "snooze" in str(refused.value)
    world.balances = dict.fromkeys(world.balances, 12.0)
    world.cpu(0.05)
    world.advance(minutes=3)
    command.resolve(world.context, world.incident().id, "Kim Jimin")
    world.deliver()
    assert kinds(world)[-1] == ("jimin", "resolved", None)


def test_10_contacts_update_although_the_policy_does_not(world: World) -> None:
    world.cpu(0.42)
    world.advance(minutes=6)
    world.expect_mail(to="jimin", kind="tier", tier=1)
    teams = {**PEOPLE.teams, "commerce": Team("commerce", "Commerce", (), "en", ("new-desk@example.com",))}
    world.directory = replace(PEOPLE, teams=teams)
    world.policy = replace(BURST, tiers=(BURST.tiers[0], replace(BURST.tiers[1], notify=("person:sora",))))
    world.restart()
    world.advance(minutes=15)
    world.expect_mail(to="new-desk", kind="tier", tier=2)
    world.expect_silence()


def test_10_a_maintenance_that_begins_is_seen_at_the_next_look_also_where_nothing_stirs(world: World) -> None:
    world.alert("PoolTimeouts", seconds=7200)
    world.advance(minutes=2)
    now = world.clock.now()
    world.advance(seconds=15)
    seen_at = world.incident("alerts").seen.at
    begun = maintenance.keep(
        world.context, Maintenance("", "shop", now, now + timedelta(hours=1), "jimin", "new disks")
    )
    world.clock.advance(timedelta(seconds=5))
    assert world.clock.now() - seen_at < FRESH, "the incident would not be looked at for its own sake"
    world.tick()
    assert world.incident("alerts").seen.muted is not None
    world.clock.advance(timedelta(seconds=1))
    maintenance.end(world.context, begun.id)
    world.clock.advance(timedelta(seconds=5))
    world.tick()
    assert world.incident("alerts").seen.muted is None


def test_10_what_was_over_while_nobody_watched_a_maintenance_is_listed_but_not_told(world: World) -> None:
    world.advance(minutes=1)
    now = world.clock.now()
    maintenance.keep(world.context, Maintenance("", "shop", now, now + timedelta(hours=2), "jimin", "new disks"))
    world.stop()
    world.cpu(0.42)
    world.advance(minutes=30)
    world.cpu(0.08)
    world.advance(minutes=10)
    world.restart()
    world.advance(minutes=1)
    assert kinds(world) == [("jimin", "muting", None)]
    assert lines(world) == ["was_over"]
    assert world.incident().status is Status.RESOLVED


def test_11_a_tier_that_repeats_is_caught_up_once_not_for_each_time_that_was_missed(tmp_path: Path) -> None:
    first = replace(BURST.tiers[0], repeat=timedelta(minutes=3))
    world = World(f"sqlite:///{tmp_path}/repeat.db", tmp_path, policy=replace(BURST, tiers=(first, *BURST.tiers[1:])))
    world.cpu(0.42)
    world.advance(minutes=6)
    world.stop()
    world.advance(minutes=12)
    world.restart()
    world.advance(seconds=15)
    assert kinds(world) == [("jimin", "tier", "1")] * 2
    assert "18분" in world.post.letters[-1].get_body(("plain",)).get_content()  # type: ignore[union-attr]
    world.close()


def test_11_alerts_from_outside_are_caught_up_too_each_tier_once_with_the_true_time(world: World) -> None:
    world.alert("PoolTimeouts", seconds=7200)
    world.stop()
    world.advance(minutes=50)
    world.restart()
    world.advance(seconds=15)
    assert sorted(kinds(world)) == [("commerce", "tier", "2"), ("hq", "tier", "3"), ("jimin", "tier", "1")]
    assert "50 min" in world.post.letters[1]["Subject"]


def test_11_two_breaches_that_were_and_are_over_are_one_mail(world: World) -> None:
    world.advance(minutes=1)
    world.stop()
    for level, minutes in ((0.42, 10), (0.05, 10), (0.42, 20), (0.05, 10)):
        world.cpu(level)
        world.advance(minutes=minutes)
    world.restart()
    world.advance(minutes=2)
    assert kinds(world) == [("jimin", "over", None)]


RULE = {"alertname": "BongsuCpuOverBaseline", "bongsu_service": "shop", "bongsu_policy": "burst"}


def through_every_door(world: World, *, status: str = "firing") -> None:
    """The same alert of a generated rule as Prometheus, Alertmanager, Grafana and a script say it."""
    ends = world.clock.now() + timedelta(hours=1 if status == "firing" else 0)
    posted = [{"labels": RULE, "endsAt": ends.isoformat()}]
    arrived, problems = read_alerts(json.dumps(posted).encode(), world.context)
    assert problems == []
    envelope = {"alerts": [{"labels": RULE, "status": status}], "version": "4"}
    for form in ("alertmanager", "grafana"):
        arrived += read_hook(
            json.dumps(envelope).encode(), Integration("", form, None, timedelta(hours=1)), world.context
        )
    plain = {"title": RULE["alertname"], "status": status, "labels": RULE}
    arrived += read_hook(
        json.dumps(plain).encode(), Integration("", "plain", "shop", timedelta(hours=1)), world.context
    )
    for alert in arrived:
        intake.receive(world.context, [alert])


def test_12_one_breach_is_one_incident_through_every_door(world: World) -> None:
    through_every_door(world)
    world.tick()
    assert world.context.db.read(incidents.search) == [], "the watch decides; an alert about its breach opens nothing"
    world.cpu(0.42)
    world.advance(minutes=6)
    through_every_door(world)
    world.advance(minutes=15)
    (found,) = world.context.db.read(incidents.search)
    assert lines(world).count("alert_joined") == 1
    assert kinds(world) == [("jimin", "tier", "1"), ("commerce", "tier", "2")]
    through_every_door(world, status="resolved")
    world.advance(minutes=1)
    assert world.incident().status is Status.TRIGGERED, "the samples say when it is over"
    world.cpu(0.05)
    world.advance(minutes=3)
    through_every_door(world)
    world.advance(minutes=1)
    assert world.incident().status is Status.RESOLVED
    assert [each.id for each in world.context.db.read(incidents.search)] == [found.id]


def test_12_an_alert_of_no_rule_of_ours_has_an_incident_of_its_own_beside_the_breach(world: World) -> None:
    world.cpu(0.42)
    world.advance(minutes=6)
    world.alert("CertificateEnds", seconds=3600)
    world.advance(minutes=6)
    assert sorted(each.policy.name for each in world.context.db.read(incidents.search)) == ["alerts", "burst"]
