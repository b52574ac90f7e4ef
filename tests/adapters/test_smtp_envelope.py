"""Envelopes that are opened before it is certain that there will be a mail, against a real SMTP server."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from aiosmtpd.controller import Controller

from bongsu.adapters import smtp as adapter
from bongsu.adapters.smtp import Smtp
from bongsu.ports import Envelope, Letter, Reason, Rejected, Retryable
from tests.adapters.test_smtp import LETTER, Handler
from tests.support import free_port, wait_for

TO = "jimin@example.com"


@pytest.fixture
def relay() -> Iterator[tuple[Handler, Smtp]]:
    """A server with PIPELINING, and a mailer with one connection that has carried a letter."""
    handler, port = Handler(pipelining=True), free_port()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    smtp = Smtp("127.0.0.1", port, "bongsu@example.com", timeout=2, total=4, connections=1)
    smtp.send(LETTER)
    handler.got.clear()
    yield handler, smtp
    smtp.close()
    controller.stop()


def opened(smtp: Smtp) -> Envelope:
    envelope = smtp.open(TO)
    assert envelope is not None
    return envelope


def test_a_mail_is_put_in_and_answered(relay: tuple[Handler, Smtp]) -> None:
    handler, smtp = relay
    for body in (LETTER.body, b"Subject: x\r\n\r\n.\r\n.QUIT\r\nend."):
        envelope = opened(smtp)
        assert envelope.accepted()
        assert not handler.got or handler.got[-1][1] == LETTER.body, "nothing is in it yet"
        envelope.post(body)
        assert envelope.answer() == "250 kept"
        assert handler.got[-1] == ([TO], body if body.endswith(b"\r\n") else body + b"\r\n")
    assert len(handler.sessions) == 1


def test_it_is_told_whether_the_answers_have_come_and_nobody_waits_for_that() -> None:
    """A relay that answers MAIL at once, RCPT in two lines later, DATA after that."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        goes_on = threading.Semaphore(0)
        threading.Thread(target=_hesitant, args=(door, goes_on), daemon=True).start()
        smtp = Smtp("127.0.0.1", door.getsockname()[1], "bongsu@example.com", timeout=5, total=10)
        goes_on.release(3)
        assert smtp.send(LETTER) == "250 taken"
        envelope = opened(smtp)
        assert not envelope.heard()
        goes_on.release(2)
        assert not envelope.heard()
        goes_on.release()
        wait_for("the answers", envelope.heard)
        assert envelope.accepted()
        envelope.post(LETTER.body)
        assert envelope.answer() == "250 taken"
        smtp.close()


def _hesitant(door: socket.socket, goes_on: threading.Semaphore) -> None:
    """Waits for leave before each line of its answers to an envelope."""
    line, _ = door.accept()
    answers = {b"mail": [b"250 ok"], b"rcpt": [b"250-well", b"250 ok"], b"data": [b"354 go on"]}
    with line, line.makefile("rwb") as talk:
        talk.write(b"220 hello\r\n")
        talk.flush()
        for command in talk:
            word = command[:4].lower()
            if word not in answers:
                talk.write(b"250-here\r\n250 PIPELINING\r\n")
                talk.flush()
                continue
            assert goes_on.acquire(timeout=20)
            for each in answers[word]:
                talk.write(each + b"\r\n")
                talk.flush()
            if word == b"data":
                while talk.readline() != b".\r\n":
                    pass
                talk.write(b"250 taken\r\n")
                talk.flush()


def test_what_is_thrown_away_is_nobodys_mail_and_its_connection_is_made_anew(relay: tuple[Handler, Smtp]) -> None:
    handler, smtp = relay
    for asked in (False, True):
        envelope = opened(smtp)
        assert not asked or envelope.accepted()
        envelope.discard()
        assert smtp.send(LETTER) == "250 kept"
    assert len(handler.got) == 2
    assert len(handler.sessions) == 3


def test_a_recipient_that_is_refused_is_heard_of_again_the_ordinary_way(relay: tuple[Handler, Smtp]) -> None:
    handler, smtp = relay
    handler.rcpt = "550 5.1.1 no such mailbox"
    assert not opened(smtp).accepted()
    with pytest.raises(Rejected, match="no such mailbox"):
        smtp.send(LETTER)
    handler.rcpt = ""
    assert smtp.send(LETTER) == "250 kept"
    assert len(handler.sessions) == 1, "the connection is still good"


@pytest.mark.parametrize(("said", "error"), [("554 spam", Rejected), ("451 later", Retryable)])
def test_a_refusal_of_the_mail_is_a_failure(
    relay: tuple[Handler, Smtp], said: str, error: type[Rejected | Retryable]
) -> None:
    handler, smtp = relay
    envelope = opened(smtp)
    assert envelope.accepted()
    handler.data = said
    envelope.post(LETTER.body)
    with pytest.raises(error, match=said):
        envelope.answer()


def test_none_is_opened_where_none_rests_or_the_relay_wants_one_step_after_the_other(
    relay: tuple[Handler, Smtp],
) -> None:
    _, smtp = relay
    first = opened(smtp)
    assert smtp.open(TO) is None, "the only connection is in use"
    first.discard()
    assert smtp.open(TO) is None, "none is opened for it"
    handler, port = Handler(pipelining=False), free_port()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    plain = Smtp("127.0.0.1", port, "bongsu@example.com")
    plain.send(LETTER)
    assert plain.open(TO) is None
    plain.close()
    controller.stop()


def test_a_relay_that_takes_long_over_an_envelope_is_asked_for_none_for_a_while(
    relay: tuple[Handler, Smtp], monkeypatch: pytest.MonkeyPatch
) -> None:
    handler, smtp = relay
    monkeypatch.setattr(adapter, "AHEAD_AT_MOST", 0.0)
    assert not opened(smtp).accepted()
    monkeypatch.undo()
    assert smtp.send(LETTER) == "250 kept"
    assert smtp.open(TO) is None
    assert len(handler.got) == 1


def _deaf(door: socket.socket, hears: threading.Event, goes: threading.Event) -> None:
    """Takes one letter, waits for DATA once more, then reads nothing until ``goes``, and hangs up or says yes."""
    line, _ = door.accept()
    with line, line.makefile("rwb") as talk:
        talk.write(b"220 hello\r\n")
        talk.flush()
        letters = 0
        for command in talk:
            word = command[:4].lower()
            greeting = b"250-here\r\n250 PIPELINING\r\n"
            talk.write({b"ehlo": greeting, b"data": b"354 go on\r\n"}.get(word, b"250 ok\r\n"))
            talk.flush()
            if word != b"data":
                continue
            letters += 1
            if letters == 2:
                hears.set()
                goes.wait(20)
            for each in talk:
                if each == b".\r\n":
                    break
            talk.write(b"250 taken\r\n")
            talk.flush()


@contextmanager
def deaf(timeout: float) -> Iterator[tuple[Smtp, Envelope, threading.Event]]:
    """An envelope that is open to a server that reads nothing more until the event is set."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        hears, goes = threading.Event(), threading.Event()
        threading.Thread(target=_deaf, args=(door, hears, goes), daemon=True).start()
        smtp = Smtp("127.0.0.1", door.getsockname()[1], "bongsu@example.com", timeout=timeout, total=2 * timeout)
        smtp.send(LETTER)
        envelope = opened(smtp)
        assert envelope.accepted()
        assert hears.wait(10)
        yield smtp, envelope, goes
        goes.set()
        smtp.close()


def test_a_mail_too_large_for_the_line_is_posted_without_waiting_and_the_rest_follows() -> None:
    with deaf(timeout=10) as (smtp, envelope, goes):
        began = time.monotonic()
        envelope.post(b"Subject: x\r\n\r\n" + 400_000 * b"a line of a long mail, and no end of it\r\n")
        assert time.monotonic() - began < 2, "nobody reads it, and nobody waits for that"
        goes.set()
        assert envelope.answer() == "250 taken"
        assert smtp.send(Letter(TO, LETTER.body)) == "250 taken"


def test_a_server_that_says_nothing_to_a_mail_meets_a_time_out() -> None:
    with deaf(timeout=0.5) as (_, envelope, _):
        envelope.post(LETTER.body)
        with pytest.raises(Retryable) as failed:
            envelope.answer()
        assert failed.value.reason is Reason.TIMEOUT
