"""Channels through Apprise, against a real HTTP server. Their addresses are secrets and stay so."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from bongsu.adapters.apprise import AppriseChannel
from bongsu.ports import Reason, Rejected, Retryable

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of modules that Apprise brings along
SECRET = "T000B000XXXXYYYY"


class Hook:
    """Takes what is posted, or answers with a code."""

    def __init__(self) -> None:
        self.code = 200
        self.got: list[tuple[str, dict[str, str]]] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.got.append((self.path, json.loads(body)))
                self.send_response(hook.code)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.server.shutdown()
    made.server.server_close()


def channel(tmp_path: Path, port: int) -> AppriseChannel:
    file = tmp_path / "url"
    file.write_text(f"json://127.0.0.1:{port}/{SECRET}\n")
    return AppriseChannel("ops", file)


def test_it_says_what_it_is_given(hook: Hook, tmp_path: Path) -> None:
    said = channel(tmp_path, hook.server.server_port).say("Mail does not go out", "First: look\n<b>not bold</b>")
    path, body = hook.got[0]
    assert path == f"/{SECRET}"
    assert (body["title"], body["message"]) == ("Mail does not go out", "First: look\n<b>not bold</b>")
    assert said == "ops: taken"


@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [(500, Retryable, Reason.BUSY), (403, Retryable, Reason.AUTH), (404, Rejected, Reason.REFUSED)],
)
def test_what_the_other_side_answers_decides(
    hook: Hook,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    code: int,
    kind: type[Retryable | Rejected],
    reason: Reason,
) -> None:
    hook.code = code
    with caplog.at_level(logging.DEBUG), pytest.raises(kind) as caught:
        channel(tmp_path, hook.server.server_port).say("x", "y")
    error = caught.value
    assert isinstance(error, Retryable | Rejected)
    assert error.reason is reason
    assert str(code) in error.answer
    assert SECRET not in error.answer
    assert SECRET not in "".join(r.getMessage() for r in caplog.records if not r.name.startswith("urllib3"))


def test_nobody_there_is_retried(tmp_path: Path) -> None:
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.server_close()
    with pytest.raises(Retryable) as caught:
        channel(tmp_path, server.server_port).say("x", "y")
    assert caught.value.reason is Reason.UNREACHABLE
    assert SECRET not in caught.value.answer


@pytest.mark.parametrize("content", [None, "", f"nonsense {SECRET}"])
def test_a_file_without_a_good_address_is_named_but_not_quoted(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "url"
    if content is not None:
        file.write_text(content)
    with pytest.raises(Retryable, match=r"channel.ops") as caught:
        AppriseChannel("ops", file).say("x", "y")
    assert caught.value.reason is Reason.SECRET
    assert SECRET not in caught.value.answer


def test_apprise_is_loaded_when_it_is_used_and_not_before() -> None:
    code = "import sys, bongsu.bootstrap; sys.exit('apprise' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
