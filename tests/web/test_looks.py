"""What a newcomer sees: every button can be read, every page fits a phone, everything is called by a word."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, sync_playwright

from bongsu.engine import accounts, deliver
from bongsu.lab.programs import find_program
from bongsu.render.postal import kind_words
from bongsu.render.words import Words
from bongsu.testing import World
from bongsu.web.app import create_app
from bongsu.web.pages import NAVIGATION
from tests.render.letters import message
from tests.web.opened import PASSWORD
from tests.web.test_pages import burn, on_a_port

CONTRAST = """() => [...document.querySelectorAll("button")].map(button => {
  const light = text => text.match(/[0-9.]+/g).slice(0, 3).map(each => each / 255)
    .map(each => each <= 0.03928 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4)
    .reduce((sum, each, n) => sum + each * [0.2126, 0.7152, 0.0722][n], 0.05)
  const { color, backgroundColor } = getComputedStyle(button)
  const [low, high] = [light(color), light(backgroundColor)].sort((a, b) => a - b)
  return [button.textContent, high / low]
})"""
"""Each button's words and the contrast of their colours, as the WCAG counts it."""
ENOUGH = 4.5


@pytest.fixture
def address(world: World) -> Iterator[str]:
    """Everything, on a real port, with an incident and an admin."""
    burn(world, minutes=25)
    accounts.add_user(world.context.db, "admin", "admin", PASSWORD, world.context.wall.now())
    with on_a_port(create_app(world.context)) as found:
        yield found


def faint(page: Page) -> list[str]:
    """The buttons of this page that are hard to read."""
    return [f"{page.url}: {words!r} {ratio:.1f}" for words, ratio in page.evaluate(CONTRAST) if ratio < ENOUGH]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_admin_on_a_phone_reads_every_page(address: str, scheme: str) -> None:
    chromium = find_program("chromium")
    assert chromium, "Chromium is missing: apt-get install --no-install-recommends chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 390, "height": 800}, color_scheme=scheme)
        page, wrong = context.new_page(), list[str]()
        page.goto(f"{address}/login?lang=ko")
        wrong += faint(page)
        page.fill("[name=name]", "admin")
        page.fill("[name=password]", PASSWORD)
        page.click("main button")
        for path in ("/account", *(each for each, _, _ in NAVIGATION)):
            page.goto(f"{address}{path}?lang=ko")
            assert page.locator("h1").count() == 1, f"{path}: {page.inner_text('main')}"
            wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            wrong += [f"{path} is {wide} px wider than the screen"] if wide > 0 else []
            wrong += faint(page)
        browser.close()
    assert wrong == []


def test_every_kind_of_mail_is_called_by_a_word() -> None:
    korean = Words("ko")
    raw = [kind for kind in deliver.NOTICES if kind_words(message(kind=kind, level=0), korean) == kind]
    assert raw == []
