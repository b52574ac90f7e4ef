"""Stories of alerts that come from outside: Prometheus, amtool, whoever speaks Alertmanager's API."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bongsu.core.access import Via
from bongsu.core.errors import InvalidInput
from bongsu.core.matcher import parse
from bongsu.core.routing import Route
from bongsu.core.silence import Silence
from bongsu.engine import silence, tidy
from bongsu.store import alerts, audit, incidents, timeline
from bongsu.testing import World


def joined(world: World, incident_id: str) -> list[str]:
    """The alerts that the incident's timeline says have joined it; everything that fires is spoken for."""
    assert undecided(world) == set()
    lines = world.context.db.read(lambda tx: timeline.of(tx, incident_id))
    return [str(entry.facts["alertname"]) for entry in lines if entry.what == "alert_joined"]


def undecided(world: World) -> set[str]:
    """Policies with alerts that no incident speaks for."""
    found = world.context.db.read(lambda tx: alerts.undecided(tx, world.context.clock.now()))
    return {to.policy for to in found}


def test_an_alert_of_its_own_is_escalated_by_its_own_clock_and_ends_by_its_end(world: World) -> None:
    world.alert("PoolTimeouts", seconds=3600)
    world.advance(minutes=5, seconds=15)
    world.expect_mail(to="jimin", kind="tier", tier=1)
    world.advance(minutes=15)
    world.expect_mail(to="commerce", kind="tier", tier=2)
    world.alert("PoolTimeouts", seconds=0)
    world.advance(seconds=15)
    world.expect_mail(to="jimin", kind="resolved")
    world.expect_mail(to="commerce", kind="resolved")


def test_an_alert_that_is_not_sent_again_ends_by_its_time_out(world: World) -> None:
    world.alert("PoolTimeouts", seconds=360)
    world.advance(minutes=5, seconds=30)
    world.expect_mail(to="jimin", kind="tier", tier=1)
    world.advance(minutes=1)
    world.expect_mail(to="jimin", kind="resolved")


def test_an_alert_sent_again_goes_on_although_the_disk_was_left_alone(world: World) -> None:
    for _ in range(12):
        world.alert("PoolTimeouts", seconds=240)
        world.advance(minutes=1)
    world.expect_mail(to="jimin", kind="tier", tier=1)
    world.expect_silence()
    assert world.incident("alerts").seen.elapsed >= timedelta(minutes=11)


def test_a_restart_forgets_no_alert(world: World) -> None:
    world.alert("PoolTimeouts", seconds=3600)
    world.restart()  # before anybody decided on it
    world.advance(minutes=5, seconds=15)
    world.expect_mail(to="jimin", kind="tier", tier=1)


def test_alerts_of_one_service_are_one_incident_and_it_names_them(world: World) -> None:
    world.alert("PoolTimeouts", seconds=3600, instance="m1")
    world.alert("ErrorLogs", seconds=3600, instance="m2")
    world.advance(minutes=6)
    world.expect_mail(to="jimin", kind="tier", tier=1)
    world.expect_silence()
    assert world.incident("alerts").seen.facts["alertname"] == "ErrorLogs, PoolTimeouts"
    assert world.incident("alerts").seen.machines == ("m1", "m2")


def test_in_a_storm_of_alerts_one_decision_speaks_for_many(world: World) -> None:
    world.alert("PoolTimeouts", seconds=3600, instance="m1")
    assert world.incident("alerts").seen.machines == ("m1",)  # the first is decided on while it is kept
    world.alert("PoolTimeouts", seconds=3600, instance="m2")
    world.alert("PoolTimeouts", seconds=3600, instance="m3")
    assert world.incident("alerts").seen.machines == ("m1",)
    world.advance(seconds=5)
    assert world.incident("alerts").seen.machines == ("m1", "m2", "m3")


def test_a_route_chooses_service_policy_and_one_incident_for_each_group(world: World) -> None:
    world.routes = (Route((parse('severity="page"'),), "shop", "at-once", ("alertname",)),)
    world.restart()
    for name in ("DiskFull", "QueueStuck"):
        world.alert(name, seconds=3600, bongsu_service="", severity="page")
    world.tick()
    world.expect_mail(to="jimin", kind="tier", tier=1)
    world.expect_mail(to="jimin", kind="tier", tier=1)
    found = world.context.db.read(incidents.search)
    assert sorted(each.group for each in found) == ["alertname=DiskFull", "alertname=QueueStuck"]
    world.alert("DiskFull", seconds=0, bongsu_service="", severity="page")
    world.tick()
    world.expect_mail(to="jimin", kind="resolved")
    world.expect_silence()


def test_an_alert_about_the_watchs_own_breach_waits_for_its_incident_and_joins_it(world: World) -> None:
    world.alert("CpuOverBaseline", seconds=3600, bongsu_policy="burst")
    world.tick()
    assert world.context.db.read(incidents.search) == []
    assert undecided(world) == {"burst"}
    world.cpu(0.42)
    world.advance(minutes=6)
    assert joined(world, world.incident().id) == ["CpuOverBaseline"]
    world.expect_mail(to="jimin", kind="tier", tier=1)
    world.expect_silence()


def test_an_alert_that_says_blind_and_a_watch_that_is_blind_are_one_incident(world: World) -> None:
    world.advance(minutes=2)
    world.silent.add("machine-1")
    for _ in range(8):
        world.alert("Blind", seconds=600, bongsu_policy="blind", instance="machine-1")
        world.advance(minutes=1)
    (found,) = world.context.db.read(incidents.search)
    assert found.policy.name == "blind"
    assert joined(world, found.id) == ["Blind"]


def test_what_the_generated_rules_say_of_the_pool_goes_to_the_on_call_developer_alone(world: World) -> None:
    world.alert("BongsuPoolTimeouts", seconds=7200, bongsu_policy="pool")
    world.tick()
    letter = world.expect_mail(to="jimin", kind="tier", tier=1)
    assert "BongsuPoolTimeouts" in letter["Subject"]
    world.advance(minutes=60)
    world.expect_silence()
    world.alert("BongsuPoolTimeouts", seconds=0, bongsu_policy="pool")
    world.tick()
    ended = world.expect_mail(to="jimin", kind="resolved").get_body(("plain",))
    assert ended is not None
    assert "BongsuPoolTimeouts" in ended.get_content()


def quiet(world: World, matcher: str, minutes: float) -> Silence:
    now = world.clock.now()
    begun = Silence("s1", (parse(matcher),), now, now + timedelta(minutes=minutes), "Kim Jimin", "moving house", now)
    return silence.keep(world.context, begun, changes=False)


def test_a_silenced_alert_tells_nobody_until_the_silence_ends(world: World) -> None:
    quiet(world, 'alertname=~"Pool.*"', minutes=30)
    world.alert("PoolTimeouts", seconds=7200)
    world.advance(minutes=29)
    world.expect_mail(to="jimin", kind="muting")
    world.expect_silence()
    world.advance(minutes=2)
    kinds = [(letter["X-Bongsu-Kind"], letter["X-Bongsu-Tier"]) for letter in world.post.letters[1:]]
    assert sorted(kinds, key=str) == [("muting", None), ("tier", "1"), ("tier", "2")]


def test_a_silence_that_is_active_keeps_what_it_said_when_it_is_changed(world: World) -> None:
    begun = quiet(world, 'alertname="A"', minutes=30)
    world.advance(minutes=1)
    longer = replace(begun, ends_at=begun.ends_at + timedelta(hours=1))
    assert silence.keep(world.context, longer, changes=True).id == begun.id
    other = replace(longer, matchers=(parse('alertname="B"'),))
    assert silence.keep(world.context, other, changes=True).id != begun.id
    with pytest.raises(InvalidInput, match="over already"):
        silence.end(world.context, begun.id)


def test_a_silence_that_would_mute_everything_is_refused_with_every_reason(world: World) -> None:
    with pytest.raises(InvalidInput) as caught:
        quiet(world, 'alertname=~".*"', minutes=-5)
    assert len(caught.value.problems) == 2


def test_alerts_that_nobody_is_responsible_for_are_kept(world: World) -> None:
    world.context = replace(world.context, routing=replace(world.context.routing, default=None))
    world.alert("Stray", bongsu_service="")
    (kept,) = world.context.db.read(lambda tx: alerts.firing(tx, world.clock.now()))
    assert (kept.alert.name, kept.to.service) == ("Stray", "")
    world.tick()
    assert world.context.db.read(incidents.search) == []
    assert tidy.tidy(world.context) == 0
    world.clock.advance(timedelta(days=8))
    assert tidy.tidy(world.context) == 1


def test_old_lines_of_the_audit_log_go_and_the_others_stay(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tidy, "AT_ONCE", 2)
    now = world.context.wall.now()
    for days in (500, 450, 401, 399, 0):
        line = audit.Line(now - timedelta(days=days), "jimin", Via.COMMAND, "", f"{days}", "", {})
        world.context.db.write(lambda tx, line=line: audit.add(tx, line))  # type: ignore[misc]
    assert tidy.tidy(world.context) == 3
    assert [each.what for each in world.context.db.read(lambda tx: audit.newest(tx, 9))] == ["0", "399"]
