"""A finished page as PDF, by WeasyPrint in a process of its own, so that the server stays small (rule 17)."""

from __future__ import annotations

import subprocess
import sys

from bongsu.ports import Unavailable

PATIENCE = 120
"""Seconds that a page may take."""
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
    HTML(string=page, url_fetcher=URLFetcher(allowed_protocols=["data"])).write_pdf(sys.stdout.buffer)


if __name__ == "__main__":
    main()
