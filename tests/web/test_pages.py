"""The console and the pages behind mail links, over a story with the real engine and store."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
import uvicorn
from litestar import Litestar
from litestar.datastructures import State
from litestar.testing import TestClient
from playwright.sync_api import Browser, sync_playwright

from bongsu.core.incident import Status
from bongsu.lab.programs import find_program
from bongsu.render import links
from bongsu.store import actions, timeline
from bongsu.store.database import Transaction
from bongsu.testing import World
from bongsu.web.console import console_router
from bongsu.web.impacts import impacts_router
from bongsu.web.letters import letters_router
from bongsu.web.pages import page_settings
from bongsu.web.passing import passing_router
from tests.support import free_port, wait_for

Client = TestClient[Litestar]
KOREAN = {"Accept-Language": "ko-KR,ko;q=0.9,en;q=0.8"}


def application(world: World) -> Litestar:
    """The pages as the server mounts them."""
    state = State({"context": world.context})
    routers = [console_router, impacts_router, letters_router, passing_router]
    return Litestar(routers, state=state, **page_settings())


@pytest.fixture
def client(world: World) -> Iterator[Client]:
    """A browser without pictures; it does not follow redirects."""
    with TestClient(application(world)) as opened:
        opened.follow_redirects = False
        yield opened


def burn(world: World, minutes: float = 6) -> str:
    """A breach long enough that the on-call developer was told; the incident's id."""
    world.advance(minutes=5)
    world.cpu(0.6)
    world.advance(minutes=minutes)
    return world.incident().id


def token(world: World, recipient: str = "person:jimin") -> str:
    """The link in that recipient's mail."""
    return links.sign(world.context.link_key, world.incident().id, recipient, world.context.wall.now())


def test_home_leads_to_the_incidents(client: Client) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (302, "/incidents")


def test_peace_burns_one_fire(client: Client) -> None:
    page = client.get("/incidents").text
    assert "All is calm" in page
    assert "1 of 5 beacons burn" in page
    assert page.count('class="lit"') == 1


def test_an_open_incident_is_listed_with_who_has_it(world: World, client: Client) -> None:
    incident = burn(world)
    page = client.get("/incidents").text
    assert "1 incident is open" in page
    assert f'href="/incidents/{incident}"' in page
    assert "nobody has it yet" in page
    world.acknowledge("Kim Jimin")
    assert "Kim Jimin has it" in client.get("/incidents").text
    assert "Kim Jimin 님이 맡음" in client.get("/incidents", headers=KOREAN).text


def test_the_incident_page_tells_all_of_it(world: World, client: Client) -> None:
    incident = burn(world, minutes=25)
    page = client.get(f"/incidents/{incident}").text
    for said in (
        "Triggered",
        "machine-1 of shop has been over its CPU baseline of 20 %",
        "Nobody has acknowledged. Call the on-call developer",
        "Told Kim Jimin: tier 1, after 5 min.",
        "Told Commerce department: tier 2, after 20 min.",
        "250 kept as 1",
        'http-equiv="refresh"',
        "<svg",
        f"/incidents/{incident}/report",
    ):
        assert said in page
    world.cpu(0.05)
    world.advance(minutes=10)
    page = client.get(f"/incidents/{incident}").text
    assert "Resolved" in page
    assert 'http-equiv="refresh"' not in page


def test_the_report_comes_as_a_page_and_as_markdown(world: World, client: Client) -> None:
    incident = burn(world)
    page = client.get(f"/incidents/{incident}/report?lang=ko")
    assert "장애 보고서" in page.text
    assert "style-src 'sha256-" in page.headers["content-security-policy"]
    text = client.get(f"/incidents/{incident}/report.md")
    assert text.headers["content-type"].startswith("text/markdown")
    assert text.text.startswith("# Incident report: shop")


def test_opening_a_link_changes_nothing(world: World, client: Client) -> None:
    burn(world)
    before = world.incident()
    page = client.get(f"/a/{token(world)}")
    assert page.status_code == 200
    assert "Kim Jimin 님" in page.text
    assert "확인: 제가 맡겠습니다" in page.text
    assert client.head(f"/a/{token(world)}").status_code == 405
    assert world.incident() == before


def test_the_button_acknowledges_as_whoever_the_mail_went_to(world: World, client: Client) -> None:
    burn(world)
    link = f"/a/{token(world)}"
    answer = client.post(link)
    assert (answer.status_code, answer.headers["location"]) == (303, link)
    incident = world.incident()
    assert incident.status is Status.ACKNOWLEDGED
    assert incident.ack is not None
    assert incident.ack.by == "Kim Jimin"
    page = client.get(f"{link}?lang=en").text
    assert "You have it." in page
    assert re.search(r"Scale out by \d+ machines…", page)
    other = client.get(f"/a/{token(world, 'team:commerce')}").text
    assert "Kim Jimin has it." in other
    assert "For Commerce department" in other


def test_scaling_out_asks_once_more(world: World, client: Client) -> None:
    burn(world)
    link = f"/a/{token(world)}"
    client.post(link)
    asked = client.post(f"{link}/scale-out?lang=en")
    assert re.search(r"Add \d machines\?", asked.text)
    assert re.search(r"Each machine will then run at about \d+ % CPU; the baseline is 20 %", asked.text)
    assert added(world) == []
    assert client.post(f"{link}/scale-out", data={"confirm": "no"}).status_code == 200
    assert added(world) == []
    done = client.post(f"{link}/scale-out", data={"confirm": "yes"})
    assert (done.status_code, done.headers["location"]) == (303, link)
    assert added(world)
    assert all(action.requested_by == "Kim Jimin" for action in world.context.db.read(_actions(world)))
    client.post(f"{link}/scale-out", data={"confirm": "yes"})
    assert len(added(world)) == len(set(added(world)))
    assert client.get(f"{link}/scale-out").headers["location"] == link
    lines = world.context.db.read(lambda tx: timeline.of(tx, world.incident().id))
    assert "scale_out_requested" in [entry.what for entry in lines]


def added(world: World) -> list[str]:
    """The machines that were asked for."""
    return [action.machine for action in world.context.db.read(_actions(world))]


def _actions(world: World) -> Callable[[Transaction], list[actions.Action]]:
    incident = world.incident().id
    return lambda tx: actions.of(tx, incident)


def test_a_link_of_yesterday_or_of_nobody_is_refused_in_words(world: World, client: Client) -> None:
    burn(world)
    old = token(world)
    world.clock.advance(world.context.link_expires + timedelta(seconds=5))
    for link, status, said in (
        (old, 410, "This link is too old"),
        (f"{token(world)}x", 403, "This link is not valid"),
        (token(world, "person:gone"), 403, "This link is not valid any more"),
    ):
        for answer in (client.get(f"/a/{link}"), client.post(f"/a/{link}"), client.post(f"/a/{link}/scale-out")):
            assert answer.status_code == status
            assert said in answer.text
    assert world.incident().ack is None
    assert "기한이 지난 링크입니다" in client.get(f"/a/{old}", headers=KOREAN).text


@pytest.mark.parametrize("path", ["/incidents/none", "/incidents/none/report", "/incidents/none/report.md"])
def test_a_missing_incident_is_a_page_that_says_so(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "There is no such page" in answer.text


def test_pages_are_harmless_to_who_opens_them(world: World, client: Client) -> None:
    incident = burn(world)
    link = f"/a/{token(world)}"
    for path in ("/incidents", f"/incidents/{incident}", f"/incidents/{incident}/report", link, "/incidents/none"):
        answer = client.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "<script" not in answer.text
        assert not re.search(r'(?:src|href)="(?:https?:)?//', answer.text)


def test_names_are_escaped(world: World, client: Client) -> None:
    burn(world)
    world.acknowledge("<script>alert(1)</script>")
    for path in ("/incidents", f"/incidents/{world.incident().id}", f"/a/{token(world)}"):
        page = client.get(path).text
        assert "<script>" not in page
        assert "&lt;script&gt;" in page


def test_style_sheets_are_served_and_nothing_else_from_there(client: Client) -> None:
    for name in ("ground.css", "charts.css", "console.css", "bongsu.svg"):
        assert client.get(f"/static/{name}").status_code == 200
    assert client.get("/static/../pages.py").status_code == 404
    assert client.get("/static/%2e%2e/pages.py").status_code == 404


def test_many_readers_cost_one_query(world: World, client: Client) -> None:
    incident = burn(world)
    asked = []
    values = world.metrics.values
    world.metrics.values = lambda *a: asked.append(a) or values(*a)  # type: ignore[method-assign]
    for _ in range(5):
        client.get(f"/incidents/{incident}")
    assert 0 < len(asked) <= len(world.context.services["shop"].signals)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real browser."""
    chromium = find_program("chromium")
    if chromium is None:
        pytest.fail("Chromium is missing: apt-get install --no-install-recommends chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@contextmanager
def on_a_port(app: Litestar) -> Iterator[str]:
    """The pages on a real port; their address."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_for("the console", lambda: server.started)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def address(world: World) -> Iterator[str]:
    """The console on a real port."""
    with on_a_port(application(world)) as found:
        yield found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_a_person_takes_it_and_adds_machines(
    world: World, address: str, browser: Browser, width: int, scheme: str
) -> None:
    incident = burn(world)
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page, complaints = context.new_page(), []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(f"{address}/a/{token(world)}?lang=en")
    page.get_by_role("button", name="Acknowledge").click()
    page.get_by_text("You have it.").wait_for()
    page.get_by_role("button", name=re.compile("Scale out by")).click()
    page.get_by_role("button", name=re.compile("Yes, add")).click()
    page.get_by_text("machine-3").wait_for()
    assert "machine-3" in added(world)
    for path in ("/incidents", f"/incidents/{incident}", f"/incidents/{incident}/report"):
        page.goto(f"{address}{path}")
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{path} is {wide} px wider than the screen"
    assert complaints == []
    context.close()
