"""Killed with -9 at every boundary from "a tier is due" to "the mail is accepted": nothing lost, at most one repeat.

The boundaries are found from outside: every SQL statement of the child that writes and every commit (on SQLite as its
driver sees them), and, in the mail server, the moment before and after it answers 250. Each gets a child of its own
that is killed exactly there.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import Connection, event, text
from sqlalchemy.engine import Engine

from bongsu.adapters.smtp import Smtp
from bongsu.core.policy import Tier
from bongsu.engine import deliver
from bongsu.store import incidents, outbox, timeline
from bongsu.testing import BURST, World
from tests.support import free_port

BOTH = replace(BURST, tiers=(Tier(timedelta(minutes=5), ("on-call:shop", "team:commerce")), *BURST.tiers[1:]))
EXPECTED = {"jimin@example.com", "commerce@example.com"}


class Sink:
    """Takes mails, and kills a child before or after it answers 250."""

    def __init__(self) -> None:
        self.got: list[tuple[str, str]] = []
        self.victim = 0
        self.moment = ""

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        letter = message_from_bytes(envelope.content)
        if self.moment == "before 250" and self.victim:
            self._kill()
            return "250 nobody hears this"
        self.got += [(to, str(letter["Message-ID"])) for to in envelope.rcpt_tos]
        if self.moment == "after 250" and self.victim:
            await server.push("250 kept")
            self._kill()
        return "250 kept"

    def _kill(self) -> None:
        os.kill(self.victim, signal.SIGKILL)
        self.victim = 0


@pytest.fixture
def sink() -> Iterator[tuple[Sink, int]]:
    handler, port = Sink(), free_port()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    yield handler, port
    controller.stop()


def on_stage(url: str, folder: Path, port: int) -> World:
    """A world whose mail goes to the real sink."""
    world = World(url, folder, policy=BOTH)
    world.context = replace(world.context, notifier=Smtp("127.0.0.1", port, "bongsu@example.com", timeout=5))
    return world


def play(world: World, straight: bool = False) -> None:
    """The evening up to the first tier and one look more. ``straight``: mails are written as claimed, and handed on."""
    handed: list[outbox.Message] = []
    if straight:
        world.context.outgoing.open(handed.extend, lambda: True, lambda _: None)
    world.cpu(0.42)
    world.stop()
    world.advance(minutes=5, seconds=30)
    world.tick()
    for message in handed:
        deliver.deliver(world.context, message)
    assert bool(handed) is straight


def in_child(act: Callable[[], None]) -> int:
    """Run in a forked child; its exit status, negative for a signal."""
    pid = os.fork()
    if pid == 0:
        code = 0
        try:
            act()
        except BaseException:
            traceback.print_exc()
            code = 1
        finally:
            os._exit(code)
    return pid


def status_of(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def die_at(boundary: int) -> None:
    """In a child: be killed at the n-th commit or statement that writes from now on.

    Before a statement that only reads, nothing is different from after the one before it.
    """
    seen = Counter[str]()

    def count(statement: str) -> None:
        seen["all"] += not statement.startswith("SELECT")
        if seen["all"] > boundary:
            os.kill(os.getpid(), signal.SIGKILL)

    def asked(connection: Connection, _: object = None, statement: str = "COMMIT", *_more: object) -> None:
        if connection.dialect.name != "sqlite":
            count(statement)

    def watched(connection: Connection) -> None:
        driver = connection.connection.driver_connection
        if isinstance(driver, sqlite3.Connection):  # SQLAlchemy does not see every statement there
            driver.set_trace_callback(count)

    event.listen(Engine, "before_cursor_execute", asked)
    event.listen(Engine, "commit", asked)
    event.listen(Engine, "begin", watched)


def fresh(url: str) -> None:
    """Empty the tables, so that every child begins alike."""
    world = World(url, Path())
    tables = (
        "breaches",
        "incidents",
        "timeline",
        "outbox",
        "attempts",
        "alerts",
        "actions",
        "reports",
        "suspects",
        "outages",
        "heartbeats",
    )
    world.context.db.write(lambda tx: [tx.execute(text(f"DELETE FROM {table}")) for table in tables])
    world.close()


def restart_and_check(url: str, folder: Path, port: int, sink: Sink, where: str) -> None:
    """Bongsu comes back, its lease having run out: each recipient has the mail, at most twice, with one Message-ID."""
    world = on_stage(url, folder, port)
    world.cpu(0.42)
    world.stop()
    world.advance(minutes=5, seconds=30)
    world.context.db.write(outbox.release)
    world.tick()
    world.tick()
    incident = world.incident()
    sent = world.context.db.read(lambda tx: outbox.of(tx, incident.id))
    lines = world.context.db.read(lambda tx: timeline.of(tx, incident.id))
    assert len(world.context.db.read(incidents.search)) == 1, where
    assert {each.recipient.address for each in sent} == EXPECTED, where
    assert all(each.state == "accepted" for each in sent), where
    assert [line.what for line in lines].count("told") == 1, where
    received = Counter(sink.got)
    assert {to for to, _ in received} == EXPECTED, f"{where}: lost"
    assert len(received) == len(EXPECTED), f"{where}: another Message-ID"
    assert sum(received.values()) <= len(EXPECTED) + 1, f"{where}: {received}"
    world.context.notifier.close()  # type: ignore[attr-defined]
    world.close()


@pytest.mark.parametrize("straight", [False, True], ids=["claimed later", "claimed at birth"])
def test_killed_at_every_statement_and_commit(
    database_url: str, tmp_path: Path, sink: tuple[Sink, int], straight: bool
) -> None:
    server, port = sink
    fresh(database_url)
    boundary, survived = 0, False
    while not survived:

        def act(boundary: int = boundary) -> None:
            world = on_stage(database_url, tmp_path, port)
            die_at(boundary)
            play(world, straight)

        server.got.clear()
        status = status_of(in_child(act))
        assert status in (0, -signal.SIGKILL), f"boundary {boundary}: the child failed by itself ({status})"
        survived = status == 0
        restart_and_check(database_url, tmp_path, port, server, f"boundary {boundary}")
        fresh(database_url)
        boundary += 1
    assert boundary > 20, f"only {boundary} boundaries: the child did not do what it should"


@pytest.mark.parametrize("moment", ["before 250", "after 250"])
def test_killed_while_the_server_answers(
    database_url: str, tmp_path: Path, sink: tuple[Sink, int], moment: str
) -> None:
    server, port = sink
    fresh(database_url)
    server.moment = moment
    ready, go = os.pipe()

    def act() -> None:
        os.read(ready, 1)  # wait until the sink knows whom to kill
        play(on_stage(database_url, tmp_path, port))

    server.victim = pid = in_child(act)
    os.write(go, b"x")
    assert status_of(pid) == -signal.SIGKILL
    server.moment = ""
    restart_and_check(database_url, tmp_path, port, server, moment)
    os.close(ready)
    os.close(go)
