"""The load driver: open arrivals against the lab's shop, on loopback and nowhere else.

``python -m bongsu.lab.load --target URL --plan 60x100 --directory DIR``. Latency counts from when a request was *meant*
to be sent, so a driver that falls behind does not flatter the shop. While it runs, lines on standard input change it:
``rate 120``, ``mix sale``, ``stop``, or the same as JSON, ``{"rate": 120, "mix": "sale"}``; ``hold 20``: so many visits
are always under way, and none arrives besides, until another rate is given. When a pipe there closes, the driver ends.
It writes ``seconds.jsonl`` (a line per second) and ``samples.bin`` (see bongsu.lab.latency).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import secrets
import signal
import stat
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from bongsu.core.errors import InvalidInput
from bongsu.lab.latency import Sample, percentile
from bongsu.lab.loopback import is_loopback
from bongsu.lab.traffic import Population, RatePlan, Segment, Step, Visit, parse_plan

TIMEOUT = 5.0
"""Seconds after which a visitor gives up."""
_BEAT = 0.05
_BREATH = 0.01
"""Seconds after which a visit that has ended is followed by another one, where so many are held."""


@dataclass(slots=True)
class Second:
    """What happened in one second; ``sent`` and ``dropped`` by intention, the others by completion."""

    begin: float
    sent: int = 0
    dropped: int = 0
    ok: int = 0
    refused: int = 0
    failed: int = 0
    stall: float = 0.0
    latencies: list[float] = field(default_factory=list)

    def line(self, now: Segment, outstanding: int, cpu_seconds: float) -> str:
        """The second as a JSON line; times in milliseconds."""
        figures = {
            f"p{round(share * 100)}_ms": None if value is None else round(value * 1000, 2)
            for share in (0.5, 0.95, 0.99)
            for value in (percentile(self.latencies, share),)
        }
        counts = {name: getattr(self, name) for name in ("sent", "ok", "refused", "failed", "dropped")}
        about = {"at": round(self.begin, 3), "rate": now.rate, "mix": now.mix, "outstanding": outstanding}
        cost = {"cpu_seconds": round(cpu_seconds, 4), "stall_ms": round(self.stall * 1000, 1)}
        return json.dumps({**about, **counts, **figures, **cost})


class Driver:
    """Sends a plan's arrivals. One event loop, one connection pool, no task per arrival until it is due."""

    def __init__(
        self, target: str, segments: Sequence[Segment], population: Population, directory: Path, most_open: int
    ) -> None:
        """``most_open``: arrivals beyond so many unanswered ones are dropped, and counted."""
        self._target = target.rstrip("/")
        self._segments = segments
        self._population = population
        self._directory = directory
        self._most_open = most_open
        self._open: set[asyncio.Task[None]] = set()
        self._held = 0
        self._kept = bytearray()
        # Not from the seed: a second run of the same people must place new orders, not repeat those of the first.
        self._run_id, self._wishes = secrets.token_hex(6), 0
        self._patience = TIMEOUT + 1
        self._ended = asyncio.Event()

    async def run(self) -> None:
        """Send everything, wait for what is still open, write the files."""
        self._loop = asyncio.get_running_loop()
        self._epoch = time.time() - self._loop.time()
        self._plan = RatePlan(self._segments, self._loop.time(), random.Random(self._population.seed + 1))
        self._second = Second(time.time())
        self._cpu = time.process_time()
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=8.0)  # under HAProxy's ten
        self._directory.mkdir(parents=True, exist_ok=True)
        async with aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=TIMEOUT),
            auto_decompress=False,
        ) as self._session:
            with (
                (self._directory / "seconds.jsonl").open("w", encoding="utf-8") as self._seconds,
                (self._directory / "samples.bin").open("wb") as self._samples,
            ):
                beat = asyncio.create_task(self._keep_time())
                self._handle: asyncio.Handle | None = None
                self._schedule(self._loop.time())
                await self._ended.wait()
                if self._handle is not None:
                    self._handle.cancel()
                if self._open:
                    await asyncio.wait(self._open, timeout=self._patience)
                beat.cancel()
                self._turn_page()

    def stop(self, patience: float = TIMEOUT + 1) -> None:
        """Send nothing more, and wait ``patience`` seconds for what is open."""
        self._patience = patience
        self._ended.set()

    def change(self, rate: float | None = None, mix: str | None = None) -> None:
        """Another rate or mix from now until the plan's end. Raises InvalidInput."""
        now = self._loop.time()
        if rate is not None:
            self._held = 0
        self._plan.change(now, rate, mix)
        if self._handle is not None:
            self._handle.cancel()
        self._schedule(now)

    def hold(self, visits: int) -> None:
        """From now on so many visits are under way, and none arrives besides. Raises InvalidInput."""
        if not 0 < visits <= self._most_open:
            raise InvalidInput([f"hold {visits}: from 1 to {self._most_open} visits can be held"])
        self.change(rate=0.0)
        self._held = visits
        self._fill()

    def _fill(self) -> None:
        while len(self._open) < self._held and not self._ended.is_set():
            self._send(self._loop.time())

    def _schedule(self, after: float) -> None:
        due = self._plan.next_after(after)
        if due is None:
            self._handle = self._loop.call_at(self._plan.ends, self._ended.set)
        else:
            self._handle = self._loop.call_at(due, self._arrive, due)

    def _arrive(self, due: float) -> None:
        """Send what is due, all of it when we are late: arrivals do not wait for us."""
        while True:
            self._send(due)
            following = self._plan.next_after(due)
            if following is None or following > self._loop.time():
                break
            due = following
        if following is None:
            self._handle = self._loop.call_at(self._plan.ends, self._ended.set)
        else:
            self._handle = self._loop.call_at(following, self._arrive, following)

    def _send(self, due: float) -> None:
        if len(self._open) >= self._most_open:
            self._second.dropped += 1
            return
        self._second.sent += 1
        visit = self._population.visit(self._plan.current(due).mix)
        task = self._loop.create_task(self._make(visit, due))
        self._open.add(task)
        task.add_done_callback(self._over)

    def _over(self, visit: asyncio.Task[None]) -> None:
        self._open.discard(visit)
        if self._held:
            self._loop.call_later(_BREATH, self._fill)

    async def _make(self, visit: Visit, due: float) -> None:
        answer: Any = None
        for step in visit.steps:
            status, answer = await self._request(visit, step, answer)
            now = self._loop.time()
            self._keep(Sample(due + self._epoch, now - due, status, step.route, visit.logged_in, visit.person))
            if not 200 <= status < 300:
                return
            due = now

    async def _request(self, visit: Visit, step: Step, before: Any) -> tuple[int, Any]:
        path = step.path
        if "{order}" in path:
            path = path.replace("{order}", str((before or {}).get("id", 0)))
        headers = visit.headers
        if step.method == "POST":
            self._wishes += 1
            headers = {**headers, "Idempotency-Key": f"{self._run_id}-{self._wishes}"}
        try:
            async with self._session.request(
                step.method, self._target + path, headers=headers, json=step.body
            ) as response:
                body = await response.read()
                # Only an order's answer is looked into; the rest is read and thrown away.
                wanted = step.route == "order" and response.status < 300
                return response.status, json.loads(body) if wanted else None
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return 0, None

    def _keep(self, sample: Sample) -> None:
        self._kept += sample.pack()
        second = self._second
        second.latencies.append(sample.latency)
        if sample.failed:
            second.failed += 1
        elif sample.status >= 400:
            second.refused += 1
        else:
            second.ok += 1

    async def _keep_time(self) -> None:
        """The heartbeat, and a page per second."""
        while True:
            before = self._loop.time()
            await asyncio.sleep(_BEAT)
            late = self._loop.time() - before - _BEAT
            self._second.stall = max(self._second.stall, late)
            if time.time() - self._second.begin >= 1.0:
                self._turn_page()

    def _turn_page(self) -> None:
        cpu = time.process_time()
        line = self._second.line(self._plan.current(self._loop.time()), len(self._open), cpu - self._cpu)
        self._seconds.write(line + "\n")
        self._seconds.flush()
        self._samples.write(self._kept)
        self._samples.flush()
        self._kept.clear()
        # Pages follow each other by whole seconds, unless we slept through one.
        following = self._second.begin + 1.0
        self._cpu, self._second = cpu, Second(following if time.time() < following + 1.0 else time.time())


def obey(driver: Driver, line: str) -> None:
    """Carry out a line from standard input. Raises InvalidInput."""
    words = line.split()
    if not words:
        return
    if words == ["stop"]:
        driver.stop()
        return
    try:
        if line.lstrip().startswith("{"):
            change = json.loads(line)
            driver.change(change.get("rate"), change.get("mix"))
        elif words[0] == "rate":
            driver.change(rate=float(words[1]))
        elif words[0] == "mix":
            driver.change(mix=words[1])
        elif words[0] == "hold":
            driver.hold(int(words[1]))
        else:
            raise InvalidInput([f"{line!r}: say rate NUMBER, hold NUMBER, mix NAME or stop"])
    except (ValueError, IndexError, TypeError) as error:
        raise InvalidInput([f"{line!r}: {error}"]) from None


async def _listen(driver: Driver) -> None:
    """Obey standard input where it is a pipe; its end is ours."""
    if not stat.S_ISFIFO(os.fstat(0).st_mode):
        return
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        try:
            obey(driver, line.decode())
        except InvalidInput as error:
            sys.stderr.write(f"load: {error}\n")
            sys.stderr.flush()
    driver.stop()


async def _run(options: argparse.Namespace, segments: Sequence[Segment]) -> None:
    population = Population(options.users, options.products, options.seed)
    driver = Driver(options.target, segments, population, options.directory, options.most_open)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, driver.stop, 1.0)
    listening = asyncio.create_task(_listen(driver))
    await driver.run()
    listening.cancel()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the plan. Exit code 2 for a target that is not loopback or a plan out of bounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", required=True)
    parser.add_argument("--plan", required=True, help="SECONDSxRATE[:MIX],...")
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--users", type=int, default=500)
    parser.add_argument("--products", type=int, default=200)
    parser.add_argument("--most-open", type=int, default=1000)
    options = parser.parse_args(arguments)
    try:
        if not is_loopback(options.target):
            raise InvalidInput([f"{options.target}: the load driver only drives http://127.0.0.1, the lab's own shop"])
        segments = parse_plan(options.plan)
    except InvalidInput as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(_run(options, segments))
    return 0


if __name__ == "__main__":
    sys.exit(main())
