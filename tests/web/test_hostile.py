"""Labels that carry HTML, headers and lines; secrets that must not be told: on every page, every mail, in the log."""

from __future__ import annotations

import html
import json
import re
import urllib.parse
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from bongsu.core.access import Right
from bongsu.engine import accounts
from bongsu.render import links
from bongsu.store import incidents
from bongsu.testing import World
from tests.support import wait_for
from tests.web.opened import PASSWORD, Client, add_users, log_in, opened
from tests.web.serving import Server

SCRIPT = "<script>alert(1)</script>"
IMAGE = '"><img src=x onerror=alert(1)>'
HEADER = "x\r\nBcc: evil@example.com\r\n\r\n<b>body</b>"
HOSTILE = {"path": SCRIPT, "owner": IMAGE, "note": HEADER, "href": "javascript:alert(1)", "tpl": "{{ 7 * 7 }}"}


def pages(incident: str, link: str) -> list[str]:
    """Every page that shows what a label says."""
    return [
        "/incidents", f"/incidents/{incident}", f"/incidents/{incident}/report", f"/incidents/{incident}/report/edit",
        "/deliveries", "/silences", "/review", "/lessons", "/oncall", "/people", "/settings", "/users", "/audit",
        "/account", f"/a/{link}",
    ]  # fmt: skip


def harmless(text: str) -> None:
    """No tag but our own: no script, no handler, no address that runs."""
    assert "<script" not in text.lower()
    assert "<img" not in text.lower()
    assert not re.search(r"<[^>]+\son\w+=", text)
    assert 'href="javascript:' not in text.lower()
    assert "<b>body" not in text


@pytest.fixture
def client(world: World) -> Iterator[Client]:
    add_users(world)
    with opened(world) as found:
        yield found


def test_no_label_becomes_html_a_header_or_a_line(world: World, client: Client) -> None:
    world.alert("Hostile" + SCRIPT, **HOSTILE)
    world.advance(minutes=21)
    incident = world.incident("alerts").id
    link = links.sign(world.context.link_key, incident, "person:jimin", world.clock.now())
    log_in(client, "admin")
    client.post(f"/a/{link}/triage", data={"verdict": "urgent", "why": SCRIPT + IMAGE})
    accounts.new_token(world.context.db, IMAGE, "viewer", SCRIPT, world.clock.now())
    shown = 0
    for path in pages(incident, link):
        for lang in ("en", "ko"):
            answer = client.get(f"{path}?lang={lang}")
            assert answer.status_code == 200, (path, answer.text[:500])
            harmless(answer.text)
            shown += html.escape(SCRIPT) in answer.text
    assert shown > 3, "the labels were shown, as text"
    assert len(world.post.letters) >= 2
    for letter in world.post.letters:
        assert letter["Bcc"] is None
        assert all("\n" not in str(value) and "\r" not in str(value) for value in letter.values())
        for part in letter.walk():
            if part.get_content_type() == "text/html":
                harmless(part.get_content())


@pytest.mark.parametrize("name", ["X-Test", "Location", "Set-Cookie"])
def test_no_address_writes_a_header(world: World, name: str) -> None:
    with opened(world, anonymous=Right.VIEWER) as client:
        evil = urllib.parse.quote(f"ko\r\n{name}: evil")
        for path in (f"/?lang={evil}", f"/login?next=/{evil}", f"/incidents?lang={evil}", f"/review?lang={evil}"):
            assert "evil" not in client.get(path).headers.get(name, "").partition("next=")[0]


def test_every_page_has_the_headers_that_keep_it_harmless(world: World, client: Client) -> None:
    world.advance(minutes=5)
    world.cpu(0.6)
    world.advance(minutes=6)
    incident = world.incident().id
    link = links.sign(world.context.link_key, incident, "person:jimin", world.clock.now())
    log_in(client, "admin")
    for path in [*pages(incident, link), "/login", "/incidents/none", "/setup/x", "/nowhere"]:
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["referrer-policy"] == "no-referrer", path
        assert headers["x-frame-options"] == "DENY", path
        if headers["content-type"].startswith("text/html"):
            assert "default-src 'none'" in headers["content-security-policy"], path
            assert headers["cache-control"] == "no-store", path
    assert client.get("/api/incidents").headers["cache-control"] == "no-store"


def test_a_fault_of_ours_tells_nothing(world: World, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("dsn=postgresql://user:secret@host")

    monkeypatch.setattr(incidents, "search", broken)
    log_in(client, "admin")
    for path in ("/incidents", "/api/incidents"):
        answer = client.get(path)
        assert answer.status_code == 500
        assert "secret" not in answer.text
        assert "RuntimeError" not in answer.text


MORE = """
[integration.cron]
service = "shop"
[channel.room]
url_file = "{folder}/room"
[person.sora]
name = "Lee Sora"
contact = [{{ channel = "room" }}]
"""


def test_no_secret_is_in_the_log_or_in_an_answer(tmp_path: Path) -> None:
    (tmp_path / "room").write_text("json://room-user:room-secret@127.0.0.1:9/path-secret")
    (tmp_path / "smtp").write_text("smtp-secret")
    server = Server(tmp_path, more=MORE.format(folder=tmp_path), anonymous="none")
    config = (tmp_path / "bongsu.toml").read_text()
    server.process.terminate()
    server.process.wait(10)
    config = config.replace("[smtp]\n", f'[smtp]\nuser = "bongsu"\npassword_file = "{tmp_path}/smtp"\n')
    config = config.replace("[web]\n", '[web]\nalertmanager = "token"\n')
    (tmp_path / "bongsu.toml").write_text(config)
    server.start()
    try:
        said = [_provoke(server)]
    finally:
        server.process.terminate()
        server.process.wait(10)
    log = (tmp_path / "log").read_text()
    setup = re.findall(r"/setup/(\S+)", log)
    assert len(setup) == 2, "printed once at each start"
    secrets = [file.read_text().strip() for file in (tmp_path / "secrets").iterdir() if not file.name.startswith(".")]
    assert len(secrets) == 4
    said.append(log)
    for secret in [*secrets, "room-secret", "path-secret", "smtp-secret", PASSWORD, "a typed password"]:
        assert all(secret not in text for text in said), secret
    assert sum(text.count(setup[-1]) for text in said) == 1


def _provoke(server: Server) -> str:
    """Everything that fails and may say too much."""
    bearer = {"Authorization": f"Bearer {server.token}"}
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    server.ask("POST", "/login", b"name=a+typed+password&password=x", **form)  # the form has it again, the log must not
    answers = [
        server.ask("GET", "/api/incidents", Authorization=f"Bearer {server.token}x"),
        server.ask("POST", "/api/v2/alerts", b"[]", Authorization="Bearer a typed password"),
        server.ask("POST", "/api/v2/alerts", b"not json", **bearer),
        server.ask("POST", "/api/notify/test", b"{}", **bearer),
        server.ask("POST", "/api/hooks/cron", b"{}", Authorization="Bearer a typed password"),
        server.ask("POST", "/login", b"name=jimin&password=a+typed+password", **form),
        server.ask("GET", "/a/a.b.c"),
        server.ask("GET", "/settings", **bearer),
        server.ask("GET", "/users", **bearer),
        server.ask("GET", "/api/relay", **bearer),
    ]

    def tried() -> bool:
        found = server.ask("GET", "/api/deliveries", **bearer)[1]
        answers.append((200, found))
        return bool(found) and all(each["tries"] or each["state"] != "pending" for each in found)

    wait_for("the attempts", tried, timedelta(seconds=20).total_seconds())
    answers.append(server.ask("GET", "/deliveries", **bearer))
    return json.dumps(answers, ensure_ascii=False)
