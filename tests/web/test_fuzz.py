"""What no client should send, to a real server: no answer is a fault of ours, and nothing of it stays in memory."""

from __future__ import annotations

import http.client
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.web.serving import Server

GOOD = [{"labels": {"alertname": "Fuzz", "bongsu_service": "shop"}, "annotations": {"summary": "x"}}]
ODD = [
    "\x00", "\ud7ff", "\uffff", "\u202e", "\u0301" * 50, "🔥" * 50, "<script>alert(1)</script>",
    "\r\nBcc: x@example.com",
    "%s%n{}", "' OR 1=1 --", "../../etc/passwd", "${jndi:ldap://x}", "{{ 7 * 7 }}", "x" * 70_000, "",
]  # fmt: skip
NUMBERS = ["1e400", "-1e400", "9" * 400, "-0", "1e-400", "0.1", "18446744073709551616", "NaN", "Infinity"]
TIMES = ["9999-12-31T23:59:59.999999999Z", "0001-01-01T00:00:00Z", "0000-00-00T00:00:00Z", "2026-01-05T24:61:00Z",
         "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "2026-01-05", "soon"]  # fmt: skip
REQUESTS = 1200
MAY_GROW_KIB = 6 * 1024


def bodies(seed: int) -> Iterator[bytes]:
    """The same for the same seed."""
    chance = random.Random(seed)
    good = json.dumps(GOOD).encode()
    yield from (b"[" * 100_000, b'{"a":' * 100_000, b"[" * 500 + b"]" * 500, b"", b"null", b"[null]", b"\xff\xfe")
    yield from (f'[{{"labels":{{"a":"b"}},"startsAt":{number}}}]'.encode() for number in NUMBERS)
    yield from (json.dumps([{"labels": {"alertname": "Fuzz"}, key: at}]).encode() for at in TIMES for key in
                ("startsAt", "endsAt"))  # fmt: skip
    for odd in ODD:
        for labels in ({"alertname": odd}, {odd: "x"}, {"alertname": "Fuzz", "bongsu_service": odd}):
            yield json.dumps([{"labels": labels, "annotations": {odd: odd}, "generatorURL": odd}]).encode()
    while True:
        kind = chance.randrange(4)
        if kind == 0:
            yield chance.randbytes(chance.randrange(400))
        elif kind == 1:
            flipped = bytearray(good)
            for _ in range(chance.randrange(1, 6)):
                flipped[chance.randrange(len(flipped))] = chance.randrange(256)
            yield bytes(flipped)
        elif kind == 2:
            yield good[: chance.randrange(len(good))]
        else:
            yield json.dumps([_shuffled(chance, 4) for _ in range(chance.randrange(4))]).encode()


def _shuffled(chance: random.Random, depth: int) -> Any:
    if depth == 0 or chance.random() < 0.2:
        return chance.choice([None, True, 0, -1, 1e308, "x", chance.choice(ODD), [], {}])
    keys = ("labels", "annotations", "startsAt", "endsAt", "generatorURL", "status", "alertname")
    return {chance.choice(keys): _shuffled(chance, depth - 1) for _ in range(chance.randrange(4))}


def resident_kib(pid: int) -> int:
    text = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith("VmRSS")))


def _send_all(server: Server, path: str, headers: dict[str, str]) -> set[int]:
    seen = set()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    for _, body in zip(range(REQUESTS), bodies(7), strict=False):
        connection.request("POST", path, body, {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        said = answer.read()
        assert answer.status < 500, (answer.status, said[:300], body[:300])
        seen.add(answer.status)
    connection.close()
    return seen


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("fuzz"), more='[integration.cron]\nservice = "shop"\n')
    yield running
    running.process.terminate()
    assert running.process.wait(10) == 0


def test_the_alert_endpoint_takes_anything_and_does_not_grow(server: Server) -> None:
    assert _send_all(server, "/api/v2/alerts", {}) == {200, 400}
    before = resident_kib(server.process.pid)
    assert _send_all(server, "/api/v2/alerts", {}) == {200, 400}
    assert resident_kib(server.process.pid) - before < MAY_GROW_KIB
    assert "Traceback" not in (server.folder / "log").read_text(errors="replace")


def test_a_webhook_takes_anything(server: Server) -> None:
    token = (server.folder / "secrets" / "integration-cron").read_text().strip()
    assert _send_all(server, "/api/hooks/cron", {"Authorization": f"Bearer {token}"}) <= {202, 400}


@pytest.mark.parametrize(("path", "most"), [("/api/v2/alerts", 16 * 1024 * 1024), ("/login", 64 * 1024)])
def test_a_body_that_is_too_large_is_refused_while_it_comes(server: Server, path: str, most: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.putrequest("POST", path)
    connection.putheader("Content-Type", "application/x-www-form-urlencoded")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    piece = b"x" * 65_536
    try:
        for _ in range(most // len(piece) + 2):
            connection.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        connection.send(b"0\r\n\r\n")
    except OSError:
        pass  # it need not read what it refuses
    assert connection.getresponse().status == 413
    connection.close()


def test_our_own_description_of_the_api_finds_no_fault_of_ours(server: Server) -> None:
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "run",
        f"http://127.0.0.1:{server.port}/api/schema/openapi.json",
        "--checks", "not_a_server_error", "--max-examples", "20", "--phases", "examples,coverage,fuzzing",
        "--header", f"Authorization: Bearer {server.token}", "--seed", "7", "--generation-database", "none",
        "--workers", "1", "--no-color",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=server.folder)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "Traceback" not in (server.folder / "log").read_text(errors="replace")
