"""Envelopes opened before the commit, with real transactions and a real mail server: no mail goes out early."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller

from bongsu.adapters.clock import SystemClock
from bongsu.adapters.smtp import Smtp
from bongsu.core.schedule import Recipient
from bongsu.engine import ahead, deliver
from bongsu.engine.context import Context
from bongsu.engine.postman import Postman
from bongsu.ports import Envelope
from bongsu.store import outbox
from bongsu.store.database import Transaction, after_commit
from bongsu.store.outbox import Message
from bongsu.testing import World
from tests.adapters.test_smtp import LETTER, Handler
from tests.support import free_port, wait_for


class Stage:
    """A postman over a relay with PIPELINING, on which a connection rests."""

    def __init__(self, world: World, handler: Handler, port: int) -> None:
        self.handler = handler
        self.smtp = Smtp("127.0.0.1", port, "bongsu@example.com", timeout=2, total=4, connections=2)
        self.context: Context = replace(world.context, wall=SystemClock(), notifier=self.smtp, senders=2)
        self.postman = Postman(self.context)
        self._writer = threading.Thread(target=self.postman.write)
        self._writer.start()
        self.smtp.send(LETTER)
        handler.got.clear()

    def message(self, number: int) -> Message:
        now = self.context.wall.now()
        to = Recipient("person:jimin", "Kim Jimin", "jimin@example.com", "en")
        return outbox.fresh(f"<{number}@example.com>", "test", to, {"by": "a test"}, now, now)

    def put(self, *numbers: int, fails: bool = False, begun: bool = True) -> None:
        """As the engine does it: written as claimed, begun with, handed over once it is committed."""

        def job(tx: Transaction) -> None:
            claimed = outbox.put_claimed(tx, [self.message(number) for number in numbers])
            self.context.outgoing.prepare(claimed)
            after_commit(tx, lambda: self.context.outgoing.hand(claimed))
            if begun:
                wait_for("the envelope", lambda: self.ready(numbers[0]))
            assert self.handler.got == [], "nothing leaves the house before it is committed"
            if fails:
                raise OSError("no space left on device")

        self.context.db.write(job)

    def ready(self, number: int) -> bool:
        under_way = self.postman._ahead._under_way.get(f"<{number}@example.com>")
        return under_way is not None and under_way.ready.envelope is not None and under_way.ready.envelope.heard()

    def envelope_of(self, message: Message) -> Envelope | None:
        """The envelope that is opened for a message."""
        return self.postman._ahead._under_way[message.message_id].ready.envelope

    def ids(self) -> list[bytes]:
        lines = [line for _, body in self.handler.got for line in body.splitlines()]
        return [line.partition(b": ")[2] for line in lines if line.startswith(b"Message-ID")]

    def stop(self) -> None:
        self.postman.stop()
        self._writer.join()
        self.smtp.close()


@pytest.fixture
def stage(database_url: str, tmp_path: Path) -> Iterator[Stage]:
    world, handler, port = World(database_url, tmp_path), Handler(pipelining=True), free_port()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    made = Stage(world, handler, port)
    yield made
    made.stop()
    controller.stop()
    world.close()


def accepted(stage: Stage) -> int:
    return stage.context.db.read(outbox.counts).get("accepted", 0)


def test_a_mail_goes_into_its_open_envelope_once_it_is_on_disk(stage: Stage) -> None:
    stage.put(1)
    wait_for("its acceptance", lambda: accepted(stage) == 1)
    assert stage.ids() == [b"<1@example.com>"]
    assert stage.handler.said.count("MAIL") == 2, "the first letter's, and this one's: it was asked once"
    assert len(stage.handler.sessions) == 1


def test_what_never_comes_to_disk_is_never_sent_and_takes_no_connection_for_long(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):  # there are two connections: what is not given back would be missed
        with pytest.raises(OSError, match="no space left"):
            stage.put(number, fails=True)
        monkeypatch.setattr(ahead, "FORGOTTEN", timedelta(0))
        stage.postman.round()
        monkeypatch.undo()
        assert not stage.postman._ahead._under_way
        assert stage.smtp.send(LETTER) == "250 kept"
        stage.handler.got.clear()
    stage.put(7)
    wait_for("its acceptance", lambda: accepted(stage) == 1)
    assert stage.ids() == [b"<7@example.com>"]


def test_a_row_that_takes_the_number_of_one_that_never_was_has_its_own_words(stage: Stage) -> None:
    """A transaction that fails gives its numbers back."""
    with pytest.raises(OSError, match="no space left"):
        stage.put(1, fails=True)
    stage.put(2, begun=False)  # the only connection that rested is still the other's
    wait_for("its acceptance", lambda: accepted(stage) == 1)
    assert stage.ids() == [b"<2@example.com>"]


def test_an_envelope_that_was_open_for_too_long_is_not_used(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    (claimed,) = stage.context.db.write(lambda tx: outbox.put_claimed(tx, [stage.message(1)]))
    stage.context.outgoing.prepare([claimed])
    wait_for("the envelope", lambda: stage.ready(1))
    monkeypatch.setattr(ahead, "FORGOTTEN", timedelta(0))
    ready = stage.postman._ahead.take(claimed)
    assert ready is not None
    assert ready.envelope is None, "it is thrown away"
    assert ready.body is not None
    assert b"<1@example.com>" in ready.body


def test_nothing_is_begun_for_more_than_there_are_senders_or_connections_that_rest(stage: Stage) -> None:
    messages = [stage.message(n) for n in range(3)]
    stage.context.outgoing.prepare(messages)
    assert not stage.postman._ahead._under_way, "three are too many for two senders"
    stage.context.outgoing.prepare(messages[:2])
    assert set(stage.postman._ahead._under_way) == {"<0@example.com>"}, "one connection rests"


def test_a_transaction_that_is_run_once_more_costs_one_envelope(stage: Stage) -> None:
    with pytest.raises(OSError, match="no space left"):
        stage.put(1, fails=True)
    stage.put(1, begun=False)
    wait_for("its acceptance", lambda: accepted(stage) == 1)
    assert stage.ids() == [b"<1@example.com>"]


def test_a_mail_without_words_is_sent_the_ordinary_way(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Message] = []

    def compose(context: Context, message: Message) -> bytes:
        asked.append(message)
        if len(asked) == 1:
            raise KeyError("a word")
        return words(context, message)

    words = deliver.compose
    monkeypatch.setattr(deliver, "compose", compose)
    stage.put(1)
    wait_for("its acceptance", lambda: accepted(stage) == 1)
    assert stage.ids() == [b"<1@example.com>"]
    assert len(asked) == 2


def test_what_is_posted_is_not_thrown_away_before_it_is_answered(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    (claimed,) = stage.context.db.write(lambda tx: outbox.put_claimed(tx, [stage.message(1)]))
    stage.context.outgoing.prepare([claimed])
    wait_for("the envelope", lambda: stage.ready(1))
    stage.postman._ahead.post(claimed)
    monkeypatch.setattr(ahead, "FORGOTTEN", timedelta(0))
    stage.postman._ahead.tidy(everything=True)
    ready = stage.postman._ahead.take(claimed)
    assert ready is not None
    assert ready.envelope is not None
    assert ready.envelope.answer() == "250 kept"
    assert stage.ids() == [b"<1@example.com>"]


def test_while_the_result_of_a_mail_goes_to_disk_the_next_to_its_address_is_announced(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[tuple[int, int]] = []

    def follow(self: ahead.Ahead, message: Message, body: bytes | None) -> None:
        really(self, message, body)
        if stage.envelope_of(message) is not None:
            opened.append((len(stage.ids()), accepted(stage)))

    really = ahead.Ahead.follow
    monkeypatch.setattr(ahead.Ahead, "follow", follow)
    composed = Counter[str]()
    words = deliver.compose

    def compose(context: Context, message: Message) -> bytes:
        composed[message.message_id] += 1
        return words(context, message)

    monkeypatch.setattr(deliver, "compose", compose)
    stage.put(*range(1, 6), begun=False)
    wait_for("their acceptance", lambda: accepted(stage) == 5)
    assert stage.ids() == [b"<%d@example.com>" % number for number in range(1, 6)]
    assert opened == [(number, number - 1) for number in range(1, 5)], "open before the result is kept"
    assert stage.handler.said.count("MAIL") == 1 + 5
    assert len(stage.handler.sessions) == 1
    assert set(composed.values()) == {1}, "words are found once"


def test_a_mail_that_is_begun_with_already_gets_no_second_envelope(stage: Stage) -> None:
    first = stage.smtp.open("jimin@example.com")
    assert first is not None
    stage.smtp.send(LETTER)  # over a second connection
    assert first.accepted()
    first.post(LETTER.body)
    assert first.answer() == "250 kept"
    stage.handler.got.clear()
    stage.put(1, 2)
    wait_for("their acceptance", lambda: accepted(stage) == 2)
    assert stage.ids() == [b"<1@example.com>", b"<2@example.com>"]
    assert not stage.postman._ahead._under_way
    assert len(stage.smtp._all) == len(stage.smtp._resting), "no connection is held for nothing"


def test_half_of_the_connections_are_left_to_others(stage: Stage) -> None:
    mails = [stage.message(number) for number in (1, 2)]
    stage.postman._ahead.follow(mails[0], None)
    stage.postman._ahead.follow(mails[1], b"a mail")
    assert stage.envelope_of(mails[0]) is not None
    assert stage.envelope_of(mails[1]) is None
    second = stage.postman._ahead.take(mails[1])
    assert second is not None
    assert (second.body, second.envelope) == (b"a mail", None), "its words are found all the same"
    stage.postman._ahead.tidy(everything=True)
