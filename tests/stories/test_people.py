"""Stories of people: who stands in is called."""

from __future__ import annotations

import re
from datetime import UTC, timedelta
from email.message import EmailMessage

import pytest

from bongsu.core.contact import Weekly
from bongsu.core.errors import InvalidInput, NotFound
from bongsu.core.rotation import Beat
from bongsu.engine import contacts, people
from bongsu.render import links
from bongsu.render.links import Forged
from bongsu.testing import START, World

DAY = timedelta(days=1)


def breach(world: World) -> None:
    """The CPU is over its baseline until the first tier is told."""
    world.advance(minutes=1)
    world.cpu(0.6)
    world.advance(minutes=6)


def test_who_stands_in_is_called_and_not_who_has_the_turn(world: World) -> None:
    now = world.clock.now()
    people.stand_in(world.context, "shop", "sora", now, now + DAY, "Lee Sora", "a wedding")
    world.restart()
    breach(world)
    world.expect_mail(to="sora", kind="tier", tier=1)
    world.expect_silence()


def test_after_an_override_or_when_it_is_taken_back_the_turn_counts_again(world: World) -> None:
    now = world.clock.now()
    people.stand_in(world.context, "shop", "sora", now - DAY, now + timedelta(minutes=2), "Lee Sora")
    taken = people.stand_in(world.context, "shop", "sora", now, now + DAY, "Lee Sora")
    people.take_back(world.context, taken.id)
    breach(world)
    world.expect_mail(to="jimin", kind="tier", tier=1)
    world.expect_silence()


def test_a_swap_exchanges_the_rest_of_one_shift_for_another(world: World) -> None:
    now = world.clock.now()
    one, other = people.swap(world.context, "shop", "jimin", "sora", "Kim Jimin")
    assert (one.person, one.start, one.end) == ("sora", now, now + 6 * DAY)
    assert (other.person, other.start, other.end) == ("jimin", now + 6 * DAY, now + 13 * DAY)
    duty = world.context.db.read(lambda tx: people.duties(people.directory(tx, world.context, now), now))[0]
    assert (duty.present.person, duty.present.override) == ("sora", one.id)
    assert duty.following is not None
    assert (duty.following.person, duty.following.override) == ("jimin", other.id)
    breach(world)
    world.expect_mail(to="sora", kind="tier", tier=1)


def test_every_fault_of_an_override_is_named(world: World) -> None:
    now = world.clock.now()
    with pytest.raises(InvalidInput) as caught:
        people.stand_in(world.context, "shop", "nobody", now, now - DAY, "x")
    assert [problem.split(";")[0] for problem in caught.value.problems] == [
        "there is no person 'nobody'",
        f"it would end at {(now - DAY).isoformat()}, before it begins",
    ]
    with pytest.raises(InvalidInput, match="which has passed"):
        people.stand_in(world.context, "shop", "sora", now - 2 * DAY, now - DAY, "x")
    with pytest.raises(InvalidInput, match="a year"):
        people.stand_in(world.context, "shop", "sora", now, now + 400 * DAY, "x")
    with pytest.raises(NotFound, match="known: shop"):
        people.stand_in(world.context, "shpo", "sora", now, now + DAY, "x")
    with pytest.raises(InvalidInput, match="one and the same"):
        people.swap(world.context, "shop", "sora", "sora", "x")


def test_somebody_who_has_left_stands_in_for_nobody(world: World) -> None:
    now = world.clock.now()
    people.stand_in(world.context, "shop", "sora", now, now + DAY, "x")
    without = {"jimin": world.directory.people["jimin"]}
    world.directory = type(world.directory)(without, world.directory.teams, world.directory.schedules)
    world.restart()
    breach(world)
    world.expect_mail(to="jimin", kind="tier", tier=1)


def asked_link(mail: EmailMessage) -> str:
    """The token of the link in a mail that asks."""
    body = mail.get_body(("plain",))
    assert body is not None
    found = re.search(r"/c/([A-Za-z0-9_.-]+)", body.get_content())
    assert found is not None
    return found[1]


def test_everybody_is_asked_and_the_report_says_who_cannot_be_reached(world: World) -> None:
    world.verify = Weekly(None, ("team:headquarters",))
    world.restart()
    world.post.refuses.add("commerce@example.com")
    contacts.start(world.context, "Lee Sora")
    world.deliver()
    world.restart()
    world.advance(minutes=10)
    mails = {mail["To"].addresses[0].username: mail for mail in world.post.letters}
    assert set(mails) == {"jimin", "sora", "hq"}
    assert "버튼" in mails["jimin"]["Subject"]
    for who in ("jimin", "sora"):
        contacts.answer(world.context, asked_link(mails[who]))
    world.clock.advance(2 * DAY)
    world.advance(seconds=15)
    world.seen = 3
    report = world.expect_mail(to="hq", kind="contact-report")
    text = report.get_body(("plain",))
    assert text is not None
    said = text.get_content()
    assert report["Subject"] == "2 addresses cannot be reached"
    assert "commerce@example.com was refused: 550 no such user" in said
    assert "hq@example.com: no answer" in said
    assert "jimin@example.com answered after 10 min" in said
    assert "2 of 4 answered" in said
    world.advance(minutes=30)
    world.expect_silence()


def test_a_round_in_which_all_answer_is_over_at_once(world: World) -> None:
    world.verify = Weekly(None, ("person:sora",))
    world.restart()
    contacts.start(world.context, "Lee Sora", ("jimin",))
    world.advance(minutes=1)
    contacts.answer(world.context, asked_link(world.expect_mail(to="jimin", kind="contact")))
    world.advance(minutes=1)
    assert world.expect_mail(to="sora", kind="contact-report")["Subject"] == "The one address answered"
    world.expect_silence()


def test_the_weekly_round_comes_once_a_week_also_across_restarts(world: World) -> None:
    beat = Beat(START + timedelta(hours=1), 7 * DAY, UTC)
    world.verify = Weekly(beat)
    world.restart()
    world.advance(minutes=59)
    world.expect_silence()
    world.advance(minutes=2)
    assert sorted(mail["To"].addresses[0].username for mail in world.post.letters) == [
        "commerce",
        "hq",
        "jimin",
        "sora",
    ]
    world.restart()
    world.advance(minutes=60)
    assert len(world.post.letters) == 4
    world.stop()
    world.clock.advance(7 * DAY)
    world.restart()
    world.advance(seconds=15)
    assert len(world.post.letters) == 8, "an hour late is caught up"
    world.clock.advance(9 * DAY)
    world.advance(seconds=15)
    assert len(world.post.letters) == 8, "two days late waits for its next day"


def test_whom_to_ask_must_be_there_and_have_an_address(world: World) -> None:
    with pytest.raises(InvalidInput, match="there is no 'jimmy'"):
        contacts.start(world.context, "x", ("jimmy",))
    with pytest.raises(Forged):
        contacts.answer(world.context, "not-a-token")
    token = links.sign(world.context.link_key, "an incident", "person:jimin", world.clock.now())
    with pytest.raises(Forged):
        contacts.answer(world.context, token)


def test_readiness_is_mailed_only_when_something_is_wrong(world: World) -> None:
    world.readiness = Weekly(Beat(START + timedelta(minutes=30), 7 * DAY, UTC), ("person:jimin", "person:sora"))
    world.restart()
    world.advance(minutes=31)
    world.expect_silence()
    world.post.refuses.add("jimin@example.com")
    contacts.start(world.context, "x", ("jimin",))
    world.deliver()
    world.post.refuses.clear()
    world.clock.advance(7 * DAY)
    world.advance(seconds=15)
    korean = world.expect_mail(to="jimin", kind="readiness")
    english = world.expect_mail(to="sora", kind="readiness")
    text = english.get_body(("plain",))
    assert text is not None
    assert "the last mail to jimin@example.com was refused" in text.get_content()
    assert "tier 1 may reach nobody" not in text.get_content(), "Sora is on call this week"
    assert "지금 경보가" in korean["Subject"]
    world.advance(minutes=5)
    world.expect_silence()
