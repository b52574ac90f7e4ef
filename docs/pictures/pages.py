"""Draws the pictures of pages in the docs: ``python -m docs.pictures.pages [DRILL]`` in the repository's folder.

The pages are the real ones, over a story of three machines: one in a sale, one at rest, one new whose balance is not
known. DRILL is the folder of a drill that passed: its report is drawn anew, too; without it that picture stays. The
PDF is of the report that the tests make words of, printed by WeasyPrint. Needs Chromium, and pdftoppm
(Debian: poppler-utils).
"""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from bongsu.core.report import Report
from bongsu.engine import burst
from bongsu.lab.programs import find_program
from bongsu.render.pdf import pdf
from bongsu.render.reports import report_html
from bongsu.testing import World
from bongsu.web.app import create_app
from tests.render import letters
from tests.web.test_pages import on_a_port

HERE = Path(__file__).parent
LOCALES = {"en": "", "ko": ".ko"}
"""What a picture's name ends in."""
STEP, DAYS = timedelta(minutes=5), 14
BUSY, LEFT, PACE, REST = 0.72, 92.0, 0.72 * 2 - 0.4, 0.16
"""The sale's CPU, the credits when it begins, how many of them go in a minute, and how many come at rest."""


def demand(at: datetime) -> float:
    """CPU of a day like every other: quiet, and an evening that is busier on some days than on others."""
    hour = at.hour + at.minute / 60
    height = 0.15 + 0.6 * abs(math.sin(at.day * 1.7))
    return 0.07 + height * math.exp(-(((hour - 20.5) / 1.4) ** 2))


def sale(folder: Path) -> World:
    """Two machines with two weeks behind them, the first of which is in a sale, and a new one."""
    world = World(f"sqlite:///{folder}/bongsu.db", folder, machines=3)
    now = world.clock.now()
    for step in range(int(DAYS * 24 * 60 / 5), 0, -1):
        at = now - step * STEP
        running = at > now - 4 * STEP
        world.metrics.put("cpu", "machine-1", at, BUSY if running else demand(at))
        world.metrics.put("cpu", "machine-2", at, 0.07 + 0.3 * (demand(at) - 0.07))
    world.levels.update({"machine-1": BUSY, "machine-2": 0.12, "machine-3": 0.09})
    world.balances.update({"machine-1": LEFT, "machine-2": 431.0, "machine-3": None})
    for minute in range(10):
        world.balances["machine-1"] = LEFT - minute * PACE
        world.balances["machine-2"] = 431.0 + minute * REST
        world.advance(minutes=1)
    burst.foresee(world.context)
    return world


def breach(folder: Path) -> World:
    """Two machines that have been over their baseline for a while; nobody has acted."""
    world = World(f"sqlite:///{folder}/breach.db", folder)
    left = dict.fromkeys(world.levels, 46.0)
    for minute in range(34):
        for number, name in enumerate(world.levels):
            calm = 0.08 + 0.02 * math.sin(minute * 0.9 + number)
            busy = 0.56 + 0.06 * math.sin(minute * 0.7 + number) + 0.01 * math.sin(minute * 2.3)
            level = calm + (busy - calm) / (1 + math.exp(2.0 * (11 - minute)))
            left[name] -= 2 * (level - 0.2)
            world.levels[name], world.balances[name] = level, left[name]
        world.advance(minutes=1)
    return world


def printed(locale: str) -> bytes:
    """A report as PDF."""
    return pdf(report_html(plain(letters.report()), locale))


def plain(report: Report) -> Report:
    """Without what is there to try the renderer."""
    return replace(report, timeline=report.timeline[:-1])


def shoot(browser: Browser, url: str, file: Path, width: int, height: int) -> None:
    """A picture of a page's beginning, or of all of it where it is shorter."""
    with browser.new_page(viewport={"width": width, "height": 100}, color_scheme="light") as page:
        page.goto(url)
        whole = int(page.evaluate("document.documentElement.scrollHeight"))
        page.screenshot(path=file, full_page=True, clip={"x": 0, "y": 0, "width": width, "height": min(height, whole)})


def shoot_pdf(data: bytes, file: Path) -> None:
    """A picture of a PDF's first page."""
    command = ["pdftoppm", "-png", "-singlefile", "-r", "110", "-", str(file.with_suffix(""))]
    subprocess.run(command, input=data, check=True, capture_output=True, timeout=60)


def shoot_report(browser: Browser, drill: Path) -> None:
    """The report of the evening in which nobody acted."""
    verdict = json.loads((drill / "result.json").read_text(encoding="utf-8"))["verdict"]
    if verdict != "pass":
        raise SystemExit(f"{drill}: its verdict is {verdict!r}; take a drill that passed")
    for ending in LOCALES.values():
        report = drill / "nobody-acts" / f"report{ending}.html"
        shoot(browser, report.resolve().as_uri(), HERE / f"report{ending}.png", 1000, 1700)


def main(drill: Path | None) -> None:
    """Draw them all."""
    chromium = find_program("chromium")
    needed = {"chromium": chromium, "poppler-utils": shutil.which("pdftoppm")}
    missing = [name for name, found in needed.items() if not found]
    if missing:
        raise SystemExit(f"missing: apt-get install --no-install-recommends {' '.join(missing)}")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        world, told = sale(Path(folder)), breach(Path(folder))
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        with on_a_port(create_app(world.context)) as address:
            for locale, ending in LOCALES.items():
                shoot(browser, f"{address}/burst?lang={locale}", HERE / f"burst{ending}.png", 1000, 1500)
            shoot(browser, f"{address}/burst?lang=ko", HERE / "burst.phone.png", 390, 1200)
        with on_a_port(create_app(told.context)) as address:
            incident = told.incident().id
            for locale, ending in LOCALES.items():
                shoot(
                    browser, f"{address}/incidents/{incident}?lang={locale}", HERE / f"incident{ending}.png", 1000, 1200
                )
        for locale, ending in LOCALES.items():
            shoot_pdf(printed(locale), HERE / f"report-pdf{ending}.png")
        if drill is not None:
            shoot_report(browser, drill)
        browser.close()
        world.close()
        told.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
