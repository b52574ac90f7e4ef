"""``bongsu oncall``, ``schedule`` and ``contacts`` against a real server with a real mail server behind it."""

from __future__ import annotations

import email
import email.policy
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import icalendar
import pytest

from tests.cli.conftest import Inbox
from tests.support import wait_for
from tests.web.serving import Server

MORE = """
[person.sora]
name = "Lee Sora"
contact = [{ email = "sora@example.com" }, { email = "gone@example.com" }]
[schedule.night]
time_zone = "Asia/Seoul"
[[schedule.night.layer]]
people = ["jimin", "sora"]
every = "P7D"
from = 2026-01-05T09:00:00
only = ["22:00-07:00"]
"""


@pytest.fixture
def server(tmp_path: Path, inbox: Inbox) -> Iterator[Server]:
    port = inbox.relay.rpartition(":")[2]
    running = Server(tmp_path, more=MORE, smtp=int(port))
    yield running
    running.process.terminate()
    assert running.process.wait(10) == 0


def run(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    where = ["--server", f"http://127.0.0.1:{server.port}", "--token-file", f"{server.folder}/secrets/api_token"]
    command = [sys.executable, "-m", "bongsu", *arguments, *where]
    wide = {**os.environ, "COLUMNS": "200"}
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, env=wide)


def asked(server: Server, *arguments: str) -> Any:
    done = run(server, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_standing_in_from_the_terminal(server: Server) -> None:
    made = run(server, "oncall", "override", "shop", "sora", "--to", "2099-01-05T09:00", "--by", "Lee Sora")
    assert made.returncode == 1
    assert "a year at the most" in made.stderr
    span = ("--from", "2099-01-05T09:00", "--to", "2099-01-06T09:00")
    (done,) = asked(server, "oncall", "override", "night", "sora", *span)
    assert done["start"] == "2099-01-05T00:00:00Z", "in the schedule's own time zone"
    assert [each["id"] for each in asked(server, "oncall", "list")] == [done["id"]]
    assert "does not stand in any more" in run(server, "oncall", "cancel", done["id"]).stdout
    one, other = asked(server, "oncall", "swap", "night", "jimin", "sora")
    assert {one["person"], other["person"]} == {"jimin", "sora"}
    assert "Kim Jimin" in run(server, "oncall", "show").stdout
    drawn = run(server, "schedule", "show", "night", "--weeks", "2").stdout
    assert "Asia/Seoul" in drawn
    assert "07:00 nobody" in drawn


def test_a_feed_from_the_terminal_is_a_calendar(server: Server) -> None:
    address = run(server, "oncall", "feed", "jimin").stdout.strip()
    status, found = server.ask("GET", address.partition(str(server.port))[2])
    assert status == 200
    assert icalendar.Calendar.from_ical(found).walk("VEVENT")


def test_readiness_names_gaps_and_fails(server: Server) -> None:
    done = run(server, "oncall", "ready")
    assert done.returncode == 1
    assert "nobody is on call in night" in done.stdout


def test_people_are_asked_and_the_answers_counted(server: Server, inbox: Inbox) -> None:
    begun = asked(server, "contacts", "verify", "sora", "--by", "Kim Jimin")
    assert (begun["asked"], begun["answered"]) == (2, 0)
    wait_for("the mail", lambda: len(inbox.mails) == 1)
    link = re.search(r"/c/[A-Za-z0-9_.-]+", _mail(inbox))
    assert link is not None
    status, _ = server.ask("POST", link[0], b"")
    assert status == 200
    shown = run(server, "contacts", "status").stdout
    assert "1 of 2 answered" in shown
    assert "refused" in shown
    waited = run(server, "contacts", "verify", "jimin", "--wait", "--minutes", "0.02")
    assert waited.returncode == 1
    assert "no answer" in waited.stdout
    assert run(server, "contacts", "verify").returncode == 2


def _mail(inbox: Inbox) -> str:
    """The text of the one mail that has come."""
    (file,) = inbox.folder.glob("**/*.eml")
    body = email.message_from_bytes(file.read_bytes(), policy=email.policy.default).get_body(("plain",))
    assert body is not None
    return str(body.get_content())
