"""The mail adapter against a real SMTP server, and against the ways in which one fails."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from bongsu.adapters.smtp import Smtp
from bongsu.ports import Down, Letter, Reason, Rejected, Retryable
from tests.support import free_port

LETTER = Letter("jimin@example.com", b"Subject: x\r\n\r\nhello\r\n")


class Handler:
    """Keeps letters; refuses as told."""

    def __init__(self, *, pipelining: bool) -> None:
        self.pipelining = pipelining
        self.got: list[tuple[list[str], bytes]] = []
        self.sessions: set[int] = set()
        self.rcpt = ""
        self.data = ""
        self.sender = ""
        self.said: list[str] = []

    async def handle_EHLO(self, server: Any, session: Any, envelope: Any, name: str, told: list[str]) -> list[str]:  # noqa: N802
        session.host_name = name
        return [*told[:-1], *(["250-PIPELINING"] if self.pipelining else []), told[-1]]

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        self.said.append("MAIL")
        if self.sender:
            return self.sender
        envelope.mail_from = address
        return "250 OK"

    async def handle_NOOP(self, server: Any, session: Any, envelope: Any, arg: str) -> str:  # noqa: N802
        self.said.append("NOOP")
        return "250 OK"

    async def handle_RSET(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.said.append("RSET")
        return "250 OK"

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


@pytest.fixture(params=[False, True], ids=["step-by-step", "pipelining"])
def server(request: pytest.FixtureRequest) -> Iterator[tuple[Handler, int]]:
    handler = Handler(pipelining=request.param)
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


def test_a_line_that_begins_with_a_dot_arrives_as_it_was(server: tuple[Handler, int]) -> None:
    handler, port = server
    body = b"Subject: x\r\n\r\n.\r\n..two\r\n.QUIT\r\nend."
    smtp = mailer(port)
    assert smtp.send(Letter("jimin@example.com", body)) == "250 kept"
    assert smtp.send(LETTER) == "250 kept"
    assert [kept for _, kept in handler.got] == [body + b"\r\n", LETTER.body]


@pytest.mark.parametrize("at", ["mail", "rcpt"])
def test_a_server_that_waits_for_a_mail_it_has_refused_gets_none(at: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        got: list[bytes] = []
        threading.Thread(target=_refuse_and_go_on, args=(door, at.encode(), got), daemon=True).start()
        smtp = mailer(door.getsockname()[1])
        with pytest.raises(Down if at == "mail" else Rejected, match="550 no"):
            smtp.send(LETTER)
        assert smtp.send(LETTER) == "250 ok"
    assert got == [b"", b"Subject: x\r\n\r\nhello\r\n"]


def _refuse_and_go_on(door: socket.socket, at: bytes, got: list[bytes]) -> None:
    """Refuses one command once, and says 354 to DATA all the same."""
    line, _ = door.accept()
    with line, line.makefile("rwb") as talk:
        talk.write(b"220 hello\r\n")
        talk.flush()
        for command in talk:
            word = command[:4].lower()
            refused = word == at and not got
            talk.write(
                {b"ehlo": b"250-here\r\n250 PIPELINING\r\n", b"data": b"354 go on\r\n"}.get(
                    word, b"550 no\r\n" if refused else b"250 ok\r\n"
                )
            )
            talk.flush()
            if word == b"data":
                got.append(b"".join(iter(talk.readline, b".\r\n")))
                talk.write(b"554 no valid recipients\r\n" if len(got) == 1 else b"250 ok\r\n")
                talk.flush()


def test_nothing_is_asked_that_need_not_be(server: tuple[Handler, int]) -> None:
    handler, port = server
    smtp = mailer(port)
    for _ in range(3):
        smtp.send(LETTER)
    assert handler.said == ["MAIL"] * 3
    smtp._resting[0].rests_since -= 60
    smtp.send(LETTER)
    assert handler.said == ["MAIL"] * 3 + ["NOOP", "MAIL"], "after a rest it asks whether the server is still there"


def test_a_connection_that_the_server_closed_while_it_rested_costs_nothing(server: tuple[Handler, int]) -> None:
    handler, port = server
    smtp = mailer(port)
    smtp.send(LETTER)
    line = smtp._resting[0]
    assert line.sock is not None
    line.sock.close()
    line.sock, server_end = socket.socketpair()
    line.file = None
    server_end.close()  # what a server that has hung up looks like
    assert smtp.send(LETTER) == "250 kept"
    assert len(handler.sessions) == 2


def test_a_sender_that_the_relay_does_not_take_is_the_relays_trouble(server: tuple[Handler, int]) -> None:
    handler, port = server
    handler.sender = "550 5.7.1 not from you"
    smtp = mailer(port)
    said = r"bongsu@example.com: 550 5.7.1 not from you"
    with pytest.raises(Down, match=said):
        smtp.send(LETTER)
    with pytest.raises(Down, match=said):
        smtp.ping()
    handler.sender = ""
    assert smtp.ping() == "250 OK"


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


def test_a_server_that_drips_does_not_outlast_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        ended = threading.Event()
        threading.Thread(target=_drip, args=(door, ended), daemon=True).start()
        smtp = Smtp("127.0.0.1", door.getsockname()[1], "bongsu@example.com", timeout=5, total=0.5)
        with pytest.raises(Retryable) as caught:
            smtp.send(LETTER)
        ended.set()
    assert caught.value.reason is Reason.TIMEOUT


def _drip(door: socket.socket, ended: threading.Event) -> None:
    line, _ = door.accept()
    with line:
        line.sendall(b"220")
        while not ended.wait(0.05):
            line.sendall(b"-more\r\n220")


def test_an_answer_that_makes_no_sense_is_no_acceptance() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        threading.Thread(target=_talk_nonsense, args=(door,), daemon=True).start()
        with pytest.raises(Retryable):
            mailer(door.getsockname()[1]).send(LETTER)


def _talk_nonsense(door: socket.socket) -> None:
    line, _ = door.accept()
    with line, line.makefile("rwb") as talk:
        talk.write(b"220 hello\r\n")
        talk.flush()
        for command in talk:
            data = command[:4].upper() == b"DATA"
            talk.write(b"354 go on\r\n" if data else b"250 ok\r\n")
            talk.flush()
            if data:
                while talk.readline() not in (b".\r\n", b""):
                    pass
                talk.write(b"hm\r\n")
                talk.flush()


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
