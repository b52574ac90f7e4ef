"""``python -m bench.crash``: kill -9 of a real ``bongsu serve`` at random moments, under a stream of incidents.

What must hold, on SQLite and on PostgreSQL: every alert that was answered with 200 is mailed to everybody it concerns;
a mail that comes twice has the same Message-ID; and of the mails that one life of the server handed over, at most one
for each recipient comes again. Prints its figures, the last line as JSON; exits with 1 when something does not hold.
``CRASH_ROUNDS``: kills per database, 200 if not given.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from bisect import bisect_right
from collections import Counter, defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import urllib3

from bench.ingest import answers
from bench.machine import postgres
from bench.sink import Sink
from tests.support import free_port, wait_for

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "200"))
PEOPLE = ("jimin", "sora", "minjun")
EVERY_S = 0.05
"""Seconds between two incidents."""
ALIVE_S = (0.0, 1.5)
"""How long a life lasts at least and at most once it answers."""

CONFIG = """
[service.shop]
machine = "lightsail:small-2GB"
policy = "at-once"
[policy.at-once]
tier = [{{ after = "PT0S", notify = ["team:all"] }}]
blind = []
[team.all]
name = "All"
members = [{members}]
[[route]]
match = ["alertname=~\\"T.*\\""]
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
PERSON = """
[person.{name}]
name = "{name}"
contact = [{{ email = "{name}@example.com" }}]
"""


@dataclass
class Stream:
    """Posts an incident again and again until it is told that one is kept; then the next."""

    port: int
    kept: set[int] = field(default_factory=set)
    ended: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Until ``ended``."""
        pool = urllib3.PoolManager(timeout=5, retries=False)
        for token in itertools.count(1):
            now = datetime.now(UTC)  # noqa: TID251 - a real clock is meant
            times = {"startsAt": now.isoformat(), "endsAt": (now + timedelta(hours=6)).isoformat()}
            body = json.dumps([{"labels": {"alertname": f"T{token}x"}, **times}]).encode()
            while not self.ended.wait(EVERY_S):
                try:
                    url, headers = f"http://127.0.0.1:{self.port}/api/v2/alerts", {"Content-Type": "application/json"}
                    if pool.request("POST", url, body=body, headers=headers).status == 200:
                        self.kept.add(token)
                        break
                except urllib3.exceptions.HTTPError:
                    continue
            if self.ended.is_set():
                return


class Victim:
    """``bongsu serve``, to be killed and started anew on the same data."""

    def __init__(self, folder: Path, store: str, sink: Sink) -> None:
        self.port, self._folder = free_port(), folder
        members = ", ".join(f'"{name}"' for name in PEOPLE)
        config = CONFIG.format(smtp=sink.port, web=self.port, folder=folder, store=store, members=members)
        config += "".join(PERSON.format(name=name) for name in PEOPLE)
        (folder / "bongsu.toml").write_text(config)
        self.start()

    def start(self) -> None:
        """And wait until it answers."""
        with (self._folder / "log").open("ab") as log:
            command = [sys.executable, "-m", "bongsu", "serve", "--config", str(self._folder / "bongsu.toml")]
            self.process = subprocess.Popen([*command, "--log-level", "warning"], stdout=log, stderr=log)
        wait_for("bongsu serve", lambda: answers(f"http://127.0.0.1:{self.port}/readyz"))

    def kill(self) -> float:
        """With -9; when."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        return time.monotonic()


def play(store: str, folder: Path, rounds: int, dice: random.Random) -> dict[str, int]:
    """Kill so often; the figures, and the violations among them."""
    sink = Sink(free_port())
    victim = Victim(folder, store or f"sqlite:///{folder}/bongsu.db", sink)
    stream = Stream(victim.port)
    posting = threading.Thread(target=stream.run)
    posting.start()
    deaths: list[float] = []
    for number in range(1, rounds + 1):
        time.sleep(dice.uniform(*ALIVE_S))
        deaths.append(victim.kill())
        victim.start()
        if number % 20 == 0:
            print(f"  {number} kills, {len(stream.kept)} incidents", file=sys.stderr)
    stream.ended.set()
    posting.join()
    mails = _collect(sink, len(stream.kept) * len(PEOPLE))
    victim.process.terminate()
    victim.process.wait(20)
    sink.stop()
    return {"kills": rounds, "incidents": len(stream.kept), **judge(mails, stream.kept, deaths)}


def _collect(sink: Sink, wanted: int) -> list[tuple[float, int, str]]:
    """Every mail: until all that is wanted is there and nothing has come for longer than a lease lasts."""
    mails: list[tuple[float, int, str]] = []
    until = time.monotonic() + 120
    while time.monotonic() < until:
        more = sink.take(100_000, 1)
        mails += more
        if len({each[2] for each in mails}) >= wanted:
            return mails + sink.take(100_000, 15)
    return mails


def judge(mails: list[tuple[float, int, str]], kept: set[int], deaths: list[float]) -> dict[str, int]:
    """What was lost, what came more than once, and where that was not allowed."""
    copies: dict[str, list[float]] = defaultdict(list)
    named: dict[int, set[str]] = defaultdict(set)
    for at, token, message_id in mails:
        copies[message_id].append(at)
        named[token].add(message_id)
    repeats = Counter[tuple[int, str]]()
    for message_id, times in copies.items():
        reader = message_id.rsplit(".", 1)[-1]
        for earlier in sorted(times)[:-1]:
            repeats[bisect_right(deaths, earlier), reader] += 1
    return {
        "mails": len(copies),
        "lost": sum(len(PEOPLE) - len(named[token]) for token in kept if len(named[token]) < len(PEOPLE)),
        "repeated": sum(repeats.values()),
        "other_message_id": sum(len(ids) - len(PEOPLE) for ids in named.values() if len(ids) > len(PEOPLE)),
        "repeated_too_often": sum(count - 1 for count in repeats.values() if count > 1),
    }


def main() -> int:
    """Play on both databases and print."""
    seed = int(os.environ.get("CRASH_SEED", str(time.time_ns() % 100_000)))
    print(f"seed {seed}", file=sys.stderr)
    found: dict[str, dict[str, int]] = {}
    with ExitStack() as stack:
        database = stack.enter_context(postgres())
        for name, store in (("sqlite", ""), ("postgresql", database())):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            found[name] = play(store, folder, ROUNDS, random.Random(seed))
            print(f"{name}: " + ", ".join(f"{value} {key.replace('_', ' ')}" for key, value in found[name].items()))
    print(json.dumps(found))
    bad = ("lost", "other_message_id", "repeated_too_often")
    return int(any(each[key] for each in found.values() for key in bad))


if __name__ == "__main__":
    sys.exit(main())
