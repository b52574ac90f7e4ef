"""The mail's page: handing over, letting the next tiers wait, calling a tier."""

from __future__ import annotations

from datetime import timedelta

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from bongsu.core.incident import Status
from bongsu.testing import World
from tests.web.test_pages import burn, client, token

__all__ = ["client"]
Client = TestClient[Litestar]


def test_the_link_hands_it_to_somebody_of_the_directory_who_takes_it_on_their_own_page(
    world: World, client: Client
) -> None:
    burn(world)
    link = f"/a/{token(world)}"
    client.post(link)
    page = client.get(f"{link}?lang=en").text
    assert '<option value="person:sora">Lee Sora</option>' in page
    assert '<option value="team:headquarters">Headquarters</option>' in page
    assert "person:jimin" not in page, "nobody hands it to themselves"
    handed = client.post(f"{link}/reassign", data={"to": "person:sora"})
    assert (handed.status_code, handed.headers["location"]) == (303, link)
    assert client.get(f"{link}/reassign").headers["location"] == link
    world.deliver()
    world.expect_mail(to="jimin", kind="tier", tier=1)
    world.expect_mail(to="sora", kind="reassigned")
    theirs = f"/a/{token(world, 'person:sora')}"
    assert "Acknowledge: I take it" in client.get(f"{theirs}?lang=en").text
    client.post(theirs)
    held = world.incident()
    assert (held.handed, held.ack and held.ack.by) == (None, "Lee Sora")
    page = client.get(f"{theirs}?lang=en").text
    assert "You have it." in page
    assert "Acknowledge: I take it" not in page


def test_the_link_lets_the_next_tiers_wait_or_calls_one(world: World, client: Client) -> None:
    burn(world)
    link = f"/a/{token(world)}"
    assert "2: Commerce department" in client.get(f"{link}?lang=en").text
    client.post(f"{link}/snooze", data={"minutes": "60"})
    held = world.incident()
    assert held.status is Status.ACKNOWLEDGED
    assert held.hold_until == world.clock.now() + timedelta(minutes=60)
    world.deliver()
    world.expect_mail(to="jimin", kind="tier", tier=1)
    client.post(f"{link}/escalate", data={"tier": "2"})
    world.deliver()
    world.expect_mail(to="commerce", kind="tier", tier=2)


@pytest.mark.parametrize(
    ("verb", "data"),
    [
        ("reassign", {"to": "person:nobody"}), ("reassign", {}), ("snooze", {"minutes": "100000"}),
        ("snooze", {"minutes": "-5"}), ("snooze", {"minutes": "nan"}), ("escalate", {"tier": "9"}),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_on_a_page(
    world: World, client: Client, verb: str, data: dict[str, str]
) -> None:
    burn(world)
    answer = client.post(f"/a/{token(world)}/{verb}?lang=en", data=data)
    assert answer.status_code == 400
    assert "That does not work here" in answer.text
    assert world.incident().ack is None


def test_nothing_is_passed_on_when_it_is_over(world: World, client: Client) -> None:
    burn(world)
    link = f"/a/{token(world)}"
    world.cpu(0.05)
    world.advance(minutes=10)
    assert "/reassign" not in client.get(link).text
    assert client.post(f"{link}/reassign", data={"to": "person:sora"}).status_code == 409
