"""``python -m bench.instrument``: what watching costs the shop.

Two shops on one PostgreSQL, one with ``bongsu_instrument`` and one with ``SHOP_INSTRUMENT=0``, get the same requests in
turn, in pairs of short blocks: as many as they can answer (a closed loop of a few connections, from this process). Both
are started anew several times, for two runs of the same program differ, too. The watched one is also scraped, every
fifth second as Prometheus would. A computer that others share disturbs both blocks of a pair alike, so what counts is
the median of the pairs' ratios; the CPU time a request costs is disturbed least. Pairs in which the host took more than
2 % of the computer away are set aside, as far as enough are left. The last line is JSON.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import selectors
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bongsu.lab.postgres import disguise
from bongsu.lab.programs import find_program

STARTS, PAIRS, BLOCK_SECONDS, WARM_UP_SECONDS = 8, 30, 0.25, 2.0
MOST_PAIRS, MOST_STOLEN = 45, 0.02
SCRAPED_BLOCKS = 20
"""Of how many blocks one holds a scrape."""
CONNECTIONS, PRODUCTS, SCRAPES = 8, 200, 50
SHOP = Path("shop/.venv/bin/python")
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Shop:
    """A running shop."""

    port: int
    metrics_port: int
    pid: int

    def cpu(self) -> float:
        """CPU seconds that it has used, by the clock that Linux keeps for every process."""
        return time.clock_gettime((~self.pid << 3) | 2)

    def scrape(self) -> bytes:
        """Its metrics, as Prometheus fetches them."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/actuator/prometheus", timeout=30) as answer:
            body: bytes = answer.read()
        return body


@dataclass(frozen=True, slots=True)
class Block:
    """What one block of requests came to."""

    per_second: float
    cpu_ms: float
    """CPU of the shop for one request."""
    stolen: float
    """The share of the computer that its host took away meanwhile."""


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


def wait_for(what: str, port: int) -> None:
    """Until somebody listens there."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    sys.exit(f"{what} did not answer within 30 s")


@contextmanager
def running(command: list[str], environment: dict[str, str], log: Path, *, end: int) -> Iterator[int]:
    """A program, ended by the signal ``end``; its process id."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=output, stderr=output)
    try:
        yield process.pid
    finally:
        process.send_signal(end)
        process.wait(30)


@contextmanager
def database(folder: Path) -> Iterator[str]:
    """A PostgreSQL with the shop's tables and products; its address."""
    data, port = folder / "data", free_port()
    before = list(disguise(data))
    initdb, postgres = find_program("initdb") or "initdb", find_program("postgres") or "postgres"
    made = [*before, initdb, "-D", str(data), "-U", "shop", "-A", "trust", "--no-sync", "--encoding=UTF8"]
    subprocess.run(made, check=True, capture_output=True)
    options = ["-p", str(port), "-c", "fsync=off", "-c", f"unix_socket_directories={folder}"]
    command = [*before, postgres, "-D", str(data), *options]
    with running(command, {}, folder / "postgres.log", end=signal.SIGINT):
        wait_for("PostgreSQL", port)
        url = f"postgresql://shop@127.0.0.1:{port}/postgres"
        for arguments in (["migrate"], ["seed", "--products", str(PRODUCTS)]):
            environment = {**os.environ, "SHOP_DATABASE_URL": url}
            subprocess.run([SHOP, "-m", "shop", *arguments], check=True, env=environment, capture_output=True)
        yield url


@contextmanager
def shop(url: str, folder: Path, *, watched: bool) -> Iterator[Shop]:
    """The shop as users run it, writing its log to a file."""
    port, metrics_port, name = free_port(), free_port(), "watched" if watched else "unwatched"
    key = folder / "key"
    key.write_text("00" * 32)
    environment = {
        "SHOP_DATABASE_URL": url,
        "SHOP_USER_HASH_KEY_FILE": str(key),
        "SHOP_LOG_FILE": str(folder / f"{name}.jsonl"),
        "SHOP_INSTRUMENT": "1" if watched else "0",
    }
    command = [str(SHOP), "-m", "shop", "serve", "--port", str(port), "--metrics-port", str(metrics_port)]
    with running(command, environment, folder / f"{name}.log", end=signal.SIGTERM) as pid:
        wait_for(f"the {name} shop", port)
        yield Shop(port, metrics_port, pid)


def requests() -> list[bytes]:
    """What visitors of a calm day look at: lists, products, the best sellers."""
    chance = random.Random(1)
    paths = [f"/products?page={chance.randrange(1, 6)}" for _ in range(35)]
    paths += [f"/products/{chance.randrange(1, PRODUCTS + 1)}" for _ in range(48)]
    paths += ["/products/top"] * 17
    chance.shuffle(paths)
    head = "HTTP/1.1\r\nHost: shop\r\nX-User-Id: 7\r\nCookie: visitor=v1-7"
    return [f"GET {each} {head}\r\n\r\n".encode() for each in paths]


def load(target: Shop, seconds: float, *, scraped: bool) -> Block:
    """As many requests as it answers on a few connections; in the middle one scrape."""
    asked = itertools.cycle(requests())
    selector, buffers, count = selectors.DefaultSelector(), {}, 0
    with ExitStack() as stack:
        for _ in range(CONNECTIONS):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", target.port), 30))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(connection, selectors.EVENT_READ)
            buffers[connection] = b""
        began, cpu, ticks = time.perf_counter(), target.cpu(), machine_ticks()
        scrape_at = began + seconds / 2 if scraped else float("inf")
        for connection in buffers:
            connection.sendall(next(asked))
        while (now := time.perf_counter()) < began + seconds:
            if now >= scrape_at:
                scrape_at = float("inf")
                target.scrape()
            for key, _ in selector.select(1.0):
                connection = key.fileobj  # type: ignore[assignment]
                buffers[connection] += connection.recv(65536)
                if is_whole(buffers[connection]):
                    buffers[connection] = b""
                    count += 1
                    connection.sendall(next(asked))
        elapsed, cpu = time.perf_counter() - began, target.cpu() - cpu
    selector.close()
    stolen, every = (after - before for after, before in zip(machine_ticks(), ticks, strict=True))
    answered = max(1, count)  # a computer can be away for a whole block
    return Block(answered / elapsed, cpu * 1000 / answered, stolen / max(1, every))


def machine_ticks() -> tuple[int, int]:
    """Clock ticks that the host has taken away, and all, since the computer's start."""
    values = [int(each) for each in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return values[7], sum(values)


def is_whole(answer: bytes) -> bool:
    """Whether an answer is there to its end. Anything but a 200 ends the bench."""
    head, gap, body = answer.partition(b"\r\n\r\n")
    if not gap:
        return False
    if not head.startswith(b"HTTP/1.1 200"):
        sys.exit(f"the shop answered {head[:40]!r}")
    length = _LENGTH.search(head)
    return len(body) >= (int(length[1]) if length else 0)


def cost_of_a_scrape(target: Shop) -> tuple[float, int]:
    """CPU in ms, and bytes, of one scrape of an otherwise idle shop."""
    target.scrape()
    began, size = target.cpu(), 0
    for _ in range(SCRAPES):
        size = len(target.scrape())
    return (target.cpu() - began) * 1000 / SCRAPES, size


def main() -> None:
    """Measure and print. Ended early, it takes what it has started with it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        folder = Path(temporary)
        url = stack.enter_context(database(folder))
        pairs, scrapes = [], []
        for number in range(STARTS):
            with ExitStack() as both:
                order = (True, False) if number % 2 else (False, True)
                shops = {each: both.enter_context(shop(url, folder, watched=each)) for each in order}
                pairs += compare(shops[True], shops[False])
                scrapes.append(cost_of_a_scrape(shops[True]))
    report(pairs, *map(statistics.median, zip(*scrapes, strict=True)))


def compare(watched: Shop, unwatched: Shop) -> list[tuple[Block, Block]]:
    """Pairs of blocks, each shop first in every other one; undisturbed ones, if there are enough in good time."""
    for each in (watched, unwatched):
        load(each, WARM_UP_SECONDS, scraped=False)
    pairs: list[tuple[Block, Block]] = []
    for number in range(MOST_PAIRS):
        order = (watched, unwatched) if number % 2 else (unwatched, watched)
        scraped = number % SCRAPED_BLOCKS == 0
        blocks = {each: load(each, BLOCK_SECONDS, scraped=scraped and each is watched) for each in order}
        pairs.append((blocks[watched], blocks[unwatched]))
        if len(undisturbed(pairs)) == PAIRS:
            break
    return pairs


def undisturbed(pairs: list[tuple[Block, Block]]) -> list[tuple[Block, Block]]:
    """Those in which next to nothing was stolen from either block."""
    return [pair for pair in pairs if max(each.stolen for each in pair) <= MOST_STOLEN]


def report(pairs: list[tuple[Block, Block]], scrape_ms: float, scrape_bytes: float) -> None:
    """Medians over the pairs (watched, unwatched); ratios below 1 are what watching costs."""
    calm, every = undisturbed(pairs), len(pairs)
    pairs = calm if len(calm) >= PAIRS else pairs
    throughput = statistics.quantiles([ours.per_second / theirs.per_second for ours, theirs in pairs], n=4)
    cpu = statistics.quantiles([theirs.cpu_ms / ours.cpu_ms for ours, theirs in pairs], n=4)
    rates = [statistics.median(pair[i].per_second for pair in pairs) for i in (0, 1)]
    costs = [statistics.median(pair[i].cpu_ms for pair in pairs) for i in (0, 1)]
    print(f"requests/s: {rates[0]:.0f} watched, {rates[1]:.0f} unwatched; ratio {_spread(throughput)}")
    print(f"CPU per request: {costs[0]:.3f} ms watched, {costs[1]:.3f} ms unwatched; ratio {_spread(cpu)}")
    print(
        f"{len(pairs)} pairs of {BLOCK_SECONDS:g} s blocks; {every - len(calm)} of {every} were disturbed by the host"
    )
    print(f"one scrape: {scrape_ms:.2f} ms CPU, {scrape_bytes:.0f} bytes")
    figures = {
        "throughput_ratio": round(throughput[1], 4),
        "cpu_ratio": round(cpu[1], 4),
        "requests_per_s": round(rates[0]),
        "cpu_us_added_per_request": round((costs[0] - costs[1]) * 1000, 1),
        "scrape_ms": round(scrape_ms, 3),
        "scrape_bytes": round(scrape_bytes),
        "pairs": len(pairs),
        "disturbed": every - len(calm),
    }
    print(json.dumps(figures))


def _spread(quartiles: list[float]) -> str:
    return f"{quartiles[1]:.4f} (quartiles {quartiles[0]:.4f} to {quartiles[2]:.4f})"


if __name__ == "__main__":
    main()
