"""``python -m bench.mail``: from a posted alert to the mail server's word, beside Debian's Alertmanager in one run.

*One at a time*: an alert is posted, and the clock stops when the sink has taken the whole mail; ours is on disk before
(Alertmanager with ``group_wait: 0s``). *At once*: one POST of alerts that are an incident each, all for one address and
then for several. *Outage*: nobody listens for a minute. The sink is ``bench/sink.py``. The last line is JSON.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.ingest import answers
from bench.machine import Steal, postgres
from bench.sink import Sink
from bongsu.lab.programs import find_program
from tests.support import free_port, wait_for

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SINGLES = int(os.environ.get("BENCH_SINGLES", "40"))
FLOOD = int(os.environ.get("BENCH_FLOOD", "1000"))
OUTAGE = float(os.environ.get("BENCH_OUTAGE", "60"))
PEOPLE = 20
_tokens = itertools.count(1)

AM = """
global: {{smtp_smarthost: "127.0.0.1:{smtp}", smtp_from: "am@example.com", smtp_require_tls: false}}
route: {{receiver: mail, group_by: [alertname], group_wait: 0s, group_interval: 5m, repeat_interval: 4h}}
receivers: [{{name: mail, email_configs: [{{to: "jimin@example.com"}}]}}]
"""
OURS = """
[policy.at-once]
tier = [{{ after = "PT0S", notify = ["person:jimin"] }}]
blind = []
[service.shop]
machine = "lightsail:small-2GB"
policy = "at-once"
[person.jimin]
name = "Kim Jimin"
contact = [{{ email = "jimin@example.com" }}]
[[route]]
match = ["people=\\"one\\""]
service = "shop"
group_by = ["alertname"]
[alerts]
digest_over = 100000
[prometheus]
url = "http://127.0.0.1:9"
[smtp]
port = {smtp}
[web]
port = {web}
secrets = "{folder}/secrets"
[store]
url = "{store}"
"""
ONE_OF_MANY = """
[service.s{n}]
machine = "lightsail:small-2GB"
policy = "p{n}"
[policy.p{n}]
tier = [{{ after = "PT0S", notify = ["person:p{n}"] }}]
blind = []
[person.p{n}]
name = "Person {n}"
contact = [{{ email = "p{n}@example.com" }}]
[[route]]
match = ["people=\\"{n}\\""]
service = "s{n}"
group_by = ["alertname"]
"""


@dataclass
class Peer:
    """A server under test with its sink."""

    port: int
    sink: Sink

    def post(self, count: int = 1, people: int = 0) -> tuple[float, list[int]]:
        """Post alerts that are an incident each; when it began, and their tokens."""
        tokens = [next(_tokens) for _ in range(count)]
        now = datetime.now(UTC)  # noqa: TID251 - a real clock is meant
        times = {"startsAt": now.isoformat(), "endsAt": (now + timedelta(hours=3)).isoformat()}
        alerts = [
            {
                "labels": {"alertname": f"T{token}x", "people": str(token % people) if people else "one"},
                **times,
            }
            for token in tokens
        ]
        body = json.dumps(alerts)
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.connect()
        began = time.monotonic()
        connection.request("POST", "/api/v2/alerts", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        connection.close()
        return began, tokens


@contextmanager
def alertmanager(sink: Sink) -> Iterator[Peer]:
    """Debian's Alertmanager, mailing to a sink."""
    program = find_program("prometheus-alertmanager")
    assert program, "apt-get install --no-install-recommends prometheus-alertmanager"
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "alertmanager.yml")
        config.write_text(AM.format(smtp=sink.port))
        port = free_port()
        command = [program, f"--config.file={config}", f"--storage.path={folder}/data", "--log.level=error"]
        command += [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        wait_for("Alertmanager", lambda: answers(f"http://127.0.0.1:{port}/-/ready"))
        try:
            yield Peer(port, sink)
        finally:
            process.terminate()
            process.wait(20)


@contextmanager
def bongsu(sink: Sink, store: str = "") -> Iterator[Peer]:
    """``bongsu serve``, mailing to a sink."""
    Path("var").mkdir(exist_ok=True)
    folder, port = Path(tempfile.mkdtemp(dir=Path.cwd() / "var")), free_port()
    config = OURS.format(
        smtp=sink.port, web=port, folder=folder, store=store or f"sqlite:///{folder}/bongsu.db"
    ) + "".join(ONE_OF_MANY.format(n=n) for n in range(PEOPLE))
    (folder / "bongsu.toml").write_text(config)
    with (folder / "log").open("wb") as log:
        command = [sys.executable, "-m", "bongsu", "serve", "--config", str(folder / "bongsu.toml")]
        process = subprocess.Popen([*command, "--log-level", "warning"], stdout=log, stderr=log)
    try:
        wait_for("bongsu serve", lambda: answers(f"http://127.0.0.1:{port}/readyz"))
        yield Peer(port, sink)
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(folder)


def singles(peer: Peer) -> list[float]:
    """Milliseconds from the POST to the accepted mail, one alert after another."""
    found = []
    for _ in range(SINGLES):
        began, tokens = peer.post()
        mails = peer.sink.take(1, 30)
        assert [each[1] for each in mails] == tokens, f"expected {tokens}, got {mails}"
        found.append((mails[0][0] - began) * 1000)
    return found


def flood(peer: Peer, people: int = 0) -> tuple[float, int]:
    """Mails a second when many incidents begin at once, and the most connections."""
    peer.sink.say("most")
    began, tokens = peer.post(FLOOD, people)
    mails = peer.sink.take(FLOOD, 120)
    assert sorted(each[1] for each in mails) == tokens, f"{len(mails)} of {FLOOD} mails came"
    return FLOOD / (max(each[0] for each in mails) - began), peer.sink.say("most")[1]


def outage(peer: Peer) -> tuple[float, int, int]:
    """How late the last of 50 mails came after the server's return; how many were lost and doubled."""
    peer.sink.say("close")
    _, tokens = peer.post(50)
    time.sleep(OUTAGE)
    back, _ = peer.sink.say("open")
    mails = peer.sink.take(50, 120)
    late = max(each[0] for each in mails) - back
    mails += peer.sink.take(50, 3)  # whatever comes once more
    told = Counter(each[1] for each in mails)
    return late, len(set(tokens) - set(told)), sum(told.values()) - len(told)


def main() -> None:
    """Measure and print."""
    with ExitStack() as stack, Steal() as steal:
        database = stack.enter_context(postgres()) if os.environ.get("BENCH_POSTGRES", "1") != "0" else None
        stores = ("sqlite", "postgresql") if database is not None else ("sqlite",)
        sinks = {name: Sink(free_port()) for name in ("alertmanager", *stores)}
        for each in sinks.values():
            stack.callback(each.stop)
        start: dict[str, Callable[[], AbstractContextManager[Peer]]] = {
            "alertmanager": lambda: alertmanager(sinks["alertmanager"]),
            "sqlite": lambda: bongsu(sinks["sqlite"]),
        }
        if database is not None:
            start["postgresql"] = lambda: bongsu(sinks["postgresql"], database())
        took: dict[str, list[list[float]]] = {name: [] for name in start}
        rates: dict[str, list[tuple[float, int]]] = {name: [] for name in start}
        spread: dict[str, list[float]] = {name: [] for name in stores}
        for number in range(1, ROUNDS + 1):
            for name, begin in start.items():  # each anew: what has piled up before is not part of the measurement
                with begin() as peer:
                    singles(peer)
                    took[name].append(singles(peer))
                    rates[name].append(flood(peer))
            for name in stores:
                with start[name]() as peer:
                    singles(peer)
                    spread[name].append(flood(peer, PEOPLE)[0])
            print(f"round {number} of {ROUNDS}, stolen {steal.share():.1%}", file=sys.stderr)
        away = {}
        for name in stores:
            with start[name]() as peer:
                singles(peer)
                away[name] = outage(peer)
    report(took, rates, spread, away)


def report(
    took: dict[str, list[list[float]]],
    rates: dict[str, list[tuple[float, int]]],
    spread: dict[str, list[float]],
    away: dict[str, tuple[float, int, int]],
) -> None:
    """A table, and the figures of SQLite against Alertmanager's as JSON."""
    print(f"{'':14}{'median ms':>10}{'p99 ms':>10}{'mails/s':>10}{'most':>6}{f'to {PEOPLE}':>10}{'late s':>8}")
    p99s = {}
    for name, rounds in took.items():
        every = sorted(itertools.chain(*rounds))
        p99s[name] = every[min(len(every) - 1, int(0.99 * len(every)))]
        rate, most = statistics.median(r for r, _ in rates[name]), max(m for _, m in rates[name])
        more = f"{statistics.median(spread[name]):>10,.0f}{away[name][0]:>8.2f}" if name in away else ""
        print(f"{name:14}{statistics.median(every):>10.2f}{p99s[name]:>10.2f}{rate:>10,.0f}{most:>6}{more}")
    ratio = statistics.median(
        statistics.median(ours) / statistics.median(theirs)
        for ours, theirs in zip(took["sqlite"], took["alertmanager"], strict=True)
    )
    late, lost, doubled = away["sqlite"]
    found = {
        "median_ratio": round(ratio, 2),
        "p99_ms": round(p99s["sqlite"], 1),
        "mails_per_s": round(statistics.median(r for r, _ in rates["sqlite"])),
        "connections": max(m for _, m in rates["sqlite"]),
        "late_after_outage_s": round(late, 2),
        "lost": lost,
        "doubled": doubled,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
