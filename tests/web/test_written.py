"""Writing, approving and sharing a report in a browser, and the review and lessons that come of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from bongsu.core.access import Right
from bongsu.core.drill import Drilled, Verdict
from bongsu.engine import command
from bongsu.testing import START, World
from tests.web.opened import Client, opened

TOKEN = {"Authorization": "Bearer a token for stories"}


@pytest.fixture
def client(world: World) -> Iterator[Client]:
    """The whole application over the story, used by a program that may write."""
    with opened(world, anonymous=Right.VIEWER) as found:
        found.headers.update(TOKEN)
        yield found


def over(world: World) -> str:
    """An incident that is over; its id."""
    world.cpu(0.42)
    world.advance(minutes=6)
    world.cpu(0.08)
    world.advance(minutes=20)
    return world.incident().id


def test_what_is_written_stands_in_the_report_and_cannot_carry_html(world: World, client: Client) -> None:
    name = over(world)
    form = {"by": "Jimin", "cause": "A **sale** <script>alert(1)</script>", "tags": "#sale", "based_on": "0"}
    saved = client.post(f"/incidents/{name}/report/edit", data=form)
    assert (saved.status_code, saved.headers["location"]) == (303, f"/incidents/{name}/report/edit")
    report = client.get(f"/incidents/{name}/report").text
    assert "A <strong>sale</strong>" in report
    assert "<script" not in report
    assert "A **sale**" in client.get(f"/incidents/{name}/report.md").text
    assert "A **sale**" in client.get(f"/incidents/{name}/report/edit").text
    assert name in client.get("/lessons?q=sale&tag=sale").text
    assert name not in client.get("/lessons?q=crawler").text


def test_a_form_without_a_name_is_refused_and_says_so(world: World, client: Client) -> None:
    name = over(world)
    refused = client.post(f"/incidents/{name}/report/edit", data={"cause": "x"})
    assert refused.status_code == 400
    assert "say who you are" in refused.text


def test_approving_an_old_edition_is_refused(world: World, client: Client) -> None:
    name = over(world)
    client.post(f"/incidents/{name}/report/edit", data={"by": "Jimin", "cause": "a"})
    assert client.post(f"/incidents/{name}/report/approve", data={"by": "Sora", "number": "0"}).status_code == 409
    assert client.post(f"/incidents/{name}/report/approve", data={"by": "Sora", "number": "1"}).status_code == 303
    assert "Approved by Sora" in client.get(f"/incidents/{name}/report").text
    frozen = client.post(f"/incidents/{name}/report/edit", data={"by": "Jimin", "cause": "b", "based_on": "1"})
    assert frozen.status_code == 409


def test_an_item_goes_from_the_form_to_the_review_and_is_done(world: World, client: Client) -> None:
    name = over(world)
    form = {"by": "Sora", "text": "cache it", "owner": "person:jimin", "due": "2026-01-04"}
    assert client.post(f"/incidents/{name}/items", data=form).status_code == 303
    assert "cache it" in client.get("/review").text
    assert "Overdue" in client.get("/review").text
    assert client.post(f"/incidents/{name}/items", data={**form, "due": "soon"}).status_code == 400
    [item] = client.get("/api/items").json()
    assert client.post(f"/incidents/{name}/items/{item['id']}/done", data={"by": "Jimin"}).status_code == 303
    assert client.get("/api/items").json() == []
    assert client.post("/review/close", data={"by": "Sora", "ids": name}).status_code == 303
    assert "None. Every incident has been dealt with." in client.get("/review").text


def test_the_review_shows_alarms_and_drills_in_both_languages(world: World) -> None:
    drills = (
        Drilled("0106", START, "flash sale", Verdict.FAIL, ("nobody: tier 1 (at 5 min; <b>none</b>)",)),
        Drilled("0105", None, problem="result.json is broken"),
    )
    world.context = replace(world.context, drills=lambda: drills)
    name = over(world)
    command.triage(world.context, name, "Jimin", urgent=False, why="a load test")
    with opened(world, anonymous=Right.VIEWER) as client:
        english, korean = (client.get(f"/review?lang={each}").text for each in ("en", "ko"))
        found = client.get("/api/review").json()
    for said in ("1 false alarm<", "judged not urgent: a load test", "0 missed alarms", "failed", "cannot be read"):
        assert said in english, said
    assert "&lt;b&gt;none" in english
    for said in ("오경보 1건", "놓친 경보 0건", "긴급하지 않다고 판단: a load test", "최근 훈련", "실패"):
        assert said in korean, said
    assert [(each["incident"]["id"], each["why"]) for each in found["false_alarms"]] == [(name, "judged")]
    assert [each["verdict"] for each in found["drills"]] == ["fail", None]


def test_the_api_does_the_same_and_wants_a_token(world: World, client: Client) -> None:
    name = over(world)
    body = {"by": "Jimin", "texts": {"cause": "a sale", "nonsense": "x"}}
    del client.headers["Authorization"]
    assert client.post(f"/api/incidents/{name}/written", json=body).status_code == 401
    wrong = client.post(f"/api/incidents/{name}/written", json=body, headers=TOKEN)
    assert wrong.status_code == 400
    assert "nonsense" in json.dumps(wrong.json())
    del body["texts"]["nonsense"]  # type: ignore[attr-defined]
    made = client.post(f"/api/incidents/{name}/written", json=body, headers=TOKEN)
    assert (made.status_code, made.json()["number"]) == (200, 1)
    assert client.get(f"/api/incidents/{name}/written").json()["edition"]["texts"] == {"cause": "a sale"}
    shared = client.post(f"/api/incidents/{name}/share", json={"by": "J", "to": ["team:commerce"]}, headers=TOKEN)
    assert (shared.status_code, shared.json()) == (202, {"mails": 1})
    assert [each["id"] for each in client.get("/api/review").json()["unreviewed"]] == [name]


def test_a_report_is_a_pdf(world: World, client: Client) -> None:
    name = over(world)
    client.post(f"/incidents/{name}/report/edit", data={"by": "Jimin", "cause": "플래시 세일"})
    made = client.get(f"/incidents/{name}/report.pdf?lang=ko")
    assert made.status_code == 200, made.text
    assert made.content.startswith(b"%PDF-")
    assert made.headers["content-type"] == "application/pdf"
