"""Triage: urgent reaches the department at once, not urgent waits for the review; the tiers go on either way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bongsu.core.errors import InvalidInput
from bongsu.engine import command
from bongsu.render.timeline import timeline_words
from bongsu.store import incidents, timeline
from bongsu.testing import BURST, World


def judge(world: World, *, urgent: bool, why: str = "nobody can pay") -> None:
    command.triage(world.context, world.incident().id, "Kim Jimin", urgent=urgent, why=why)
    world.deliver()


def story(world: World, locale: str) -> str:
    lines = world.context.db.read(lambda tx: timeline.of(tx, world.incident().id))
    return " ".join(timeline_words(line, locale) for line in lines)


def test_urgent_reaches_the_department_at_once_and_the_tiers_keep_their_times(world: World) -> None:
    world.cpu(0.42)
    world.advance(minutes=6)
    world.expect_mail(to="jimin", kind="tier", tier=1)
    judge(world, urgent=True)
    letter = world.expect_mail(to="commerce", kind="urgent")
    assert letter["Subject"].startswith("[shop] Urgent: CPU over baseline for 5 min")
    text = letter.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "Kim Jimin judged it urgent: nobody can pay" in " ".join(text.split())
    world.advance(minutes=13)
    world.expect_silence()
    world.advance(minutes=2)
    world.expect_mail(to="commerce", kind="tier", tier=2)
    world.advance(minutes=20)
    later = world.expect_mail(to="hq", kind="tier", tier=3)
    assert "judged it urgent" in later.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    world.cpu(0.05)
    world.advance(minutes=10)
    assert {world.expect_mail(to=to, kind="resolved")["To"] for to in ("jimin", "commerce", "hq")}
    assert "Kim Jimin judged it urgent: nobody can pay." in story(world, "en")
    assert "Kim Jimin 님이 긴급으로 판단했습니다: nobody can pay." in story(world, "ko")


def test_not_urgent_waits_on_the_agenda_until_the_review(world: World) -> None:
    world.cpu(0.42)
    world.advance(minutes=6)
    world.expect_mail(to="jimin", kind="tier", tier=1)
    judge(world, urgent=False, why="a crawler; blocked it")
    world.expect_silence()
    waiting = world.context.db.read(incidents.agenda)
    assert [each.id for each in waiting] == [world.incident().id]
    world.advance(minutes=15)
    late = world.expect_mail(to="commerce", kind="tier", tier=2)
    assert "not urgent" in late.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    judge(world, urgent=True, why="it is the payments after all")
    world.expect_mail(to="hq", kind="urgent")
    assert world.context.db.read(incidents.agenda) == []


def test_what_was_judged_survives_a_restart_and_ends_with_a_new_occurrence(world: World) -> None:
    world.cpu(0.42)
    world.advance(minutes=6)
    judge(world, urgent=True)
    world.restart()
    judged = world.incident().triage
    assert judged is not None
    assert judged.why == "nobody can pay"
    world.cpu(0.05)
    world.advance(minutes=5)
    world.cpu(0.42)
    world.advance(minutes=6)
    assert (world.incident().occurrence, world.incident().triage) == (2, None)


def test_where_the_policy_goes_no_further_the_owning_team_is_told(tmp_path: Path) -> None:
    stage = World(f"sqlite:///{tmp_path}/b.db", tmp_path, policy=replace(BURST, tiers=BURST.tiers[:1]))
    service = replace(stage.context.services["shop"], owner="commerce")
    stage.context = replace(stage.context, services={"shop": service})
    stage.cpu(0.42)
    stage.advance(minutes=6)
    stage.expect_mail(to="jimin", kind="tier", tier=1)
    judge(stage, urgent=True)
    stage.expect_mail(to="commerce", kind="urgent")
    stage.close()


def test_a_department_that_cannot_be_reached_makes_it_the_next_one(world: World) -> None:
    world.post.refuses.add("commerce@example.com")
    world.cpu(0.42)
    world.advance(minutes=6)
    world.expect_mail(to="jimin", kind="tier", tier=1)
    judge(world, urgent=True)
    world.advance(minutes=1)
    world.expect_mail(to="hq", kind="urgent")


@pytest.mark.parametrize("why", ["", "  \n ", "x" * 501])
def test_without_a_reason_nothing_is_judged(world: World, why: str) -> None:
    world.cpu(0.42)
    world.advance(minutes=6)
    with pytest.raises(InvalidInput, match="say why in 1 to 500 characters"):
        judge(world, urgent=True, why=why)
    assert world.incident().triage is None
