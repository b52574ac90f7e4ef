"""Stories of delivery: the relay goes and comes back, somebody gets too much, an address turns mail away."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bongsu.core.policy import Tier
from bongsu.core.routing import Route
from bongsu.engine import notify
from bongsu.store import outages, outbox, suspects, timeline
from bongsu.testing import BURST, PEOPLE, World


def to_tier_one(world: World) -> None:
    """Five minutes over the baseline."""
    world.cpu(0.42)
    world.advance(minutes=5, seconds=15)


def attempts(world: World) -> list[str]:
    found = world.context.db.read(lambda tx: outbox.of(tx, world.incident().id))
    tries = world.context.db.read(lambda tx: outbox.attempts_of(tx, [each.id for each in found]))
    return [each.outcome for message in found for each in tries[message.id]]


def test_while_the_relay_is_away_no_message_tries_for_itself(world: World) -> None:
    world.post.closed = True
    to_tier_one(world)
    world.advance(minutes=10)
    assert attempts(world) == ["retry:unreachable"]
    world.post.closed = False
    world.advance(seconds=15)
    world.expect_mail(to="jimin", kind="tier", tier=1)
    assert attempts(world) == ["retry:unreachable", "accepted"]


def test_a_dead_relay_is_one_alarm_on_the_second_channel_and_ends_with_a_notice(world: World) -> None:
    world.post.closed = True
    to_tier_one(world)
    assert world.room.said == []
    world.advance(minutes=1)
    ((title, text),) = world.room.said
    assert title == "Mail does not go out"
    assert "the post office is closed" in text
    assert "1 message waits." in text
    world.advance(minutes=20)
    assert len(world.room.said) == 1, "it is told once"
    world.post.closed = False
    world.advance(seconds=30)
    title, text = world.room.said[1]
    assert title == "Mail goes out again"
    assert "did not for 2" in text
    assert len(world.room.said) == 2
    (outage,) = world.context.db.read(outages.latest)
    assert outage.told_at is not None
    assert outage.ended_at is not None


def test_a_short_outage_is_nobodys_business(world: World) -> None:
    world.post.closed = True
    to_tier_one(world)
    world.advance(seconds=30)
    world.post.closed = False
    world.advance(minutes=3)
    assert world.room.said == []
    world.expect_mail(to="jimin", kind="tier", tier=1)


def test_a_restart_neither_forgets_a_dead_relay_nor_tells_of_it_again(world: World) -> None:
    world.post.closed = True
    to_tier_one(world)
    world.advance(seconds=30)
    world.restart()
    world.advance(seconds=45)
    assert len(world.room.said) == 1, "the minute counts from the outage's beginning"
    world.restart()
    world.advance(minutes=5)
    assert len(world.room.said) == 1


def storm(world: World) -> None:
    """Fifteen incidents of one person, one after another, each with a second tier."""
    policy = replace(BURST, tiers=(Tier(timedelta(0), ("person:jimin",)), Tier(timedelta(minutes=5), ("person:sora",))))
    world.context = replace(
        world.context,
        policies={**world.context.policies, "storm": policy},
        routing=replace(world.context.routing, routes=(Route((), "shop", "storm", ("alertname",)),)),
    )
    for number in range(15):
        world.alert(f"Alert{number}", seconds=3600, bongsu_service="")
    world.advance(seconds=15)


def kinds(world: World, to: str) -> list[str]:
    return [str(m["X-Bongsu-Kind"]) for m in world.post.letters if m["To"].addresses[0].username == to]


def test_the_first_tier_is_never_put_into_a_digest(world: World) -> None:
    storm(world)
    assert kinds(world, "jimin") == ["tier"] * 15


def test_what_may_wait_is_told_in_one_mail(world: World) -> None:
    storm(world)
    world.advance(minutes=5)
    assert kinds(world, "sora") == [], "gathered for a minute"
    world.advance(minutes=1)
    assert kinds(world, "sora") == ["digest"]
    letter = world.post.letters[-1]
    assert letter["Subject"] == "15 messages in one mail"
    for part in ("plain", "html"):
        said = letter.get_body((part,)).get_content()  # type: ignore[union-attr]
        assert all(f"Alert{number} for 5 min" in said for number in range(15))
    sent = world.context.db.read(lambda tx: outbox.search(tx, recipient="person:sora"))
    assert {(each.kind, each.state) for each in sent} == {("tier", "accepted"), ("digest", "accepted")}


def test_a_digest_that_is_refused_goes_up_for_everything_in_it(world: World) -> None:
    world.post.refuses = {"sora@example.com"}
    storm(world)
    world.advance(minutes=7)
    sent = world.context.db.read(lambda tx: outbox.search(tx, recipient="person:sora"))
    assert {each.state for each in sent} == {"refused"}
    incidents = {each.incident_id for each in sent if each.incident_id}
    assert len(incidents) == 15
    for each in incidents:
        lines = world.context.db.read(lambda tx, each=each: timeline.of(tx, each))  # type: ignore[misc]
        assert [line.what for line in lines].count("unreachable") == 1


def test_an_address_that_refused_is_still_tried_and_the_next_tier_hears_of_it_at_once(world: World) -> None:
    world.post.refuses = {"jimin@example.com"}
    to_tier_one(world)
    world.advance(seconds=15)
    world.expect_mail(to="commerce", kind="tier", tier=2)
    assert set(world.context.db.read(suspects.every)) == {"jimin@example.com"}
    world.cpu(0.05)
    world.advance(minutes=60)
    world.seen = len(world.post.letters)
    world.post.refuses = set()
    to_tier_one(world)
    told = {world.expect_mail(to=each, kind="tier", tier=tier)["To"] for each, tier in (("jimin", 1), ("commerce", 2))}
    assert len(told) == 2
    assert world.context.db.read(suspects.every) == {}, "it was accepted, so it is trusted again"
    whats = [line.what for line in world.context.db.read(lambda tx: timeline.of(tx, world.incident().id))]
    assert "unreachable" in whats


def test_a_channel_is_a_way_to_reach_somebody(world: World) -> None:
    person = replace(PEOPLE.people["jimin"], addresses=("jimin@example.com", "channel:room"))
    world.context = replace(world.context, directory=replace(PEOPLE, people={**PEOPLE.people, "jimin": person}))
    to_tier_one(world)
    world.expect_mail(to="jimin", kind="tier", tier=1)
    ((title, text),) = world.room.said
    assert title.startswith("[shop] ")
    assert "http://127.0.0.1:8080/a/" in text
    assert "aws lightsail" not in text


def test_a_channel_still_speaks_while_the_mail_relay_is_away(world: World) -> None:
    person = replace(PEOPLE.people["jimin"], addresses=("jimin@example.com", "channel:room"))
    world.context = replace(world.context, directory=replace(PEOPLE, people={**PEOPLE.people, "jimin": person}))
    world.post.closed = True
    to_tier_one(world)
    assert len(world.room.said) == 1
    world.room.broken = True
    assert attempts(world) == ["retry:unreachable", "accepted"]


def test_everybody_can_be_sent_a_test(world: World) -> None:
    assert len(notify.test(world.context, [], "Lee Sora")) == 4
    world.deliver()
    said = world.post.letters[0].get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert [str(m["X-Bongsu-Kind"]) for m in world.post.letters] == ["test"] * 4
    assert "Lee Sora" in said


def test_a_mail_draws_where_the_cpu_comes_from(world: World) -> None:
    world.cpu(0.08)
    world.advance(minutes=10)
    to_tier_one(world)
    letter = world.expect_mail(to="jimin", kind="tier", tier=1)
    for part in ("plain", "html"):
        assert "▁▁▁▁▁▁▁▁▁▁▄▄▄▄▄" in letter.get_body((part,)).get_content()  # type: ignore[union-attr]
