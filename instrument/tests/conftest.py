"""What the tests share: an instrument, servers that answer, and waiting without sleeping through it."""

from __future__ import annotations

import io
import os
import shutil
import socketserver
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.validate import validator

import psycopg
import pytest
import werkzeug.serving
from kinds import App, Series, Serve, Wait

from bongsu_instrument import Instrument


@pytest.fixture
def instrument() -> Iterator[Instrument]:
    made = Instrument()
    yield made
    made.count_logs().stop()


@pytest.fixture
def wait_for() -> Wait:
    """Wait until a condition holds; say what was awaited when it does not."""

    def wait(what: str, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, f"waited 20 s for {what}"
            time.sleep(0.005)

    return wait


@pytest.fixture
def series() -> Series:
    """Method, uri, status and exception of every series, in order of their making."""

    def read(instrument: Instrument) -> list[tuple[str, str, str, str]]:
        families = {each.name: each for each in instrument.registry.collect()}
        samples = [each for each in families["http_server_requests_seconds"].samples if each.name.endswith("_count")]
        return [tuple(each.labels[name] for name in ("method", "uri", "status", "exception")) for each in samples]  # type: ignore[misc]

    return read


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the parent's name
        pass

    def get_stderr(self) -> Any:
        return io.StringIO()  # errors of the applications are meant


class _Wsgiref(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that leave are meant."""


def _wsgiref(app: App) -> Any:
    """Held to the letter of PEP 3333 from outside."""
    server = _Wsgiref(("127.0.0.1", 0), _QuietHandler)
    server.set_app(validator(app))
    return server


class _WerkzeugHandler(werkzeug.serving.WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 -- the parent's name
        pass


def _werkzeug(app: App) -> Any:
    return werkzeug.serving.make_server("127.0.0.1", 0, app, threaded=True, request_handler=_WerkzeugHandler)


@contextmanager
def _served(server: Any) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(params=[_wsgiref, _werkzeug], ids=["wsgiref", "werkzeug"])
def serve(request: pytest.FixtureRequest) -> Serve:
    """Serves a WSGI application by threads of a real server; gives its port."""
    return lambda app: _served(request.param(app))


def _program(name: str) -> str:
    places = [shutil.which(name), *sorted(map(str, Path("/usr/lib/postgresql").glob(f"*/bin/{name}")), reverse=True)]
    found = next((each for each in places if each), None)
    if found is None:
        pytest.fail(f"{name} is missing: apt-get install --no-install-recommends postgresql")
    return found


@pytest.fixture(scope="session")
def postgres_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A PostgreSQL of our own; the folder of its Unix socket. User and database are ``test`` and ``postgres``."""
    root = tmp_path_factory.mktemp("pg")
    # PostgreSQL refuses root; in a user namespace root is an ordinary user.
    before = [_program("unshare"), "--map-user=1000", "--map-group=1000"] if os.geteuid() == 0 else []
    initdb = [_program("initdb"), "-D", str(root / "data"), "-U", "test", "-A", "trust", "--no-sync"]
    subprocess.run([*before, *initdb], check=True, capture_output=True)
    options = ["-c", f"unix_socket_directories={root}", "-c", "listen_addresses=", "-c", "fsync=off"]
    with (root / "log").open("wb") as log:
        command = [*before, _program("postgres"), "-D", str(root / "data"), *options]
        server = subprocess.Popen(command, stdout=log, stderr=log)
    deadline = time.monotonic() + 30
    while not _answers(root):
        assert server.poll() is None, (root / "log").read_text()
        assert time.monotonic() < deadline, "waited 30 s for PostgreSQL"
        time.sleep(0.02)
    yield root
    server.send_signal(2)  # ends connections as well
    server.wait(20)


def _answers(folder: Path) -> bool:
    try:
        psycopg.connect(host=str(folder), user="test", dbname="postgres").close()
    except psycopg.OperationalError:
        return False
    return True
