"""After an incident: the report is written and approved, promises are kept, the review deals with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bongsu.core.alarms import Why
from bongsu.core.drill import Drilled, Verdict
from bongsu.core.errors import IllegalTransition, InvalidInput, Stale
from bongsu.core.followup import Frozen
from bongsu.core.impact import Impact, Measured, Traffic
from bongsu.core.incident import Status
from bongsu.core.review import Meeting
from bongsu.engine import command, followup, report, review
from bongsu.store import editions, outbox, reports
from bongsu.testing import START, World


def incident_that_is_over(world: World) -> str:
    world.cpu(0.42)
    world.advance(minutes=6)
    world.expect_mail(to="jimin", kind="tier", tier=1)
    world.cpu(0.08)
    world.advance(minutes=20)
    world.expect_mail(to="jimin", kind="resolved")
    assert world.incident().status is Status.RESOLVED
    return world.incident().id


def test_two_people_write_at_the_same_time_and_nothing_is_lost(world: World) -> None:
    name = incident_that_is_over(world)
    followup.edit(world.context, name, "Jimin", {"cause": "a sale"}, ["sale"], 0)
    followup.edit(world.context, name, "Sora", {"cause": "a sale", "went_well": "the link"}, ["sale"], 1)
    both = followup.edit(world.context, name, "Jimin", {"cause": "a flash sale", "went_well": "HAProxy"}, ["sale"], 1)
    assert both.texts["cause"] == "a flash sale"
    assert "the link" in both.texts["went_well"]
    assert "HAProxy" in both.texts["went_well"]
    assert both.both == ("went_well",)
    assert [each.number for each in world.context.db.read(lambda tx: editions.of(tx, name))] == [1, 2, 3]


def test_an_approved_report_stays_as_it_is(world: World) -> None:
    name = incident_that_is_over(world)
    followup.edit(world.context, name, "Jimin", {"cause": "a sale"}, [], 0)
    facts = report.collect(world.context, name)
    with pytest.raises(Stale):
        followup.approve(world.context, name, "Sora", 0)
    followup.approve(world.context, name, "Sora", 1)
    with pytest.raises(Frozen):
        followup.edit(world.context, name, "Jimin", {"cause": "another"}, [], 1)
    world.cpu(0.42)  # it comes back within `rejoin`, and the report of what was approved is not made anew
    world.advance(minutes=6)
    world.cpu(0.08)
    world.advance(minutes=20)
    assert report.collect(world.context, name) == facts
    followup.withdraw(world.context, name, "Sora")
    assert followup.edit(world.context, name, "Jimin", {"cause": "another"}, [], 1).number == 2


def test_an_open_incident_cannot_be_approved(world: World) -> None:
    world.cpu(0.42)
    world.advance(minutes=6)
    with pytest.raises(InvalidInput, match="once it is over"):
        followup.approve(world.context, world.incident().id, "Sora", 0)


def test_a_promise_is_told_and_comes_back_until_it_is_kept(world: World) -> None:
    name = incident_that_is_over(world)
    due = (START + timedelta(days=3)).date()
    made = followup.add_item(world.context, name, "Sora", "cache the top sellers", "person:jimin", due)
    world.deliver()
    told = world.expect_mail(to="jimin", kind="item")
    assert "cache the top sellers" in str(told["Subject"])
    for _ in range(14 * 24):
        world.clock.advance(timedelta(hours=1))
        followup.remind(world.context)
    world.deliver()
    for _ in range(3):  # the day before, on the day, a week later
        world.expect_mail(to="jimin", kind="item")
    world.expect_silence()
    followup.finish_item(world.context, made.id, "Kim Jimin", "cached since Tuesday")
    world.clock.advance(timedelta(days=30))
    assert followup.remind(world.context) == 0
    assert followup.written(world.context, name).items[0].result == "cached since Tuesday"


def test_a_promise_by_nobody_is_refused(world: World) -> None:
    name = incident_that_is_over(world)
    with pytest.raises(InvalidInput) as refused:
        followup.add_item(world.context, name, "Sora", " ", "person:nobody", START.date())
    assert len(refused.value.problems) == 2


def test_a_report_is_shared_by_mail(world: World) -> None:
    name = incident_that_is_over(world)
    assert followup.share(world.context, name, "Jimin", ["team:commerce", "person:sora"]) == 2
    world.deliver()
    world.expect_mail(to="commerce", kind="report")
    letter = world.expect_mail(to="sora", kind="report")
    body = letter.get_body(("plain",))
    assert body is not None
    assert f"/incidents/{name}/report" in body.get_content()
    with pytest.raises(InvalidInput, match="team:nobody"):
        followup.share(world.context, name, "Jimin", ["team:nobody"])


def test_the_review_gets_its_agenda_once_and_closes_what_it_dealt_with(world: World) -> None:
    meeting = Meeting(timedelta(days=14), START + timedelta(days=2), ("team:commerce",))
    assert review.invite(replace(world.context, meeting=meeting), meeting) == 0
    name = incident_that_is_over(world)
    world.clock.advance(timedelta(days=1, hours=1))
    for _ in range(3):
        review.invite(world.context, meeting)
    world.deliver()
    letter = world.expect_mail(to="commerce", kind="review")
    assert "2026-01-07" in str(letter["Subject"])
    world.expect_silence()
    assert [each.id for each in review.collect(world.context, meeting).unreviewed] == [name]
    review.close(world.context, [name], "Sora")
    assert review.collect(world.context, meeting).unreviewed == ()
    with pytest.raises(IllegalTransition):
        review.close(world.context, [name], "Sora")


def test_the_agenda_counts_alarms_and_names_the_expectation_that_a_drill_did_not_meet(world: World) -> None:
    meeting = Meeting(timedelta(days=14), START + timedelta(days=2), ("team:commerce",))
    failed = Drilled("0105", START, "flash sale", Verdict.FAIL, ("nobody: tier 1 (at 5 min; none)",))
    world.context = replace(world.context, meeting=meeting, drills=lambda: (failed,))
    name = incident_that_is_over(world)
    found = review.collect(world.context, meeting)
    assert (found.missed_alarms, found.false_alarms) == ((), ())  # it was told; nobody counted who was hurt
    assert found.drills == (failed,)
    command.triage(world.context, name, "Jimin", urgent=False, why="a load test")
    [alarm] = review.collect(world.context, meeting).false_alarms
    assert (alarm.incident.id, alarm.why, alarm.said) == (name, Why.JUDGED, "a load test")
    review.close(world.context, [name], "Sora")
    world.clock.advance(timedelta(days=1, hours=1))
    assert review.invite(world.context, meeting) > 0  # the drill alone is reason enough
    assert review.invite(world.context, meeting) == 0
    world.deliver()
    body = world.expect_mail(to="commerce", kind="review").get_body(("plain",))
    assert body is not None
    text = body.get_content()
    assert "1 of the last 1" in text or "1회 중 1회" in text, text


def test_an_incident_whose_mail_no_server_accepted_is_a_missed_alarm(world: World) -> None:
    directory = world.context.directory
    world.post.refuses = {address for each in directory.people.values() for address in each.addresses}
    world.post.refuses |= {address for each in directory.teams.values() for address in each.addresses}
    world.cpu(0.42)
    world.advance(minutes=6)
    world.cpu(0.08)
    world.advance(minutes=20)
    [alarm] = review.collect(world.context, Meeting(timedelta(days=14), START)).missed_alarms
    assert (alarm.incident.id, alarm.why) == (world.incident().id, Why.UNTOLD)


def test_what_nobody_took_and_hurt_nobody_is_a_false_alarm(world: World) -> None:
    meeting = Meeting(timedelta(days=14), START + timedelta(days=2))
    name = incident_that_is_over(world)
    assert world.context.db.read(lambda tx: outbox.warned(tx, [name, "another"])) == {name}
    kept = report.collect(world.context, name)
    measured = Measured(
        "shop", (START, START), (START, START), timedelta(0), Traffic(Impact(), (), (), query="", source="")
    )
    harmless = replace(kept, measured=measured, actions=())
    world.context.db.write(lambda tx: reports.save(tx, harmless))
    [alarm] = review.collect(world.context, meeting).false_alarms
    assert (alarm.incident.id, alarm.why) == (name, Why.IDLE)


def test_lessons_are_found_again(world: World) -> None:
    name = incident_that_is_over(world)
    followup.edit(world.context, name, "Jimin", {"lessons": "Cache the top sellers before a sale"}, ["sale"], 0)
    assert [each.incident_id for each in review.lessons(world.context, ["cache"], ["sale"])] == [name]
    assert review.lessons(world.context, ["crawler"], []) == []
