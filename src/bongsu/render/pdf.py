"""A finished page as PDF, by WeasyPrint in a process of its own, so that the server stays small (rule 17)."""

from __future__ import annotations

import re
import subprocess
import sys
from xml.etree.ElementTree import Element, SubElement

from bongsu.ports import Unavailable

PATIENCE = 120
"""Seconds that a page may take."""
LONGEST_WORD = 20
"""Letters of a Korean word that is not broken; a longer one is no word."""
_SPACES, _KOREAN = re.compile(r"(\s+)"), re.compile(r"[가-힣]")
_NOT_PROSE = ("head", "style", "script", "{http://www.w3.org/2000/svg}svg")
_HOW = "install it with: pip install 'bongsu[pdf]' (and apt-get install libpangoft2-1.0-0 libharfbuzz-subset0)"


def pdf(html: str) -> bytes:
    """The page as PDF. Raises Unavailable when WeasyPrint or a library it needs is missing, or it takes too long."""
    command = [sys.executable, "-m", "bongsu.render.pdf"]
    try:
        done = subprocess.run(command, input=html.encode(), capture_output=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"the PDF was not ready after {PATIENCE} s; print the report from a browser") from None
    if done.returncode != 0:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise Unavailable(f"no PDF could be made ({lines[-1] if lines else 'no reason given'}); {_HOW}")
    return done.stdout


def main() -> None:
    """Read a page, write a PDF. Nothing is fetched: the page holds all it needs."""
    from weasyprint import HTML
    from weasyprint.urls import URLFetcher

    page = sys.stdin.buffer.read().decode()
    document = HTML(string=page, url_fetcher=URLFetcher(allowed_protocols=["data"]))
    keep_whole(document.etree_element)
    document.write_pdf(sys.stdout.buffer)


def keep_whole(element: Element) -> None:
    """Let no Korean word below be broken between two lines: WeasyPrint knows ``white-space``, not ``keep-all``."""
    if element.tag in _NOT_PROSE or not isinstance(element.tag, str):
        return
    children, text = list(element), element.text
    element[:], element.text = [], None
    _add(element, text)
    for child in children:
        tail, child.tail = child.tail, None
        keep_whole(child)
        element.append(child)
        _add(element, tail)


def _add(element: Element, text: str | None) -> None:
    for part in _SPACES.split(text or ""):
        if len(part) <= LONGEST_WORD and _KOREAN.search(part):
            SubElement(element, "span", style="white-space: nowrap").text = part
        elif len(element):
            element[-1].tail = (element[-1].tail or "") + part
        else:
            element.text = (element.text or "") + part


if __name__ == "__main__":
    main()
