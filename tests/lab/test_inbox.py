"""The inbox keeps mail, and misbehaves when told to."""

from __future__ import annotations

import json
import smtplib
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bongsu.lab.inbox import Behaviour, set_behaviour
from bongsu.lab.loopback import listens
from bongsu.lab.processes import launch
from tests.support import free_port, wait_for

MAIL = """\
From: bongsu@example.com
To: jimin@example.com
Subject: =?utf-8?b?7J6l7JWg?=
Message-ID: <i1.t1@bongsu>
X-Bongsu-Incident: I1
X-Bongsu-Kind: tier
X-Bongsu-Tier: 1

text
"""


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    number = free_port()
    with (tmp_path / "log").open("wb") as log:
        command = [sys.executable, "-m", "bongsu.lab.inbox", "--directory", str(tmp_path), "--port", str(number)]
        process = launch(command, lab=None, stdout=log)
    wait_for("the inbox", lambda: listens(number))
    yield number
    process.terminate()
    assert process.wait(5) == 0


def send(port: int, *recipients: str) -> dict[str, tuple[int, bytes]]:
    with smtplib.SMTP("127.0.0.1", port, local_hostname="test", timeout=3) as client:
        return client.sendmail("bongsu@example.com", recipients, MAIL)


def test_a_mail_is_kept_with_a_line_per_recipient(port: int, tmp_path: Path) -> None:
    assert send(port, "jimin@example.com", "sora@example.com") == {}
    lines = [json.loads(line) for line in (tmp_path / "inbox.jsonl").read_text().splitlines()]
    assert [line["to"] for line in lines] == ["jimin@example.com", "sora@example.com"]
    first = lines[0]
    assert (first["subject"], first["message_id"], first["file"]) == ("장애", "<i1.t1@bongsu>", "0001.eml")
    assert first["headers"] == {"X-Bongsu-Incident": "I1", "X-Bongsu-Kind": "tier", "X-Bongsu-Tier": "1"}
    assert (tmp_path / "0001.eml").read_text().replace("\r\n", "\n") == MAIL


def test_a_refused_recipient_stops_nobody_else(port: int, tmp_path: Path) -> None:
    set_behaviour(tmp_path, Behaviour(refuse=("gone@example.com",)))
    refused = send(port, "gone@example.com", "sora@example.com")
    assert refused["gone@example.com"][0] == 550
    assert json.loads((tmp_path / "inbox.jsonl").read_text())["to"] == "sora@example.com"


@pytest.mark.parametrize("code", [451, 550])
def test_a_refusal_at_the_end_of_data(port: int, tmp_path: Path, code: int) -> None:
    set_behaviour(tmp_path, Behaviour(at_end=code))
    with pytest.raises(smtplib.SMTPDataError) as caught:
        send(port, "jimin@example.com")
    assert caught.value.smtp_code == code
    assert not (tmp_path / "inbox.jsonl").exists()
    set_behaviour(tmp_path, Behaviour())
    assert send(port, "jimin@example.com") == {}


def test_silence_and_death(port: int, tmp_path: Path) -> None:
    set_behaviour(tmp_path, Behaviour(silent=True))
    with socket.create_connection(("127.0.0.1", port), timeout=0.3) as client, pytest.raises(TimeoutError):
        client.recv(1)
    set_behaviour(tmp_path, Behaviour(dead=True))
    wait_for("the port to close", lambda: not listens(port))
    set_behaviour(tmp_path, Behaviour())
    wait_for("the port to open", lambda: listens(port))
    assert send(port, "jimin@example.com") == {}
