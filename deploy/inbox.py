"""The inbox for trying: takes every mail for everybody and shows them on a page. No mail leaves this computer.

``python inbox.py --directory DIR --port 1025 --page-port 8025``. Mails are kept as the lab keeps them: ``NNNN.eml``,
and a line per recipient in ``inbox.jsonl``, which ``/mails.json`` returns as a list.
"""

from __future__ import annotations

import argparse
import asyncio
import email
import email.policy
import html
import json
import re
import signal
import sys
from collections.abc import Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiohttp import web
from aiosmtpd.smtp import SMTP

from bongsu.lab.inbox import LARGEST, Keeper

ANYWHERE = "0.0.0.0"  # noqa: S104 - inside a container; what is published is up to compose.yaml
_MOST_SHOWN = 500
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width">
<style>body{{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}}
table{{border-collapse:collapse;width:100%}}td,th{{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ccc}}
pre{{white-space:pre-wrap;overflow-wrap:anywhere}}</style>
<h1>{title}</h1>
{body}</html>
"""
_LINK = re.compile(r"https?://[^\s<>\"']+[^\s<>\"'.,;:)]")


class Page:
    """What the browser sees of a folder of mails."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def routes(self) -> list[web.RouteDef]:
        """``/``, ``/mails.json``, ``/mails/NNNN.eml``."""
        return [
            web.get("/", self.newest),
            web.get("/mails.json", self.as_json),
            web.get(r"/mails/{name:\d{4,}\.eml}", self.one),
        ]

    def _mails(self) -> list[dict[str, Any]]:
        """A dictionary per accepted recipient, oldest first. A line that is still being written is left for later."""
        try:
            text = (self._directory / "inbox.jsonl").read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    async def newest(self, _request: web.Request) -> web.Response:
        """The newest mails first."""
        mails = self._mails()
        rows = "".join(
            f"<tr><td>{html.escape(mail['at'])}<td>{html.escape(mail['to'])}"
            f'<td><a href="mails/{html.escape(mail["file"])}">{html.escape(mail["subject"]) or "(no subject)"}</a>'
            for mail in reversed(mails[-_MOST_SHOWN:])
        )
        table = f"<table><tr><th>at<th>to<th>subject{rows}</table>" if mails else "<p>No mail yet.</p>"
        more = f"<p>and {len(mails) - _MOST_SHOWN} older ones</p>" if len(mails) > _MOST_SHOWN else ""
        return _page("Inbox for trying", table + more)

    async def as_json(self, _request: web.Request) -> web.Response:
        """Every accepted recipient, oldest first."""
        return web.json_response(self._mails())

    async def one(self, request: web.Request) -> web.Response:
        """A mail's text, with its links."""
        try:
            raw = (self._directory / request.match_info["name"]).read_bytes()
        except FileNotFoundError:
            raise web.HTTPNotFound(text="there is no such mail") from None
        message = email.message_from_bytes(raw, policy=email.policy.default)
        heads = "".join(
            f"<tr><th>{name}<td>{html.escape(str(message[name] or ''))}"
            for name in ("From", "To", "Date", "Message-ID")
        )
        linked = _LINK.sub(lambda found: f'<a href="{found[0]}">{found[0]}</a>', html.escape(_text(message)))
        title = html.escape(str(message["Subject"] or "(no subject)"))
        return _page(title, f"<table>{heads}</table><pre>{linked}</pre><p><a href='../'>all mails</a>")


def _text(message: EmailMessage) -> str:
    part = message.get_body(preferencelist=("plain", "html"))
    if part is None:
        return "(no text)"
    try:
        return str(part.get_content())
    except LookupError:  # a character set that nobody knows
        return part.as_string()


def _page(title: str, body: str) -> web.Response:
    # Mails are written by others: nothing in them may run here.
    headers = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
    return web.Response(text=_PAGE.format(title=title, body=body), content_type="text/html", headers=headers)


async def _run(directory: Path, port: int, page_port: int) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    keeper = Keeper(directory)
    greet = lambda: SMTP(keeper, hostname="inbox", enable_SMTPUTF8=True, data_size_limit=LARGEST, timeout=60)  # noqa: E731
    server = await loop.create_server(greet, ANYWHERE, port)
    application = web.Application()
    application.add_routes(Page(directory).routes())
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, ANYWHERE, page_port).start()
    await ended.wait()
    await runner.cleanup()
    server.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--port", type=int, default=1025)
    parser.add_argument("--page-port", type=int, default=8025)
    options = parser.parse_args(arguments)
    options.directory.mkdir(parents=True, exist_ok=True)
    asyncio.run(_run(options.directory, options.port, options.page_port))
    return 0


if __name__ == "__main__":
    sys.exit(main())
