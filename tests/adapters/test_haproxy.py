"""The balancer adapter against a real HAProxy."""

from __future__ import annotations

import contextlib
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bongsu.adapters.haproxy import HAProxy
from bongsu.lab.programs import find_program
from bongsu.ports import Unavailable
from tests.support import free_port, wait_for

CONFIG = """
global
  stats socket {socket} level admin
defaults
  mode http
  timeout connect 1s
  timeout client 5s
  timeout server 5s
frontend edge
  bind 127.0.0.1:{port}
  default_backend shop
backend shop
  balance roundrobin
  server machine-1 127.0.0.1:{first} check inter 1s weight 100
"""


def machine(name: str) -> ThreadingHTTPServer:
    """A server that answers with its name."""

    class Named(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(name)))
            self.end_headers()
            self.wfile.write(name.encode())

        def log_message(self, *_: object) -> None:
            """Quiet."""

        def handle(self) -> None:
            with contextlib.suppress(ConnectionError):  # HAProxy's health checks end in a reset
                super().handle()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Named)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[tuple[HAProxy, str, ThreadingHTTPServer]]:
    first, second = machine("machine-1"), machine("machine-2")
    port = free_port()
    socket = tmp_path / "haproxy.sock"
    config = tmp_path / "haproxy.cfg"
    config.write_text(CONFIG.format(socket=socket, port=port, first=first.server_port))
    program = find_program("haproxy")
    assert program, "HAProxy is missing: apt-get install --no-install-recommends haproxy"
    process = subprocess.Popen([program, "-db", "-f", str(config)], stderr=subprocess.DEVNULL)
    balancer = HAProxy(str(socket), "shop")

    def ready() -> bool:
        try:
            return bool(balancer.members())
        except Unavailable:
            return False

    wait_for("HAProxy", ready)
    yield balancer, f"http://127.0.0.1:{port}/", second
    process.terminate()
    process.wait(10)
    for server in (first, second):
        server.shutdown()
        server.server_close()


def asked(url: str, times: int = 10) -> set[str]:
    found = set()
    for _ in range(times):
        with urllib.request.urlopen(url, timeout=5) as answer:
            found.add(answer.read().decode())
    return found


def test_a_machine_is_added_drained_given_back_and_removed(
    edge: tuple[HAProxy, str, ThreadingHTTPServer],
) -> None:
    balancer, url, second = edge
    assert balancer.members() == {"machine-1"}
    address = f"127.0.0.1:{second.server_port}"
    balancer.add("machine-2", address)
    balancer.add("machine-2", address)
    assert balancer.members() == {"machine-1", "machine-2"}
    wait_for("both to answer", lambda: asked(url) == {"machine-1", "machine-2"})
    balancer.drain("machine-2")
    assert balancer.members() == {"machine-1"}
    assert asked(url) == {"machine-1"}
    balancer.add("machine-2", address)
    wait_for("both to answer again", lambda: asked(url) == {"machine-1", "machine-2"})
    balancer.drain("machine-2")

    def removed() -> bool:
        try:
            balancer.remove("machine-2")
        except Unavailable:
            return False  # a connection is still attached to it
        return True

    wait_for("the removal", removed)
    balancer.remove("machine-2")
    assert balancer.members() == {"machine-1"}


def test_no_socket_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        HAProxy(str(tmp_path / "none.sock"), "shop").members()
