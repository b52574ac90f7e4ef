"""A real Prometheus that scrapes two services and a machine, and a real mail server."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from bongsu.lab.programs import find_program
from tests.monitoring.payloads import serve
from tests.monitoring.strangers import answer, pages, stranger
from tests.support import free_port, wait_for

NODE = 'node_cpu_seconds_total{cpu="0",mode="idle"} 5\nnode_dmi_info{product_name="t3.small"} 1\n'


@pytest.fixture(scope="session")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The jobs `application` (Spring Boot 3.3, two targets, one down), `machines`, and `strange` (of no known kind)."""
    folder = tmp_path_factory.mktemp("prometheus")
    program = find_program("prometheus")
    assert program, "Prometheus is missing: apt-get install --no-install-recommends prometheus"
    address = f"127.0.0.1:{free_port()}"
    with ExitStack() as stack:
        spring = stack.enter_context(serve("3.3"))
        node = stack.enter_context(stranger(pages(metrics=answer(NODE)))).removeprefix("http://")
        strange = stack.enter_context(stranger(pages(metrics=answer("apples 3\n")))).removeprefix("http://")
        job = "- {{job_name: {}, metrics_path: {}, static_configs: [{{targets: [{}]}}]}}\n"
        (folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n"
            + job.format("application", "/actuator/prometheus", f"'{spring}', 'localhost:{free_port()}'")
            + job.format("machines", "/metrics", f"'{node}'")
            + job.format("strange", "/metrics", f"'{strange}'")
        )
        options = ["--config.file=prometheus.yml", "--storage.tsdb.path=data", f"--web.listen-address={address}"]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen([program, *options], cwd=folder, stdout=log, stderr=log)
        try:
            url = f"http://{address}"
            wait_for("three targets that answer", lambda: _up(url) == 3, 60)
            yield url
        finally:
            server.terminate()
            server.wait(20)


def _up(url: str) -> int:
    try:
        with urlopen(f"{url}/api/v1/query?query=sum(up)", timeout=2) as response:
            rows = json.load(response)["data"]["result"]
    except OSError:
        return 0
    return int(rows[0]["value"][1]) if rows else 0


@dataclass
class Inbox:
    """A mail server, and what it took."""

    relay: str
    folder: Path

    @property
    def mails(self) -> list[dict[str, Any]]:
        """A line for each recipient."""
        lines = self.folder / "inbox.jsonl"
        return [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else []


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    """The lab's mail server, on its own."""
    port, folder = free_port(), tmp_path / "inbox"
    command = [sys.executable, "-m", "bongsu.lab.inbox", "--directory", str(folder), "--port", str(port)]
    server = subprocess.Popen([*command, "--refuse", "gone@example.com"])
    try:
        wait_for("the inbox", lambda: _listens(port))
        yield Inbox(f"127.0.0.1:{port}", folder)
    finally:
        server.terminate()
        server.wait(20)


def _listens(port: int) -> bool:
    import socket

    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
