"""The senders with real threads, a real database and a real mail server that misbehaves."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from bongsu.adapters.clock import SystemClock
from bongsu.adapters.smtp import Smtp
from bongsu.core.schedule import Recipient
from bongsu.engine.postman import AT_REST, EVERY, Postman
from bongsu.store import outages, outbox
from bongsu.testing import World
from tests.support import free_port, wait_for


class Sink:
    """A mail server that keeps what it takes and treats some addresses badly."""

    def __init__(self, port: int, *, pipelining: bool) -> None:
        self.port, self.pipelining = port, pipelining
        self.got: list[tuple[str, str]] = []
        self.at_rcpt: set[str] = set()
        self.at_data: dict[str, str] = {}
        self.silent: set[str] = set()
        self.under_way: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.before_data: Any = lambda address: None
        self._controller: Controller | None = None

    def open(self) -> None:
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    def close(self) -> None:
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    async def handle_EHLO(self, server: Any, session: Any, envelope: Any, name: str, told: list[str]) -> list[str]:  # noqa: N802
        session.host_name = name
        return [*told[:-1], *(["250-PIPELINING"] if self.pipelining else []), told[-1]]

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        if address in self.at_rcpt:
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        (address,) = envelope.rcpt_tos
        self.under_way[address] += 1
        self.most[address] = max(self.most[address], self.under_way[address])
        await asyncio.get_running_loop().run_in_executor(None, self.before_data, address)
        self.under_way[address] -= 1
        if address in self.silent:
            self.silent.discard(address)
            await asyncio.sleep(3)
            return "451 too late"
        if address in self.at_data:
            return self.at_data[address]
        head = envelope.content.split(b"\r\n\r\n")[0].decode()
        self.got.append((address, next(line for line in head.splitlines() if line.startswith("Message-ID"))))
        return "250 kept"


class Stage:
    """A postman at work."""

    def __init__(self, world: World, sink: Sink) -> None:
        smtp = Smtp("127.0.0.1", sink.port, "bongsu@example.com", timeout=1, total=2, connections=4)
        self.context = replace(world.context, wall=SystemClock(), notifier=smtp, senders=4)
        self.world, self.smtp, self.sink = world, smtp, sink
        self._numbers = 0
        self.postman = Postman(self.context)
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._loop), threading.Thread(target=self.postman.write)]

    def start(self) -> None:
        for each in self._threads:
            each.start()

    def _loop(self) -> None:
        while not self._ended.is_set():
            self.context.mail_due.clear()
            self.postman.round()
            self.context.mail_due.wait(0.2)

    def stop(self) -> None:
        self._ended.set()
        self.context.mail_due.set()
        self._threads[0].join()
        self.postman.stop()
        self._threads[1].join()
        self.postman.give_back()
        self.smtp.close()

    def put(self, *addresses: str) -> None:
        now = self.context.wall.now()
        messages = []
        for address in addresses:
            self._numbers += 1
            to = Recipient("person:jimin", address.partition("@")[0], address, "en")
            messages.append(outbox.fresh(f"<{self._numbers}@example.com>", "test", to, {"by": "a test"}, now, now))
        self.context.db.write(lambda tx: outbox.put(tx, *messages))
        self.context.mail_due.set()

    def states(self) -> Counter[str]:
        return Counter(self.context.db.read(outbox.counts))

    def messages(self) -> list[outbox.Message]:
        return self.context.db.read(lambda tx: outbox.search(tx, limit=1000))


@pytest.fixture(params=[False, True], ids=["step-by-step", "pipelining"])
def stage(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Iterator[Stage]:
    world, sink = World(database_url, tmp_path), Sink(free_port(), pipelining=request.param)
    made = Stage(world, sink)
    sink.open()
    made.start()
    yield made
    made.stop()
    sink.close()
    world.close()


def test_a_postman_with_nothing_to_do_looks_rarely_and_is_there_when_something_is_due(
    database_url: str, tmp_path: Path
) -> None:
    world = World(database_url, tmp_path)
    postman, now = Postman(world.context), world.clock.now()
    to, moment = Recipient("person:jimin", "Kim Jimin", "jimin@example.com", "en"), timedelta(seconds=1)
    postman.round()
    assert postman.rest == AT_REST
    for number, wait in enumerate((60 * moment, 3 * moment, 0.1 * moment)):
        message = outbox.fresh(f"<{number}@example.com>", "test", to, {}, now, now + wait)
        world.context.db.write(lambda tx, message=message: outbox.put(tx, message))  # type: ignore[misc]
        postman.round()
        assert postman.rest == min(AT_REST, max(EVERY, wait))
    world.context.relay.outage = outages.Outage(1, now, "nobody there", None, None)
    postman.round()
    assert postman.rest == EVERY, "a relay that is away is asked each second"
    postman.stop()
    world.close()


def test_one_bad_address_stops_nobody_else(stage: Stage) -> None:
    stage.sink.at_rcpt = {"p3@example.com"}
    stage.sink.at_data = {"p7@example.com": "554 5.7.1 looks like spam"}
    stage.put(*(f"p{n}@example.com" for n in range(10)))
    wait_for("ten results", lambda: stage.states()["pending"] == 0)
    assert stage.states() == {"accepted": 8, "refused": 2}
    told = {each.recipient.name: each.answer for each in stage.messages() if each.state == "refused"}
    assert told == {"p3": "550 5.1.1 no such mailbox", "p7": "554 5.7.1 looks like spam"}
    assert all(each.attempts == 1 for each in stage.messages())


def test_an_address_gets_one_mail_at_a_time_and_its_result_is_on_disk_before_the_next(stage: Stage) -> None:
    wrong: list[str] = []

    def look(address: str) -> None:
        mine = [each for each in stage.messages() if each.recipient.address == address]
        accepted = sum(each.state == "accepted" for each in mine)
        if accepted != sum(to == address for to, _ in stage.sink.got):
            wrong.append(f"{address}: {accepted} on disk")

    stage.sink.before_data = look
    stage.put(*(f"p{n % 3}@example.com" for n in range(24)))
    wait_for("all of them", lambda: stage.states()["accepted"] == 24)
    assert wrong == []
    assert set(stage.sink.most.values()) == {1}
    for n in range(3):
        ids = [int(name.split("<")[1].split("@")[0]) for to, name in stage.sink.got if to == f"p{n}@example.com"]
        assert ids == sorted(ids), "in the order written"


def test_a_server_that_falls_silent_at_one_mail_delays_no_other(stage: Stage) -> None:
    stage.sink.silent = {"slow@example.com"}
    stage.put("slow@example.com")
    wait_for("the slow one to be under way", lambda: stage.sink.most["slow@example.com"])
    began = time.monotonic()
    stage.put(*(f"p{n}@example.com" for n in range(10)))
    wait_for("the others", lambda: stage.states()["accepted"] == 10)
    assert time.monotonic() - began < 1
    wait_for("the slow one", lambda: stage.states()["accepted"] == 11)
    (slow,) = [each for each in stage.messages() if each.recipient.name == "slow"]
    tries = stage.context.db.read(lambda tx: outbox.attempts_of(tx, [slow.id]))[slow.id]
    assert [each.outcome for each in tries] == ["retry:timeout", "accepted"]


def test_a_refusal_for_now_is_retried_and_seen(stage: Stage) -> None:
    stage.sink.at_data = {"p1@example.com": "451 4.3.0 try again"}
    stage.put("p1@example.com")
    wait_for("a first refusal", lambda: stage.messages()[0].attempts)
    assert stage.messages()[0].answer == "451 4.3.0 try again"
    stage.sink.at_data = {}
    wait_for("its acceptance", lambda: stage.states()["accepted"] == 1)
    assert not stage.context.relay.down, "one message put off is no outage"


def test_everything_goes_out_once_when_the_relay_is_back(stage: Stage) -> None:
    stage.put("first@example.com")
    wait_for("a mail", lambda: stage.states()["accepted"] == 1)
    stage.sink.close()
    stage.put(*(f"p{n % 20}@example.com" for n in range(60)))
    wait_for("the outage to be noticed", lambda: stage.context.relay.down)
    wait_for("everything to be given back", lambda: not stage.postman._held)
    stage.sink.open()
    back = time.monotonic()
    wait_for("all of them", lambda: stage.states()["accepted"] == 61)
    assert time.monotonic() - back < 2
    assert len(stage.sink.got) == len(set(stage.sink.got)) == 61
    assert stage.context.db.read(outages.running) is None


def test_what_was_written_as_claimed_is_handed_over_and_claimed_by_nobody_else(stage: Stage) -> None:
    now = stage.context.wall.now()
    to = Recipient("person:jimin", "Jimin", "jimin@example.com", "en")
    message = outbox.fresh("<born@example.com>", "test", to, {}, now, now)
    assert stage.context.outgoing.wants
    (claimed,) = stage.context.db.write(lambda tx: outbox.put_claimed(tx, [message]))
    assert not stage.context.db.read(lambda tx: outbox.is_due(tx, now))
    stage.context.outgoing.hand([claimed])
    wait_for("it", lambda: stage.states()["accepted"] == 1)


def test_a_postman_that_is_stopped_in_a_storm_leaves_the_rest_to_the_next_and_doubles_nothing(stage: Stage) -> None:
    stage.put(*(f"p{n % 3}@example.com" for n in range(300)))
    sink, now = stage.sink, stage
    for enough in (15, 60, 120):
        wait_for("some of them", lambda enough=enough: len(sink.got) >= enough)  # type: ignore[misc]
        now.stop()
        assert now.states()["pending"] > 0
        now = Stage(stage.world, sink)
        now.start()
    wait_for("all of them", lambda: stage.states()["accepted"] == 300)
    now.stop()
    assert len(sink.got) == len(set(sink.got)) == 300
