"""Judging an incident from the mail's page, and the page of who was hurt."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from bongsu.adapters.accesslog import EdgeLog
from bongsu.core.timescale import Timescale
from bongsu.testing import START, World
from bongsu.web.api import api_router
from tests.web.test_pages import KOREAN, application, burn, client, token

__all__ = ["client"]


def test_the_link_of_the_mail_judges_once_it_is_taken(world: World, client: TestClient[Litestar]) -> None:
    incident = burn(world)
    link = f"/a/{token(world)}"
    assert "/triage" not in client.get(link).text
    client.post(link)
    assert "지금 담당 부서에 알리기" in client.get(f"{link}?lang=ko").text
    assert client.get(f"{link}/triage").headers["location"] == link
    assert world.incident().triage is None
    judged = client.post(f"{link}/triage", data={"verdict": "urgent", "why": "<b>nobody</b> can pay"})
    assert (judged.status_code, judged.headers["location"]) == (303, link)
    found = world.incident().triage
    assert found is not None
    assert (found.urgent, found.by, found.why) == (True, "Kim Jimin", "<b>nobody</b> can pay")
    for path in (f"{link}?lang=en", f"/incidents/{incident}"):
        page = client.get(path).text
        assert "Kim Jimin judged it urgent: &lt;b&gt;nobody&lt;/b&gt; can pay" in page


@pytest.mark.parametrize("data", [{"verdict": "urgent", "why": " "}, {"verdict": "perhaps", "why": "x"}, {}])
def test_a_judgement_that_says_too_little_is_refused_on_a_page(
    world: World, client: TestClient[Litestar], data: dict[str, str]
) -> None:
    burn(world)
    answer = client.post(f"/a/{token(world)}/triage?lang=en", data=data)
    assert answer.status_code == 400
    assert "That does not work here" in answer.text
    assert world.incident().triage is None


@pytest.fixture
def hurt(world: World, tmp_path: Path) -> Iterator[tuple[TestClient[Litestar], str]]:
    """An incident of a service with a log, in which every fourth payment failed."""
    incident = burn(world, minutes=20)
    chance, lines = random.Random(1), []
    for second in range(25 * 60):
        at = START + timedelta(seconds=second)
        bad = second > 6 * 60 and second % 4 == 0
        lines.append(
            {
                "ts": at.isoformat(), "method": "POST", "path": f"/orders/{second}/payment",
                "status": 503 if bad else 200, "duration_ms": 20.0, "server": "machine-1",
                "user": f"u{chance.randint(1, 900)}", "visitor": f"v{second}",
            }
        )  # fmt: skip
    (tmp_path / "edge.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    log = EdgeLog((tmp_path / "edge.jsonl",), Timescale())
    world.context = replace(world.context, logs={"shop": log})
    app = application(world)
    app.register(api_router)
    with TestClient(app) as opened:
        yield opened, incident


def test_the_page_of_the_impact_tells_counts_estimates_and_doubts_apart(
    hurt: tuple[TestClient[Litestar], str],
) -> None:
    opened, incident = hurt
    assert f"/incidents/{incident}/impact" in opened.get(f"/incidents/{incident}").text
    page = opened.get(f"/incidents/{incident}/impact").text
    for said in (
        "At least", "/orders/{id}/payment", "of these, did not reach their goal", "Estimates, not part of the counts",
        "Requests that never reached us:", "The log has no line from", "CREATE TEMP TABLE people",
    ):  # fmt: skip
        assert said in page
    korean = opened.get(f"/incidents/{incident}/impact", headers=KOREAN).text
    assert "그중 목적을 이루지 못한 사용자" in korean
    facts = opened.get(f"/api/incidents/{incident}/impact").json()
    failed = facts["traffic"]["impact"]["failed"]
    assert 0 < failed["identified"] <= failed["upper"] <= facts["traffic"]["impact"]["active"]["upper"]
    assert facts["traffic"]["by_route"][0]["failed_requests"] == facts["traffic"]["impact"]["failed_requests"]


def test_without_a_log_the_page_says_what_to_configure(world: World, client: TestClient[Litestar]) -> None:
    incident = burn(world)
    answer = client.get(f"/incidents/{incident}/impact")
    assert answer.status_code == 503
    assert client.get("/incidents/none/impact").status_code == 404
