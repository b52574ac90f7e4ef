"""The pages, the API and the calendar feeds of people, over a story with the real engine and store."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, time, timedelta
from pathlib import Path
from typing import Any

import icalendar
import pytest
from litestar import Litestar
from litestar.testing import TestClient

from bongsu.core.quiet import Quiet
from bongsu.core.rotation import Beat, Hours, Rotation, Schedule
from bongsu.core.schedule import Directory, Person
from bongsu.engine import contacts, feeds, people
from bongsu.testing import PEOPLE, START, World
from tests.web.opened import application

Client = TestClient[Litestar]
DAY = timedelta(days=1)


@pytest.fixture
def client(world: World) -> Iterator[Client]:
    """A browser without pictures; it does not follow redirects."""
    with TestClient(application(world)) as opened:
        opened.follow_redirects = False
        yield opened


@pytest.fixture
def token(world: World) -> dict[str, str]:
    return {"Authorization": f"Bearer {world.context.api_token}"}


def events(data: bytes) -> dict[str, Any]:
    found = icalendar.Calendar.from_ical(data)
    return {str(event["UID"]): event for event in found.walk("VEVENT")}


def test_who_is_on_call_and_who_is_next(client: Client) -> None:
    page = client.get("/oncall").text
    assert "Kim Jimin" in page
    assert "Lee Sora" in page
    assert page.count('class="bar hue') >= 28
    assert "당직" in client.get("/oncall?lang=ko").text
    (found,) = client.get("/api/oncall").json()
    assert (found["now"]["person"], found["next"]["person"], found["gaps"]) == ("jimin", "sora", [])


def test_a_stand_in_over_the_api_is_shown_everywhere(client: Client, token: dict[str, str]) -> None:
    end = (START + DAY).isoformat()
    body = {"schedule": "shop", "person": "sora", "end": end, "by": "Lee Sora"}
    assert client.post("/api/overrides", json=body).status_code == 401
    made = client.post("/api/overrides", json=body, headers=token)
    assert made.status_code == 201
    assert client.get("/api/oncall").json()[0]["now"]["override"] == made.json()["id"]
    assert "stands in" in client.get("/oncall").text
    assert [each["person"] for each in client.get("/api/overrides").json()] == ["sora"]
    ended = client.post(f"/api/overrides/{made.json()['id']}/end", headers=token)
    assert ended.status_code == 200
    assert client.get("/api/overrides").json() == []
    assert client.get("/api/oncall").json()[0]["now"]["person"] == "jimin"


def test_every_fault_of_a_request_is_named(client: Client, token: dict[str, str]) -> None:
    body = {"schedule": "shop", "person": "jimmy", "end": (START - DAY).isoformat(), "start": START.isoformat()}
    refused = client.post("/api/overrides", json=body, headers=token)
    assert (refused.status_code, len(refused.json()["problems"])) == (400, 2)
    naive = {**body, "end": "2026-02-01T09:00:00"}
    assert "has no time zone" in client.post("/api/overrides", json=naive, headers=token).text
    assert client.post("/api/overrides", json={**body, "schedule": "none"}, headers=token).status_code == 404
    assert client.get("/api/schedules/none").status_code == 404
    assert client.get("/api/schedules/shop?weeks=999").status_code == 400
    far = {**body, "end": "9999-12-31T23:59:59-14:00"}
    assert client.post("/api/overrides", json=far, headers=token).status_code == 400
    swap = {"schedule": "shop", "one": "jimin", "other": "sora", "after": "9999-12-31T23:59:59+00:00"}
    assert client.post("/api/swaps", json=swap, headers=token).status_code == 400


def test_a_schedule_as_weeks_and_days(client: Client) -> None:
    found = client.get("/api/schedules/shop?weeks=2").json()
    assert [len(week) for week in found["weeks"]] == [7, 7]
    assert found["weeks"][0][0]["date"] == "2026-01-05"
    assert [part["person"] for part in found["weeks"][0][6]["parts"]] == ["jimin", "sora"]


def test_a_feed_of_a_person_is_a_calendar_and_keeps_its_uids(world: World, client: Client) -> None:
    address = feeds.address(world.context, "person", "jimin").removeprefix(world.context.public_url)
    found = client.get(address)
    assert found.headers["content-type"].startswith("text/calendar")
    before = events(found.content)
    assert all("Kim Jimin 당직" in str(event["SUMMARY"]) for event in before.values())
    first = min(before.values(), key=lambda event: event["DTSTART"].dt)
    assert (first["DTSTART"].dt, first["DTEND"].dt) == (START - DAY, START + 6 * DAY)
    assert first["DTSTAMP"].dt == world.clock.now()
    people.swap(world.context, "shop", "jimin", "sora", "x", START + 7 * DAY)
    world.clock.advance(2 * DAY)
    after = events(client.get(address).content)
    assert len(set(before) - set(after)) == 1, "the shift that was given away alone"
    assert len(set(after) - set(before)) in (1, 2), "the one taken for it, and one that has come into sight"


def test_a_feed_of_a_schedule_shows_gaps(world: World) -> None:
    shift = Rotation(("jimin",), Beat(START - DAY, 7 * DAY, UTC), (Hours(frozenset({0, 1, 2, 3, 4})),))
    world.directory = Directory(PEOPLE.people, PEOPLE.teams, {"shop": Schedule((shift,))})
    world.restart()
    token = feeds.address(world.context, "schedule", "shop").rpartition("=")[2]
    found = events(feeds.feed(world.context, "schedule", "shop", token))
    assert any("nobody on call" in str(event["SUMMARY"]) for event in found.values())


def test_a_token_opens_its_own_feed_alone(world: World, client: Client, token: dict[str, str]) -> None:
    assert client.get("/api/feeds/person/jimin").status_code == 401
    address = client.get("/api/feeds/person/jimin", headers=token).json()["address"]
    secret = address.rpartition("=")[2]
    assert len(secret) >= 32
    for path in ("person/sora", "schedule/shop", "team/commerce"):
        assert client.get(f"/calendar/{path}.ics?token={secret}").status_code != 200
    for wrong in ("", "a", "%C3%A4", secret[:-1]):
        assert client.get(f"/calendar/person/jimin.ics?token={wrong}").status_code != 200
    assert client.get("/api/feeds/person/none", headers=token).status_code == 404


def test_opening_a_question_answers_nothing_and_its_button_does(
    world: World, client: Client, token: dict[str, str]
) -> None:
    asked = client.post("/api/contacts/rounds", json={"who": ["jimin"], "by": "x"}, headers=token).json()
    world.deliver()
    body = world.expect_mail(to="jimin", kind="contact").get_body(("plain",))
    assert body is not None
    link = re.search(r"/c/\S+", body.get_content())
    assert link is not None
    page = client.get(link[0]).text
    assert "이 메일이 보이나요?" in page
    assert client.get(f"/api/contacts/rounds/{asked['id']}").json()["answered"] == 0
    world.clock.advance(timedelta(minutes=3))
    assert client.post(link[0]).status_code == 303
    assert "jimin@example.com" in client.get(link[0]).text
    (line,) = client.get(f"/api/contacts/rounds/{asked['id']}").json()["lines"]
    assert (line["took_s"], line["mail"]) == (180.0, "accepted")
    assert "after 3 min" in client.get(f"/people/rounds/{asked['id']}").text
    assert client.post("/c/forged").status_code == 403
    world.clock.advance(31 * DAY)
    assert client.get(link[0]).status_code == 410


def test_the_people_page_says_who_cannot_be_reached(world: World, client: Client) -> None:
    assert "Every tier reaches somebody" in client.get("/people").text
    world.post.refuses.add("jimin@example.com")
    contacts.start(world.context, "x")
    world.deliver()
    page = client.get("/people").text
    assert "1 of" not in page
    assert "would go wrong in an alarm" in page
    assert "the last mail was refused" in page
    assert "가지가 잘못됩니다" in client.get("/people?lang=ko").text
    found = client.get("/api/readiness").json()
    assert found["ready"] is False
    assert {each["code"] for each in found["faults"]} == {"suspect", "unreliable"}
    assert client.get("/api/readiness?lang=ko").json()["faults"][0]["what"] != found["faults"][0]["what"]
    standing = {each["address"]: each for each in client.get("/api/contacts").json()["contacts"]}
    assert standing["jimin@example.com"]["suspect"] is True
    assert standing["sora@example.com"]["awaited"] is True


def test_names_are_shown_as_text(world: World) -> None:
    rude = {"jimin": Person("jimin", "<script>alert(1)</script>", "en", ("jimin@example.com",))}
    world.directory = Directory(rude, {}, PEOPLE.schedules)
    world.restart()
    started = contacts.start(world.context, "x")
    with TestClient(application(world)) as opened:
        for path in ("/oncall", "/people", f"/people/rounds/{started.id}"):
            page = opened.get(path)
            assert page.status_code == 200
            assert "<script" not in page.text


def test_without_a_schedule_the_page_says_how_to_write_one(world: World, client: Client) -> None:
    del client
    world.directory = Directory(PEOPLE.people, PEOPLE.teams, {})
    world.restart()
    with TestClient(application(world)) as opened:
        assert "[schedule.shop]" in opened.get("/oncall").text


def test_quiet_hours_stand_beside_who_has_them(tmp_path: Path) -> None:
    quiet = Quiet((Hours(start=time(22), end=time(7)), Hours(frozenset({5, 6}))))
    people = {**PEOPLE.people, "sora": replace(PEOPLE.people["sora"], quiet=quiet)}
    world = World(f"sqlite:///{tmp_path / 'b.db'}", tmp_path, directory=replace(PEOPLE, people=people))
    with TestClient(application(world)) as opened:
        assert "quiet hours: 22:00-07:00; Sat, Sun, unless critical" in opened.get("/people?lang=en").text
        assert "방해 금지 시간: 22:00-07:00; 토, 일(심각 제외)" in opened.get("/people?lang=ko").text
    world.close()
