"""The page of silences and maintenance: what is listed, what is previewed, what is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape

import pytest
from playwright.sync_api import Browser

from bongsu.core.access import Right
from bongsu.core.alert import Alert
from bongsu.core.silence import State as Standing
from bongsu.engine import intake, maintenance
from bongsu.store import silences
from bongsu.testing import World
from bongsu.web.silences import MOST
from tests.web.opened import PASSWORD, Client, add_users, application, csrf, log_in, opened
from tests.web.test_pages import browser, on_a_port

__all__ = ["browser"]

ASKED = {"matchers": "alertname=~Disk.*\nbongsu_service=shop", "minutes": "60", "by": "Kim Jimin", "why": "known"}


@pytest.fixture
def client(world: World) -> Iterator[Client]:
    """The whole application over the story, used by a program that may change it."""
    with opened(world, anonymous=Right.VIEWER) as found:
        found.headers.update({"Authorization": f"Bearer {world.context.api_token}"})
        yield found


def hidden(page: str) -> dict[str, str]:
    """What the form of the preview sends when its button is pressed."""
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page)
    return {name: unescape(value) for name, value in found}


def kept(world: World) -> list[tuple[tuple[str, ...], Standing]]:
    now = world.clock.now()
    found = world.context.db.read(lambda tx: silences.since(tx, now - timedelta(days=1)))
    return [(tuple(map(str, each.matchers)), each.state(now)) for each in found]


def test_a_silence_is_previewed_begun_listed_and_ended(world: World, client: Client) -> None:
    world.alert("DiskFull", seconds=3600, instance="<b>m1</b>")
    world.alert("PoolTimeouts", seconds=3600)
    world.advance(seconds=15)
    preview = client.post("/silences/preview?lang=en", data=ASKED)
    assert preview.status_code == 200
    assert "1 alert fires now" in preview.text
    assert "1 incident of the last seven days" in preview.text
    assert "&lt;b&gt;m1&lt;/b&gt;" in preview.text
    assert "PoolTimeouts" not in preview.text.replace("DiskFull, PoolTimeouts", "")
    assert kept(world) == []
    begun = client.post("/silences", data=hidden(preview.text))
    assert (begun.status_code, begun.headers["location"]) == (303, "/silences")
    assert kept(world) == [(('alertname=~"Disk.*"', 'bongsu_service="shop"'), Standing.ACTIVE)]
    page = client.get("/silences?lang=en").text
    assert "mutes 1 alert now" in page
    assert "holds now" in page
    (end,) = re.findall(r'action="(/silences/[^"]+/expire)', page)
    assert client.post(end).status_code == 303
    assert kept(world)[0][1] is Standing.EXPIRED
    assert "지금 끝내기" not in client.get("/silences?lang=ko").text


def test_what_mutes_more_than_was_shown_is_shown_once_more(world: World, client: Client) -> None:
    world.alert("DiskFull", seconds=3600)
    asked = hidden(client.post("/silences/preview", data=ASKED).text)
    world.alert("DiskSlow", seconds=3600)
    again = client.post("/silences?lang=en", data=asked)
    assert again.status_code == 400
    assert "1 firing alert(s) that the preview did not show" in again.text
    assert "2 alerts fire now" in again.text
    assert kept(world) == []
    assert client.post("/silences", data=hidden(again.text)).status_code == 303


def test_a_preview_names_some_and_counts_all(world: World, client: Client) -> None:
    now = world.clock.now()
    labels = [{"alertname": "DiskFull", "bongsu_service": "shop", "instance": f"m{n}"} for n in range(MOST + 3)]
    intake.receive(world.context, [Alert(each, now, now + timedelta(hours=1)) for each in labels])
    preview = client.post("/silences/preview?lang=en", data=ASKED).text
    assert f"{MOST + 3} alerts fire now" in preview
    assert "and 3 more" in preview
    assert len(hidden(preview)["shown"].split()) == MOST + 3


def test_what_mutes_anything_must_be_confirmed(world: World, client: Client) -> None:
    anything = {**ASKED, "matchers": 'alertname=~".+"'}
    preview = client.post("/silences/preview?lang=en", data=anything)
    assert "any alert there may ever be" in preview.text
    assert 'name="confirm" value="yes" required' in preview.text
    assert client.post("/silences?lang=en", data=hidden(preview.text)).status_code == 400
    assert kept(world) == []
    assert client.post("/silences", data={**hidden(preview.text), "confirm": "yes"}).status_code == 303
    assert len(kept(world)) == 1


def test_a_maintenance_is_planned_in_local_time_listed_and_called_off(world: World, client: Client) -> None:
    asked = {
        "service": "shop", "policy": "burst", "begins": "2026-01-05T22:00", "minutes": "120", "by": "Kim Jimin",
        "why": "new disks", "exhaustion": "yes",
    }  # fmt: skip
    assert client.post("/maintenances?lang=ko", data=asked).headers["location"] == "/silences?lang=ko"
    (window,) = maintenance.listed(world.context)
    assert (window.starts_at - world.clock.now(), window.also) == (timedelta(hours=2), ("exhaustion",))
    page = client.get("/silences?lang=en").text
    for said in ("shop/burst", "planned", "22:00 UTC to 2026-01-06 00:00 UTC", "low credits and throttling"):
        assert said in page
    assert client.post(f"/maintenances/{window.id}/end").status_code == 303
    assert "called off before it began" in client.get("/silences?lang=en").text


@pytest.mark.parametrize(
    ("path", "data", "said"),
    [
        ("/silences/preview", {**ASKED, "matchers": "%%"}, "is not a matcher"),
        ("/silences/preview", {**ASKED, "matchers": " "}, "matchers: empty"),
        ("/silences", {**ASKED, "by": " "}, "say who you are"),
        ("/silences", {**ASKED, "minutes": "x"}, "That does not work here"),
        ("/maintenances", {"service": "shoop", "by": "x", "why": "y"}, "there is no &#39;shoop&#39;"),
        ("/maintenances", {"service": "shop", "by": "x", "why": "y", "minutes": "9999"}, "24 h at most"),
        ("/maintenances", {"service": "shop", "by": "x", "why": "y", "begins": "soon"}, "is no time"),
        ("/silences/none/expire", {}, "There is no such page"),
    ],
)
def test_what_makes_no_sense_is_refused_on_a_page(client: Client, path: str, data: dict[str, str], said: str) -> None:
    answer = client.post(f"{path}?lang=en", data=data)
    assert answer.status_code in (400, 404)
    assert said in answer.text


def test_whoever_is_logged_in_acts_in_their_own_name_and_a_viewer_only_looks(world: World, client: Client) -> None:
    add_users(world)
    del client.headers["Authorization"]
    log_in(client, "viewer")
    asked = {"service": "shop", "why": "new disks", "csrf": csrf(client)}
    assert client.get("/silences").status_code == 200
    assert client.post("/maintenances", data=asked).status_code == 403
    log_in(client, "responder")
    assert 'name="by"' not in client.get("/silences").text
    assert client.post("/maintenances", data=asked).status_code == 403, "the form is of another session"
    assert client.post("/maintenances", data={**asked, "csrf": csrf(client), "by": "Mallory"}).status_code == 303
    assert [each.by for each in maintenance.listed(world.context)] == ["responder"]


def test_a_person_silences_and_ends_it_with_a_browser_on_a_phone(world: World, browser: Browser) -> None:
    add_users(world)
    world.alert("DiskFull", seconds=3600, instance="a-machine-with-a-very-long-name.internal.example.com:9100")
    context = browser.new_context(viewport={"width": 390, "height": 800}, locale="en")
    page, complaints = context.new_page(), []
    page.on("console", lambda message: complaints.append(message.text))
    with on_a_port(application(world)) as address:
        page.goto(f"{address}/login?next=/silences")
        page.locator("input[name=name]").fill("responder")
        page.locator("input[name=password]").fill(PASSWORD)
        page.locator("input[name=password]").press("Enter")
        page.get_by_text("Silence alerts").click()
        form = page.locator("form[action^='/silences/preview']")
        form.get_by_label("Labels").fill("alertname=DiskFull\nbongsu_service=shop")
        form.get_by_label("Why").fill("known")
        form.get_by_role("button").click()
        page.get_by_text("1 alert fires now").wait_for()
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(wide) <= 0
        page.get_by_role("button", name="Silence these").click()
        page.get_by_text("mutes 1 alert now").wait_for()
        assert page.evaluate(wide) <= 0
        page.get_by_role("button", name="End it now").click()
        page.get_by_text("over", exact=True).wait_for()
    assert kept(world) == [(('alertname="DiskFull"', 'bongsu_service="shop"'), Standing.EXPIRED)]
    assert complaints == []
    context.close()
