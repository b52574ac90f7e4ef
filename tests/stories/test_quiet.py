"""Severity and quiet hours, as stories: who is woken, who reads it in the morning, and that nobody is forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bongsu.core.delivery import may_wait
from bongsu.core.incident import Kind
from bongsu.core.maintenance import Maintenance
from bongsu.core.policy import Policy
from bongsu.core.quiet import Quiet
from bongsu.core.rotation import Hours
from bongsu.core.schedule import Directory, Team
from bongsu.core.severity import Severity
from bongsu.engine import command, maintenance
from bongsu.render.timeline import timeline_words
from bongsu.store import timeline
from bongsu.testing import BURST, PEOPLE, World

NIGHT = Quiet((Hours(start=time(19), end=time(20, 6)),))
"""Stories begin at 20:00."""
ASLEEP = replace(
    PEOPLE,
    people={name: replace(each, quiet=NIGHT) for name, each in PEOPLE.people.items()},
    teams={**PEOPLE.teams, "commerce": Team("commerce", "Commerce", ("jimin", "sora"))},
)
"""Everybody has quiet hours; the department has no address of its own, so that its members are told."""
CRITICAL = replace(
    BURST,
    tiers=tuple(replace(tier, after=timedelta(minutes=n)) for tier, n in zip(BURST.tiers, (1, 2, 4), strict=True)),
    settle=timedelta(seconds=30),
)
WARNING = replace(CRITICAL, severity=Severity.WARNING)


def stage(folder: Path, policy: Policy = WARNING, directory: Directory = ASLEEP) -> World:
    return World(f"sqlite:///{folder / 'bongsu.db'}", folder, policy=policy, directory=directory)


@pytest.fixture
def night(tmp_path: Path) -> Iterator[World]:
    world = stage(tmp_path)
    yield world
    world.close()


def said(world: World, policy: str = "burst") -> list[str]:
    incident = world.incident(policy)
    return [timeline_words(each, "en") for each in world.context.db.read(lambda tx: timeline.of(tx, incident.id))]


def text(letter: object) -> str:
    return letter.get_body(("plain",)).get_content()  # type: ignore[attr-defined,no-any-return]


def test_the_first_tier_is_woken_the_second_reads_it_in_the_morning_the_third_is_not_delayed(night: World) -> None:
    night.cpu(0.42)
    night.advance(minutes=2.5)
    night.expect_mail(to="jimin", kind="tier", tier=1)
    night.expect_mail(to="jimin", kind="tier", tier=2)  # who was woken hears the rest of it
    night.expect_silence()
    assert said(night)[-2:] == [
        "Told Kim Jimin: tier 2, after 2 min.",
        "Quiet hours: Lee Sora will be told at 20:06 UTC: tier 2 (severity: warning).",
    ]
    night.advance(minutes=2)
    letter = night.expect_mail(to="hq", kind="tier", tier=3)
    assert "Lee Sora" not in text(letter), "who sleeps was not told before"
    night.advance(minutes=1, seconds=15)
    night.expect_silence()
    night.advance(seconds=15)
    letter = night.expect_mail(to="sora", kind="tier", tier=2)
    assert "waited for your quiet hours to end" in text(letter)
    assert letter["Date"].datetime == night.clock.now(), "or it would lie below the mails of the night"
    night.expect_silence()


def test_what_is_critical_wakes_everybody(tmp_path: Path) -> None:
    world = stage(tmp_path, policy=CRITICAL)
    world.cpu(0.42)
    world.advance(minutes=2.5)
    world.expect_mail(to="jimin", kind="tier", tier=1)
    world.expect_mail(to="jimin", kind="tier", tier=2)
    world.expect_mail(to="sora", kind="tier", tier=2)
    world.close()


def test_the_ceiling_empty_credits_and_blindness_wake_whoever_they_call(night: World) -> None:
    night.cpu(0.97)
    night.advance(seconds=30)
    night.expect_mail(to="jimin", kind="ceiling")
    night.balances = dict.fromkeys(night.levels, 0.5)
    night.cpu(0.2)
    night.advance(minutes=1)
    assert {night.expect_mail(to="jimin", kind=kind)["X-Bongsu-Kind"] for kind in ("throttled", "runway")}
    night.silent |= set(night.levels)
    night.advance(minutes=2)
    assert ("jimin", "blind") in {(m["To"].addresses[0].username, m["X-Bongsu-Kind"]) for m in night.post.letters}


def test_several_that_waited_come_in_one_mail_and_what_was_over_says_so(night: World) -> None:
    night.cpu(0.42)
    night.advance(minutes=2.5)
    night.cpu(0.05)
    night.advance(minutes=1)
    for kind, tier in (("tier", 1), ("tier", 2), ("resolved", None)):
        night.expect_mail(to="jimin", kind=kind, tier=tier)
    night.expect_silence()
    night.advance(minutes=4)
    letter = night.expect_mail(to="sora", kind="digest")
    assert "2 messages" in letter["Subject"]
    assert "waited for your quiet hours" in text(letter)
    assert "Resolved" in text(letter)


def test_a_first_tier_that_cannot_be_told_wakes_the_next_also_when_that_is_known_late(night: World) -> None:
    night.post.closed = True
    night.cpu(0.42)
    night.advance(minutes=2.5)
    night.expect_silence()
    night.post.refuses.add("jimin@example.com")
    night.post.closed = False
    night.advance(minutes=1)
    assert "sora@example.com" in {letter["To"].addresses[0].addr_spec for letter in night.post.letters}
    assert "Lee Sora: told in quiet hours after all." in said(night)


def test_a_tier_called_by_hand_wakes(night: World) -> None:
    night.cpu(0.42)
    night.advance(minutes=1.25)
    night.expect_mail(to="jimin", kind="tier", tier=1)
    command.escalate(night.context, night.incident().id, "Kim Jimin", 2)
    night.deliver()
    night.expect_mail(to="jimin", kind="tier", tier=2)
    night.expect_mail(to="sora", kind="tier", tier=2)


def test_judged_urgent_it_is_critical_and_whoever_sleeps_is_woken(night: World) -> None:
    night.cpu(0.42)
    night.advance(minutes=2.5)
    night.expect_mail(to="jimin", kind="tier", tier=1)
    command.triage(night.context, night.incident().id, "Kim Jimin", urgent=True, why="orders fail")
    night.deliver()
    assert not any("quiet hours" in text(letter) for letter in night.post.letters), "it did not wait for their end"
    kinds = [(letter["To"].addresses[0].username, letter["X-Bongsu-Kind"]) for letter in night.post.letters[2:]]
    assert sorted(kinds) == [("hq", "urgent"), ("sora", "tier")]


def test_the_alerts_own_label_decides_and_one_that_is_graver_wakes(tmp_path: Path) -> None:
    world = stage(tmp_path, policy=CRITICAL)
    world.alert("QueueLong", seconds=7200, severity="warning")
    world.advance(minutes=2.5)
    world.expect_mail(to="jimin", kind="tier", tier=1)
    world.expect_mail(to="jimin", kind="tier", tier=2)
    world.expect_silence()
    world.alert("QueueFull", seconds=7200, severity="Critical")
    world.advance(seconds=15)
    world.expect_mail(to="sora", kind="tier", tier=2)
    assert said(world, "alerts")[-1] == "Lee Sora: told in quiet hours after all."
    world.close()


def test_a_label_nobody_knows_counts_as_the_policys_severity(tmp_path: Path) -> None:
    world = stage(tmp_path, policy=CRITICAL)
    world.alert("QueueLong", seconds=7200, severity="warning")
    world.alert("DiskOdd", seconds=7200, severity="sev-2")
    world.advance(minutes=2.5)
    for to, tier in (("jimin", 1), ("jimin", 2), ("sora", 2)):
        world.expect_mail(to=to, kind="tier", tier=tier)
    world.close()


def test_a_restart_in_the_night_loses_and_repeats_nothing(night: World) -> None:
    night.cpu(0.42)
    night.advance(minutes=2.5)
    night.restart()
    night.advance(minutes=4)
    told = [(each["To"].addresses[0].username, each["X-Bongsu-Tier"]) for each in night.post.letters]
    assert told == [("jimin", "1"), ("jimin", "2"), ("hq", "3"), ("sora", "2")]


def test_what_is_caught_up_at_once_goes_to_whoever_it_wakes_together(night: World) -> None:
    night.cpu(0.42)
    night.stop()
    night.advance(minutes=2.5)
    night.restart()
    night.advance(seconds=15)
    night.expect_mail(to="jimin", kind="tier", tier=1)
    night.expect_mail(to="jimin", kind="tier", tier=2)
    night.expect_silence()


@pytest.mark.parametrize(("kind", "level"), [(kind, level) for kind in Kind for level in (0, 1, 2)])
def test_quiet_hours_never_touch_what_a_digest_must_not(kind: Kind, level: int) -> None:
    assert NIGHT.waits(Severity.INFO, kind, level, {}) == may_wait(kind, level)
    assert not NIGHT.waits(Severity.CRITICAL, kind, level, {})


def test_quiet_stretches_join_and_follow_the_local_clock_over_its_changes() -> None:
    weekend = Quiet((Hours(start=time(22), end=time(7)), Hours(frozenset({5, 6}))), ZoneInfo("Europe/Berlin"))
    saturday_night = datetime(2026, 3, 28, 23, tzinfo=UTC)  # the clocks go forward on the 29th
    found = weekend.stretch(saturday_night)
    assert found == (datetime(2026, 3, 27, 21, tzinfo=UTC), datetime(2026, 3, 30, 5, tzinfo=UTC))
    assert weekend.stretch(datetime(2026, 3, 30, 5, tzinfo=UTC)) is None
    assert not weekend.endless
    assert Quiet((Hours(start=time(7), end=time(22)), Hours(start=time(22), end=time(7)))).endless
    assert found[1] - found[0] == timedelta(hours=56)


def test_that_a_planned_maintenance_begins_wakes_nobody_but_is_told_in_the_morning(night: World) -> None:
    begins = night.clock.now() + timedelta(minutes=1)
    planned = Maintenance("", "shop", begins, begins + timedelta(minutes=2), "jimin", "new disks")
    maintenance.keep(night.context, planned)
    night.advance(minutes=5, seconds=45)
    night.expect_silence()
    night.advance(seconds=15)
    for _ in range(2):
        assert "방해 금지 시간" in text(night.expect_mail(to="jimin", kind="muting"))
    night.expect_silence()


def test_several_that_are_let_go_come_at_once_each_by_itself(tmp_path: Path) -> None:
    teams = {**ASLEEP.teams, "headquarters": Team("headquarters", "Headquarters", ("sora",))}
    world = stage(tmp_path, directory=replace(ASLEEP, teams=teams))
    world.cpu(0.42)
    world.advance(minutes=4.5)
    assert {letter["To"].addresses[0].username for letter in world.post.letters} == {"jimin"}
    world.seen = len(world.post.letters)
    command.triage(world.context, world.incident().id, "Kim Jimin", urgent=True, why="orders fail")
    world.deliver()
    world.expect_mail(to="sora", kind="tier", tier=2)
    world.expect_mail(to="sora", kind="tier", tier=3)
    world.close()
