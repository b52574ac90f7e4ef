"""A real server process for tests of what it answers."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.support import free_port, wait_for

CONFIG = """
[service.shop]
machine = "lightsail:small-2GB"
policy = "burst"
[policy.burst]
tier = [{{ after = "PT5M", notify = ["on-call:shop"] }}]
[person.jimin]
name = "Kim Jimin"
contact = [{{ email = "jimin@example.com" }}]
[schedule.shop]
rotation = {{ people = ["jimin"], every = "P7D", from = "2026-01-05T09:00:00+09:00" }}
[prometheus]
url = "{prometheus}"
[smtp]
port = {smtp}
[web]
port = {port}
anonymous = "{anonymous}"
secrets = "{folder}/secrets"
[store]
url = "{store}"
"""


def write_config(folder: Path, store: str = "", more: str = "", **given: int | str) -> Path:
    """A configuration in this folder; ``given``: smtp (a port), prometheus (an address), anonymous, port."""
    usual = {"smtp": 9, "prometheus": "http://127.0.0.1:9", "anonymous": "viewer", "port": free_port()}
    store = store or f"sqlite:///{folder}/bongsu.db"
    file = folder / "bongsu.toml"
    file.write_text(CONFIG.format(folder=folder, store=store, **{**usual, **given}) + more)
    return file


class Server:
    """``bongsu serve`` in a process of its own."""

    def __init__(self, folder: Path, store: str = "", more: str = "", **given: int | str) -> None:
        self.folder, self.port = folder, free_port()
        write_config(folder, store, more, port=self.port, **given)
        self.start()

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            command = [sys.executable, "-m", "bongsu", "serve", "--config", str(self.folder / "bongsu.toml")]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_for("bongsu serve", lambda: self.ask("GET", "/readyz")[0] == 200)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", body, headers, method=method)
        if body is not None:
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, _decode(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _decode(error.read())
        except OSError:
            return 0, None

    @property
    def token(self) -> str:
        return (self.folder / "secrets" / "api_token").read_text().strip()


def _decode(data: bytes) -> Any:
    try:
        return json.loads(data) if data else None
    except ValueError:
        return data.decode()
