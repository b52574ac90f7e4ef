"""The small programs of deploy/: secrets.sh, haproxy.sh with haproxy.cfg, answers, the inbox. Each runs for real."""

from __future__ import annotations

import base64
import json
import os
import shutil
import smtplib
import socketserver
import stat
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bongsu.lab import haproxy as lab_haproxy
from bongsu.lab.programs import find_program
from tests.support import free_port, wait_for

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


def secrets(folder: Path) -> str:
    done = subprocess.run(["sh", str(DEPLOY / "secrets.sh"), str(folder)], capture_output=True, text=True, check=True)
    return done.stdout


def test_the_first_start_draws_secrets_and_no_later_one_does(tmp_path: Path) -> None:
    assert len(secrets(tmp_path).splitlines()) == 5
    before = {file: file.read_text(encoding="ascii") for file in tmp_path.rglob("*") if file.is_file()}
    assert secrets(tmp_path) == ""
    assert before == {file: file.read_text(encoding="ascii") for file in tmp_path.rglob("*") if file.is_file()}
    password = (tmp_path / "postgres/password").read_text(encoding="ascii").strip()
    assert len(bytes.fromhex(password)) == 32
    assert (tmp_path / "shop/pgpass").read_text(encoding="ascii") == f"postgres:5432:shop:shop:{password}\n"
    drawn = {
        password,
        *((tmp_path / name).read_text().strip() for name in ("grafana/admin_password", "shop/user_hash_key")),
    }
    assert len(drawn) == 3


def test_a_lost_secret_is_drawn_again_and_the_others_stay(tmp_path: Path) -> None:
    secrets(tmp_path)
    (tmp_path / "grafana/admin_password").unlink()
    assert secrets(tmp_path) == "made grafana/admin_password\n"


def test_the_shop_and_the_balancer_have_the_same_key(tmp_path: Path) -> None:
    secrets(tmp_path)
    ours = bytes.fromhex((tmp_path / "shop/user_hash_key").read_text(encoding="ascii"))
    assert base64.b64decode((tmp_path / "haproxy/user_hash_key").read_text(encoding="ascii"), validate=False) == ours


def test_the_password_file_is_one_that_postgresql_accepts(tmp_path: Path) -> None:
    secrets(tmp_path)
    assert stat.S_IMODE((tmp_path / "shop/pgpass").stat().st_mode) == 0o400


class Shop(BaseHTTPRequestHandler):
    """Answers everything."""

    def do_GET(self) -> None:
        """200, or what the path says."""
        self.send_response(503 if self.path == "/broken" else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(port: int) -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", port), Shop)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def running(*command: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Ends the whole group: haproxy.sh has a child that looks after the log."""
    process = subprocess.Popen(command, env={**os.environ, **environment}, start_new_session=True)
    try:
        yield process
    finally:
        os.killpg(process.pid, 15)
        process.wait(10)


def test_the_balancer_s_configuration_is_valid() -> None:
    haproxy = find_program("haproxy")
    assert haproxy, "HAProxy is missing: apt-get install --no-install-recommends haproxy"
    key = base64.b64encode(bytes(32)).decode()
    told = subprocess.run(
        [haproxy, "-c", "-f", str(DEPLOY / "haproxy.cfg")],
        env={"USER_HASH_KEY": key}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    # the machines' names mean something in the containers' network alone; nothing else may be said
    warnings = [line for line in told.stderr.splitlines() if "WARNING" in line]
    assert all("could not resolve address 'shop-" in line for line in warnings), told.stderr


def test_its_log_has_the_fields_of_the_lab_s() -> None:
    text = (DEPLOY / "haproxy.cfg").read_text(encoding="utf-8")
    assert f"  log-format '{lab_haproxy._json(lab_haproxy._LOG)}'\n" in text
    assert f"  error-log-format '{lab_haproxy._json({**lab_haproxy._LOG, **lab_haproxy._MALFORMED})}'\n" in text
    assert f"  default-server {lab_haproxy.SERVER} " in text


def test_the_balancer_writes_its_log_to_a_file_that_does_not_grow_for_ever(tmp_path: Path) -> None:
    secrets(tmp_path / "secrets")
    edge, shop, metrics = free_port(), free_port(), free_port()
    text = (DEPLOY / "haproxy.cfg").read_text(encoding="utf-8")
    for before, after in {
        "bind :8000": f"bind 127.0.0.1:{edge}", "bind :8405": f"bind 127.0.0.1:{metrics}",
        "/var/lib/haproxy/admin.sock": str(tmp_path / "admin.sock"),
        **{f"shop-{n} shop-{n}:8000": f"shop-{n} 127.0.0.1:{shop}" for n in (1, 2, 3)},
    }.items():  # fmt: skip
        assert before in text
        text = text.replace(before, after)
    (tmp_path / "haproxy.cfg").write_text(text, encoding="utf-8")
    log = tmp_path / "edge.jsonl"
    settings = {
        "EDGE_LOG": str(log), "EDGE_LOG_MOST": "6000", "EDGE_LOG_KEPT": "2000", "EDGE_LOG_EVERY": "0.2",
        "USER_HASH_KEY_FILE": str(tmp_path / "secrets/haproxy/user_hash_key"),
        "HAPROXY_CONFIG": str(tmp_path / "haproxy.cfg"), "PATH": f"{os.environ['PATH']}:/usr/sbin",
    }  # fmt: skip
    with serving(shop), running("sh", str(DEPLOY / "haproxy.sh"), **settings):
        wait_for("HAProxy", lambda: healthy(metrics, "/healthz"))
        request = urllib.request.Request(f"http://127.0.0.1:{edge}/products/7", headers={"X-User-Id": "42"})
        wait_for("an answer of the shop", lambda: answered(request) == 200)
        wait_for("its line in the log", lambda: log.stat().st_size > 0)
        line = json.loads(log.read_text(encoding="utf-8").splitlines()[-1])
        assert (line["path"], line["status"], line["server"][:5]) == ("/products/7", 200, "shop-")
        assert len(line["user"]) == 64
        while log.stat().st_size < 6000:
            answered(request)
        wait_for("the log to be cut", lambda: log.stat().st_size < 3000)
        answered(request)
        wait_for("the log to go on", lambda: log.read_text(encoding="utf-8").endswith("}\n"))
        assert all(json.loads(each)["status"] == 200 for each in log.read_text(encoding="utf-8").splitlines())


def answered(request: urllib.request.Request) -> int:
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def healthy(port: int, path: str) -> bool:
    check = ["bash", str(DEPLOY / "answers"), str(port), path]
    return subprocess.run(check, capture_output=True, check=False).returncode == 0


def test_a_health_check_passes_on_200_and_on_nothing_else() -> None:
    port = free_port()
    assert not healthy(port, "/")
    with serving(port):
        assert healthy(port, "/")
        assert not healthy(port, "/broken")


def test_a_health_check_does_not_wait_for_ever() -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as silent:
        assert not healthy(silent.server_address[1], "/")


def test_the_inbox_takes_a_mail_and_shows_it(tmp_path: Path) -> None:
    smtp, page = free_port(), free_port()
    with running(
        sys.executable, str(DEPLOY / "inbox.py"), "--directory", str(tmp_path), "--port", str(smtp),
        "--page-port", str(page),
    ):  # fmt: skip
        wait_for("the inbox", lambda: healthy(page, "/"))
        assert "No mail yet" in fetch(page, "/")
        mail = EmailMessage()
        mail["Subject"], mail["From"], mail["To"] = "<b>shop</b>: 20 % 초과", "bongsu@example.com", "jimin@example.com"
        mail.set_content("Look: http://127.0.0.1:8080/a/x?b=1&c=2.\n<script>alert(1)</script>\n")
        with smtplib.SMTP("127.0.0.1", smtp) as client:
            client.send_message(mail)
        assert "&lt;b&gt;shop&lt;/b&gt;: 20 % 초과" in fetch(page, "/")
        (taken,) = json.loads(fetch(page, "/mails.json"))
        assert (taken["to"], taken["from"]) == ("jimin@example.com", "bongsu@example.com")
        shown = fetch(page, f"/mails/{taken['file']}")
        assert '<a href="http://127.0.0.1:8080/a/x?b=1&amp;c=2">' in shown
        assert "<script>" not in shown
        assert answered(urllib.request.Request(f"http://127.0.0.1:{page}/mails/9999.eml")) == 404


def fetch(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        text: str = answer.read().decode("utf-8")
        return text


@pytest.mark.parametrize("file", ["secrets.sh", "haproxy.sh"])
def test_scripts_are_posix(file: str) -> None:
    dash = shutil.which("dash") or "sh"
    assert subprocess.run([dash, "-n", str(DEPLOY / file)], check=False).returncode == 0
