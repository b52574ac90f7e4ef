"""``bongsu user``, ``token`` and ``audit`` in place, beside a server that takes what they say at once."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.serving import Server

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("accounts"), anonymous="none")
    yield running
    running.process.terminate()
    assert running.process.wait(10) == 0


def bongsu(server: Server, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bongsu", *words, "--config", str(server.folder / "bongsu.toml")],
        input=stdin, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip


def test_the_first_admin_is_made_by_the_link_that_serve_printed(server: Server) -> None:
    [link] = re.findall(r"within a day\): (\S+)", (server.folder / "log").read_text())
    path = link.partition(str(server.port))[2]
    assert server.ask("GET", path)[0] == 200
    printed = bongsu(server, "user", "setup-link").stdout.strip()
    assert printed.startswith(f"http://127.0.0.1:{server.port}/setup/")
    form = f"name=sora&password={PASSWORD}&again={PASSWORD}".encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert server.ask("POST", path, form, **headers)[0] == 200, "it leads to the incidents, and they to the log-in"
    refused = bongsu(server, "user", "setup-link")
    assert (refused.returncode, "there is an admin already" in refused.stderr) == (1, True)
    assert server.ask("GET", printed.partition(str(server.port))[2])[0] == 410


def test_users_are_added_listed_and_removed(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n")
    added = bongsu(server, "user", "add", "jimin", "--role", "responder", "--password-file", str(file))
    assert added.returncode == 0, added.stderr
    listed = json.loads(bongsu(server, "user", "list", "--json").stdout)
    assert {"jimin": "responder"}.items() <= {each["name"]: each["role"] for each in listed}.items()
    changed = bongsu(server, "user", "passwd", "jimin", "--password-file", "-", stdin="another good password\n")
    assert changed.returncode == 0, changed.stderr
    assert bongsu(server, "user", "remove", "jimin").returncode == 0
    wrong = bongsu(server, "user", "add", "Ji Min", "--role", "chief", "--password-file", "-", stdin="short")
    assert wrong.returncode == 2
    assert wrong.stderr.count("error:") == 3
    asked = bongsu(server, "user", "add", "jimin")
    assert (asked.returncode, "--password-file" in asked.stderr) == (2, True)


def test_a_token_works_at_once_until_it_is_revoked(server: Server) -> None:
    made = json.loads(bongsu(server, "token", "new", "pipeline", "--role", "viewer", "--json").stdout)
    bearer = {"Authorization": f"Bearer {made['secret']}"}
    assert server.ask("GET", "/api/incidents")[0] == 401
    assert server.ask("GET", "/api/incidents", **bearer)[0] == 200
    assert server.ask("POST", "/api/notify/test", b"{}", **bearer)[0] == 403
    [listed] = json.loads(bongsu(server, "token", "list", "--json").stdout)
    assert listed["used_at"] is not None
    assert made["secret"] not in json.dumps(listed)
    assert bongsu(server, "token", "revoke", made["id"]).returncode == 0
    assert server.ask("GET", "/api/incidents", **bearer)[0] == 401
    unknown = bongsu(server, "token", "revoke", "nobody")
    assert (unknown.returncode, "bongsu token list" in unknown.stderr) == (1, True)


def test_what_was_done_here_stands_in_the_log(server: Server) -> None:
    bongsu(server, "user", "add", "seen", "--password-file", "-", stdin=PASSWORD)
    [line] = json.loads(bongsu(server, "audit", "--about", "seen", "--json").stdout)
    assert (line["via"], line["what"], line["facts"]) == ("command", "add_user", {"role": "responder"})
    assert PASSWORD not in bongsu(server, "audit", "--json").stdout
    assert "add_user" in bongsu(server, "audit").stdout
