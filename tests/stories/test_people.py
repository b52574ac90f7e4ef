"""Stories of people: who stands in is called."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bongsu.core.errors import InvalidInput, NotFound
from bongsu.engine import people
from bongsu.testing import World

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
