"""The mail adapter against a real SMTP server, and against the ways in which one fails."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from bongsu.adapters.smtp import Smtp
from bongsu.ports import Letter, Reason, Rejected, Retryable
from tests.support import free_port

LETTER = Letter("jimin@example.com", b"Subject: x\r\n\r\nhello\r\n")


class Handler:
    """Keeps letters; refuses as told."""

    def __init__(self) -> None:
        self.got: list[tuple[list[str], bytes]] = []
        self.sessions: set[int] = set()
        self.rcpt = ""
        self.data = ""

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        if self.rcpt:
            return self.rcpt
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.sessions.add(id(session))
        if self.data:
            return self.data
        self.got.append((envelope.rcpt_tos, envelope.content))
        return "250 kept"


@pytest.fixture
def server() -> Iterator[tuple[Handler, int]]:
    handler = Handler()
    port = free_port()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    yield handler, port
    controller.stop()


_mailers: list[Smtp] = []


def mailer(port: int, timeout: float = 5.0) -> Smtp:
    _mailers.append(Smtp("127.0.0.1", port, "bongsu@example.com", timeout=timeout))
    return _mailers[-1]


@pytest.fixture(autouse=True)
def _hang_up() -> Iterator[None]:
    yield
    while _mailers:
        _mailers.pop().close()


def test_a_letter_arrives_and_the_servers_answer_is_returned(server: tuple[Handler, int]) -> None:
    handler, port = server
    assert mailer(port).send(LETTER) == "250 kept"
    assert handler.got[0][0] == ["jimin@example.com"]
    assert handler.got[0][1].startswith(b"Subject: x")


def test_one_connection_serves_many_letters(server: tuple[Handler, int]) -> None:
    handler, port = server
    smtp = mailer(port)
    for _ in range(5):
        smtp.send(LETTER)
    assert len(handler.got) == 5
    assert len(handler.sessions) == 1


@pytest.mark.parametrize(("code", "error"), [("450 later", Retryable), ("550 nobody here", Rejected)])
def test_a_refused_recipient(server: tuple[Handler, int], code: str, error: type[Retryable | Rejected]) -> None:
    handler, port = server
    handler.rcpt = code
    smtp = mailer(port)
    with pytest.raises(error) as caught:
        smtp.send(LETTER)
    assert str(caught.value) == code
    handler.rcpt = ""
    assert smtp.send(LETTER) == "250 kept"


@pytest.mark.parametrize(("code", "error"), [("451 later", Retryable), ("554 no", Rejected)])
def test_a_refusal_at_the_end_of_data_is_a_failure(
    server: tuple[Handler, int], code: str, error: type[Retryable | Rejected]
) -> None:
    handler, port = server
    handler.data = code
    smtp = mailer(port)
    with pytest.raises(error):
        smtp.send(LETTER)
    assert handler.got == []
    handler.data = ""
    assert smtp.send(LETTER) == "250 kept"


def test_a_silent_server_meets_a_time_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as quiet, pytest.raises(Retryable) as caught:
        mailer(quiet.getsockname()[1], timeout=0.3).send(LETTER)
    assert caught.value.reason is Reason.TIMEOUT


def test_nobody_listening_is_said_plainly() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(Retryable) as caught:
        mailer(port).send(LETTER)
    assert caught.value.reason is Reason.UNREACHABLE
    assert str(port) in caught.value.answer


def test_a_connection_that_breaks_after_data_is_not_accepted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        threading.Thread(target=_hang_up_after_data, args=(door,), daemon=True).start()
        with pytest.raises(Retryable):
            mailer(door.getsockname()[1]).send(LETTER)


def _hang_up_after_data(door: socket.socket) -> None:
    line, _ = door.accept()
    with line, line.makefile("rwb") as talk:
        talk.write(b"220 hello\r\n")
        talk.flush()
        for command in talk:
            word = command[:4].upper()
            if word == b"DATA":
                talk.write(b"354 go on\r\n")
                talk.flush()
                while talk.readline() not in (b".\r\n", b""):
                    pass
                return
            talk.write(b"250 ok\r\n")
            talk.flush()
