"""The robot that plays the on-call developer: it reads the mail, opens the link and presses the button."""

from __future__ import annotations

import email
import email.policy
import json
import re
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

LINK = re.compile(r"https?://127\.0\.0\.1:\d+/a/[\w.~%-]+")


@dataclass
class Form:
    """A form of a page: where it goes, and what it carries."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)


class Forms(HTMLParser):
    """Finds the forms of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[Form] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note forms and what they carry."""
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append(Form(values.get("action", "")))
        elif tag in ("input", "button") and self.found and values.get("name"):
            self.found[-1].fields[values["name"]] = values.get("value", "")


class Responder(threading.Thread):
    """Acts on the first mail of tier 1 to its address, ``reaction`` real seconds after it arrived."""

    def __init__(
        self, inbox: Path, address: str, *, scales_out: bool, reaction: float, say: Callable[[str], None]
    ) -> None:
        super().__init__(name="responder", daemon=True)
        self._inbox, self._address, self._scales_out, self._reaction = inbox, address, scales_out, reaction
        self._say = say
        self._home = threading.Event()
        self.error = ""
        self.acknowledged_at: float | None = None
        self.scaled_at: float | None = None

    def stop(self) -> None:
        """Go home."""
        self._home.set()
        self.join(timeout=10)

    def run(self) -> None:
        """Wait for the mail, then act."""
        try:
            mail = self._wait_for_mail()
            if mail is None:
                return
            self._home.wait(self._reaction)
            self._act(mail)
        except (OSError, LookupError, urllib.error.URLError, ValueError) as error:
            self.error = f"{type(error).__name__}: {error}"
            self._say(f"responder failed: {self.error}")

    def _wait_for_mail(self) -> Path | None:
        while not self._home.wait(0.1):
            for line in read_lines(self._inbox / "inbox.jsonl"):
                headers = {key.lower(): value for key, value in line["headers"].items()}
                if line["to"] == self._address and headers.get("x-bongsu-tier") == "1":
                    return self._inbox / str(line["file"])
        return None

    def _act(self, mail: Path) -> None:
        link = link_in(mail)
        self._say("the on-call robot opens the link in the mail and presses the button")
        page = _open(link)
        page = _submit(link, _form(page, ""))
        self.acknowledged_at = time.time()
        if not self._scales_out:
            return
        self._say("... asks to scale out, and confirms")
        page = _submit(link, _form(page, "scale-out"))
        _submit(link, _form(page, "scale-out"))
        self.scaled_at = time.time()


def read_lines(file: Path) -> list[dict[str, Any]]:
    """The JSON lines of a file that somebody else writes; a half-written last one is left for later."""
    with suppress(FileNotFoundError):
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]
    return []


def link_in(mail: Path) -> str:
    """The link in a mail's plain text. Raises LookupError."""
    message = email.message_from_bytes(mail.read_bytes(), policy=email.policy.default)
    body = message.get_body(("plain",))
    found = LINK.search(body.get_content() if body else "")
    if found is None:
        raise LookupError(f"{mail.name} has no link")
    return found.group()


def _form(page: str, about: str) -> Form:
    """The first form of a page whose address has this in it. Raises LookupError."""
    form = next((each for each in Forms(page).found if about in each.action), None)
    if form is None:
        raise LookupError(f"the page has no form about {about or 'anything'}")
    return form


def _open(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - LINK allows loopback http alone
        return str(answer.read().decode())


def _submit(page_url: str, form: Form) -> str:
    data = urllib.parse.urlencode(form.fields).encode()
    target = urllib.parse.urljoin(page_url, form.action or page_url)
    request = urllib.request.Request(target, data=data, method="POST")  # noqa: S310 - as the link
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        return str(answer.read().decode())
