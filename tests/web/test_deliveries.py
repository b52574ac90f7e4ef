"""The delivery log and the test of whether people can be reached, on a real server with a real mail server."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bongsu.lab.inbox import Behaviour, set_behaviour
from tests.support import free_port, wait_for
from tests.web.serving import Server

PEOPLE = """
[person.sora]
name = "이소라"
locale = "ko"
contact = [{ email = "no@example.com" }, { email = "sora@example.com" }]
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("deliveries")
    (folder / "inbox").mkdir()
    set_behaviour(folder / "inbox", Behaviour(refuse=("no@example.com",)))
    port = free_port()
    command = [sys.executable, "-m", "bongsu.lab.inbox", "--directory", str(folder / "inbox"), "--port", str(port)]
    inbox = subprocess.Popen(command)
    running = Server(folder, more=PEOPLE, smtp=port)
    yield running
    running.process.terminate()
    assert running.process.wait(10) == 0
    inbox.terminate()
    inbox.wait(10)


def notify(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    token = str(server.folder / "secrets" / "api_token")
    command = [sys.executable, "-m", "bongsu", "notify", "test", *arguments]
    address = ["--server", f"http://127.0.0.1:{server.port}", "--token-file", token]
    return subprocess.run([*command, *address], capture_output=True, text=True, check=False)


def test_a_test_goes_the_whole_way_and_the_servers_answers_are_printed(server: Server) -> None:
    done = notify(server, "--all", "--by", "Kim Jimin", "--json")
    found: list[dict[str, Any]] = json.loads(done.stdout)
    assert done.returncode == 1, "one address refused"
    states = {each["recipient"]["address"]: (each["state"], each["tries"][-1]["answer"]) for each in found}
    assert states["no@example.com"] == ("refused", "550 5.1.1 no@example.com: no such mailbox here")
    assert states["sora@example.com"][0] == states["jimin@example.com"][0] == "accepted"
    mails = wait_for("the mails", lambda: (server.folder / "inbox" / "inbox.jsonl").read_text().splitlines())
    assert "시험 메일: 봉수가 이 주소로 연락합니다" in {json.loads(line)["subject"] for line in mails}


def test_whoever_can_be_reached_is_good_news(server: Server) -> None:
    done = notify(server, "jimin")
    assert done.returncode == 0, done.stderr
    assert "kept as" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("nobody",), "there is no person or team 'nobody'; known: jimin, sora"), ((), "name people or teams")],
)
def test_a_test_for_nobody_says_what_to_type(server: Server, arguments: tuple[str, ...], said: str) -> None:
    done = notify(server, *arguments)
    assert done.returncode != 0
    assert said in done.stderr


def test_the_log_is_filtered_by_person_state_and_incident(server: Server) -> None:
    notify(server, "sora")
    status, found = server.ask("GET", "/api/deliveries?person=sora&status=refused&limit=1")
    assert (status, [each["recipient"]["address"] for each in found]) == (200, ["no@example.com"])
    assert found[0]["tries"][0]["outcome"] == "refused:refused"
    assert server.ask("GET", "/api/deliveries?incident=none") == (200, [])
    status, problem = server.ask("GET", "/api/deliveries?status=lost&limit=0")
    assert (status, len(problem["problems"])) == (400, 2)


def test_a_stranger_may_not_send_tests(server: Server) -> None:
    assert server.ask("POST", "/api/notify/test", b'{"to": ["jimin"]}')[0] == 401


def test_the_relay_and_the_suspects_are_shown(server: Server) -> None:
    notify(server, "sora")
    status, found = server.ask("GET", "/api/relay")
    assert (status, found["down"], list(found["suspects"])) == (200, False, ["no@example.com"])


@pytest.mark.parametrize(("lang", "title"), [("en", "Deliveries"), ("ko", "발송 기록")])
def test_the_page_lists_every_attempt_with_the_servers_answer(server: Server, lang: str, title: str) -> None:
    notify(server, "sora")
    status, html = server.ask("GET", f"/deliveries?lang={lang}&person=person:sora&status=refused")
    assert status == 200
    assert f"<h1>{title}</h1>" in html
    assert "550 5.1.1 no@example.com: no such mailbox here" in html
    assert "sora@example.com" not in html
    assert server.ask("GET", "/deliveries?status=lost")[0] == 400


def test_the_console_says_that_mail_does_not_go_out(tmp_path: Path) -> None:
    server = Server(tmp_path)  # nobody listens where its mail goes
    try:
        done = notify(server, "jimin", "--wait", "1")
        assert done.returncode == 1
        assert "Connection refused" in " ".join(done.stdout.split()), "whatever the width of a column"
        for path in ("/incidents", "/deliveries"):
            assert "Mail does not go out." in server.ask("GET", path)[1]
        status, found = server.ask("GET", "/api/relay")
        assert (status, found["down"], len(found["outages"])) == (200, True, 1)
    finally:
        server.process.terminate()
        server.process.wait(10)
