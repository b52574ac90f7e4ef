"""``python -m bench``: how fast Bongsu decides and delivers, beside the least that the same work can cost.

Delivery goes through the outbox (claim, render, send, write the answer) to a local SMTP server; the peer sends
ready-made messages to the same server over one connection. The last line is JSON.
"""

from __future__ import annotations

import json
import smtplib
import socket
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller

from bongsu.adapters.smtp import Smtp
from bongsu.core.escalation import Observed, begin, step
from bongsu.core.incident import Seen
from bongsu.core.schedule import Recipient
from bongsu.engine import deliver
from bongsu.store import outbox
from bongsu.testing import BURST, START, World

MAILS, STEPS, ROUNDS = 200, 20_000, 3


class Sink:
    """Takes everything."""

    async def handle_DATA(self, *_: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Accept."""
        return "250 kept"


def rate(count: int, work: Callable[[], object]) -> float:
    """Things a second."""
    began = time.perf_counter()
    work()
    return count / (time.perf_counter() - began)


def steps() -> None:
    """An observation that changes nothing, over and over."""
    seen = Seen(at=START, holding=True, elapsed=BURST.tiers[0].after, since=START, watched_at=START)
    incident, _ = begin("i", "shop", BURST, seen, START)
    for _ in range(STEPS):
        incident, _ = step(incident, Observed(seen), START)


def fill(world: World) -> None:
    """Messages that wait."""
    for number in range(MAILS):
        to = Recipient(f"person:p{number}", "Kim Jimin", f"p{number}@example.com", "ko")
        message = outbox.Message(
            0, f"<{time.perf_counter_ns()}.{number}@example.com>", f"i{number}", "tier", 1, 1, to,
            {"service": "shop", "elapsed_s": 300.0, "since": START.isoformat(), "cpu": 0.42},
            START, START, START, "pending", 0, 0,
        )  # fmt: skip
        world.context.db.write(lambda tx, each=message: outbox.put(tx, each))  # type: ignore[misc]


def through_the_outbox(world: World) -> None:
    """Claim and deliver until nothing waits."""
    while messages := deliver.claim(world.context, limit=16):
        for message in messages:
            assert deliver.deliver(world.context, message) == "accepted"


def plainly(port: int, body: bytes) -> None:
    """The peer: ready-made mails over one connection."""
    with smtplib.SMTP("127.0.0.1", port) as connection:
        for number in range(MAILS):
            connection.sendmail("bongsu@example.com", [f"p{number}@example.com"], body)


def main() -> None:
    """Measure and print."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    controller = Controller(Sink(), hostname="127.0.0.1", port=port)
    controller.start()
    ours, theirs, decided = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        world = World(f"sqlite:///{folder}/bench.db", Path(folder))
        mailer = Smtp("127.0.0.1", port, "bongsu@example.com")
        world.context = replace(world.context, notifier=mailer)
        for _ in range(ROUNDS):
            fill(world)
            ours.append(rate(MAILS, lambda: through_the_outbox(world)))
            theirs.append(rate(MAILS, lambda: plainly(port, b"Subject: x\r\n\r\n" + (b"x" * 78 + b"\r\n") * 100)))
            decided.append(rate(STEPS, steps))
        mailer.close()
        world.close()
    controller.stop()
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    mails, peer = statistics.median(ours), statistics.median(theirs)
    print(f"deliveries through the outbox: {mails:.0f}/s (plain smtplib: {peer:.0f}/s)")
    print(f"escalation decisions: {statistics.median(decided):.0f}/s")
    print(json.dumps({"delivery_ratio": round(ratio, 3), "deliveries_per_s": round(mails)}))


if __name__ == "__main__":
    main()
