"""Readiness: each fault by its code, and nothing when nothing is wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bongsu.core.incident import Facts
from bongsu.core.readiness import Fault, Standing, judge
from bongsu.core.rotation import Beat, Rotation, Schedule
from bongsu.core.schedule import Directory, Person, Team
from bongsu.render.people import fault_words
from bongsu.render.words import Words
from bongsu.testing import BURST, PEOPLE, START

DAY = timedelta(days=1)
POLICIES = {"burst": BURST}
JIMIN, SORA = ("person:jimin", "jimin@example.com"), ("person:sora", "sora@example.com")


def codes(*faults: Fault) -> list[tuple[str, str, object]]:
    return [(each.code, each.where, each.facts.get("place")) for each in faults]


def test_nothing_is_wrong_with_the_people_of_the_stories() -> None:
    assert judge(PEOPLE, POLICIES, START) == ()


def test_a_tier_that_reaches_nobody_is_named_once() -> None:
    silent = {**PEOPLE.people, "jimin": replace(PEOPLE.people["jimin"], addresses=())}
    found = judge(Directory(silent, PEOPLE.teams, PEOPLE.schedules), POLICIES, START)
    assert codes(*found) == [("nobody", "policy.burst", "1"), ("no_address", "person.jimin", None)]
    assert all(each.wrong for each in found)


def test_one_target_of_several_without_an_address() -> None:
    both = replace(BURST, tiers=(replace(BURST.tiers[0], notify=("on-call:shop", "team:none")),))
    found = judge(PEOPLE, {"burst": both}, START)
    assert codes(*found) == [("target", "policy.burst", "1"), ("one", "policy.burst", "1")]


def test_gaps_of_two_weeks_are_one_fault() -> None:
    late = Schedule((Rotation(("jimin",), Beat(START + 3 * DAY, 7 * DAY)),))
    (fault,) = [
        each for each in judge(replace(PEOPLE, schedules={"shop": late}), POLICIES, START) if each.code == "gap"
    ]
    assert fault.facts == {
        "schedule": "shop", "from": START.isoformat(), "to": (START + 3 * DAY).isoformat(), "count": 1,
        "total_s": 3 * 86400.0,
    }  # fmt: skip
    over = replace(PEOPLE, schedules={"shop": Schedule((Rotation(("jimin",), Beat(START + 15 * DAY, DAY)),))})
    assert "gap" in {each.code for each in judge(over, POLICIES, START)}


def test_an_address_that_refused_or_did_not_answer() -> None:
    asked = START - 3 * DAY
    for standing, code in ((Standing(suspect=True), "suspect"), (Standing(asked), "silent")):
        found = judge(PEOPLE, POLICIES, START, {JIMIN: standing})
        assert codes(*found) == [("unreliable", "policy.burst", "1"), (code, "person.jimin", None)]
    assert judge(PEOPLE, POLICIES, START, {JIMIN: Standing(asked, awaited=True)}) == ()
    assert judge(PEOPLE, POLICIES, START, {JIMIN: Standing(asked, asked + DAY)}) == ()
    assert codes(*judge(PEOPLE, POLICIES, START, {JIMIN: Standing(asked, asked - DAY)}))[1][0] == "silent"
    assert codes(*judge(PEOPLE, POLICIES, START, {SORA: Standing(asked)})) == [("silent", "person.sora", None)]


def test_answers_grow_old_only_where_people_are_asked_regularly() -> None:
    old = {JIMIN: Standing(START - 40 * DAY, START - 39 * DAY)}
    assert judge(PEOPLE, POLICIES, START, old) == ()
    found = judge(PEOPLE, POLICIES, START, old, stale_before=START - 16 * DAY)
    assert [(each.code, each.wrong) for each in found] == [("stale", True)] + [("unverified", False)] * 3
    assert found[0].facts["days"] == 39


def test_a_team_that_is_one_person_is_worth_knowing() -> None:
    teams = {**PEOPLE.teams, "commerce": Team("commerce", "Commerce department", ("sora",))}
    (found,) = judge(replace(PEOPLE, teams=teams), POLICIES, START)
    assert (found.code, found.wrong, found.facts) == ("one", False, {"place": "2", "name": "Lee Sora"})


def test_somebody_without_a_turn_and_without_an_address_is_worth_knowing() -> None:
    people = {**PEOPLE.people, "minho": Person("minho", "Park Minho")}
    (found,) = judge(replace(PEOPLE, people=people), POLICIES, START)
    assert (found.code, found.wrong) == ("no_address", False)


FACTS: Facts = {
    "place": "1", "target": "on-call:shop", "addresses": "a@b", "name": "Kim", "schedule": "shop", "address": "a@b",
    "from": START.isoformat(), "to": (START + DAY).isoformat(), "count": 1, "total_s": 86400.0, "days": 3,
}  # fmt: skip


@pytest.mark.parametrize(
    "code", ["nobody", "target", "unreliable", "one", "gap", "no_address", "suspect", "silent", "unverified", "stale"]
)
def test_every_fault_has_words_in_both_languages(code: str) -> None:
    for count in (1, 3):
        fault = Fault(code, "policy.burst", facts={**FACTS, "count": count})
        (english, do), (korean, tun) = fault_words(fault, Words("en")), fault_words(fault, Words("ko"))
        assert english != korean
        assert "%(" not in english + korean + do + tun
    assert "tier 1" in fault_words(Fault("nobody", "", facts=FACTS), Words("en"))[0]
