"""The real things that the tests run against: PostgreSQL, and the shop as a process."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest


def wait_for(what: str, condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until a condition holds; say what was awaited when it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        time.sleep(0.01)


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


def _program(name: str) -> str:
    places = [
        shutil.which(name) or "",
        *sorted(map(str, Path("/usr/lib/postgresql").glob(f"*/bin/{name}")), reverse=True),
    ]
    found = next((each for each in places if each), None)
    if found is None:
        pytest.fail(f"{name} is missing: apt-get install --no-install-recommends postgresql")
    return found


def _disguise() -> list[str]:
    """PostgreSQL refuses root; in a user namespace root is an ordinary user."""
    if os.geteuid() != 0:
        return []
    before = [shutil.which("unshare") or "unshare", "--map-user=1000", "--map-group=1000"]
    try:
        subprocess.run([*before, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.fail("as root the tests need user namespaces (unshare, package util-linux): run them as another user")
    return before


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """A server of our own on a Unix socket; gives a URL with DATABASE in the database's place."""
    data, before = folder / "data", _disguise()
    initdb = [_program("initdb"), "-D", str(data), "-U", "test", "-A", "trust", "--no-sync", "--encoding=UTF8"]
    subprocess.run([*before, *initdb], check=True, capture_output=True)
    settings = {
        "unix_socket_directories": str(folder), "listen_addresses": "", "fsync": "off", "max_connections": "200",
        "synchronous_commit": "off", "full_page_writes": "off",
    }  # fmt: skip
    options = [each for name, value in settings.items() for each in ("-c", f"{name}={value}")]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([*before, _program("postgres"), "-D", str(data), *options], stdout=log, stderr=log)
    url = f"postgresql://test@/DATABASE?host={folder}"
    try:
        wait_for("PostgreSQL", lambda: _answers(url.replace("DATABASE", "postgres"), server))
        yield url
    finally:
        server.send_signal(2)  # ends connections as well
        server.wait(20)


def _answers(url: str, server: subprocess.Popen[bytes]) -> bool:
    assert server.poll() is None, "PostgreSQL ended at once"
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


class ShopProcess:
    """``python -m shop serve`` on free ports."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self.port, self.metrics_port = free_port(), free_port()
        self.log = folder / "shop.jsonl"
        self.errors = folder / "stderr"
        command = [sys.executable, "-m", "shop", "serve", "--port", str(self.port)]
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [*command, "--metrics-port", str(self.metrics_port)],
                env={**os.environ, **environment, "SHOP_LOG_FILE": str(self.log)},
                stdout=errors,
                stderr=errors,
            )

    @property
    def url(self) -> str:
        """The shop itself."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def metrics_url(self) -> str:
        """The metrics on their own port."""
        return f"http://127.0.0.1:{self.metrics_port}/actuator/prometheus"

    def wait(self) -> None:
        """Until it listens."""

        def listens() -> bool:
            assert self.process.poll() is None, self.errors.read_text()
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        wait_for("the shop", listens)

    def end(self) -> None:
        """Whatever state it is in."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
