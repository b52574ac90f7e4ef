"""The mail adapter against a real server with TLS and passwords; certificates are made for the test."""

from __future__ import annotations

import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from bongsu.adapters.smtp import Smtp
from bongsu.ports import Down, Letter, Reason
from tests.support import free_port

LETTER = Letter("jimin@example.com", b"Subject: x\r\n\r\nhello\r\n")


class Keeper:
    """Keeps letters, and says whether each came encrypted and by whom."""

    def __init__(self) -> None:
        self.got: list[tuple[bool, str]] = []
        self.open: set[int] = set()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.got.append((session.ssl is not None, str(session.auth_data or "")))
        return "250 kept"


def check(server: Any, session: Any, envelope: Any, mechanism: str, data: LoginPassword) -> AuthResult:
    good = data.login == b"bongsu" and data.password == b"open sesame"
    return AuthResult(success=good, handled=good, auth_data="bongsu" if good else None)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost that vouches for itself, with its key."""
    folder = tmp_path_factory.mktemp("tls")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(folder / "key"), "-out", str(folder / "pem")]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "pem"


@contextmanager
def serving(certificate: Path, **how: Any) -> Iterator[tuple[Keeper, int]]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, certificate.with_name("key"))
    implicit = how.pop("implicit", False)
    keeper, port = Keeper(), free_port()
    with_tls = {"ssl_context": context} if implicit else {"tls_context": context, "require_starttls": True}
    controller = Controller(keeper, hostname="localhost", port=port, **with_tls, **how)
    controller.start()
    yield keeper, port
    controller.stop()


@contextmanager
def mailer(port: int, certificate: Path | None, **how: Any) -> Iterator[Smtp]:
    smtp = Smtp("localhost", port, "bongsu@example.com", ca_file=certificate, timeout=5, **how)
    yield smtp
    smtp.close()


@pytest.mark.filterwarnings("ignore:Requiring AUTH")  # the server cannot know that all of it is encrypted already
@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_mail_goes_out_encrypted_and_logged_in(certificate: Path, tmp_path: Path, tls: str) -> None:
    secret = tmp_path / "password"
    secret.write_text("open sesame\n")
    login = {"authenticator": check, "auth_required": True, "auth_require_tls": tls == "starttls"}
    with (
        serving(certificate, implicit=tls == "implicit", **login) as (keeper, port),
        mailer(port, certificate, tls=tls, user="bongsu", password_file=secret) as smtp,
    ):
        assert smtp.send(LETTER) == "250 kept"
        assert smtp.send(LETTER) == "250 kept"
    assert keeper.got == [(tls == "starttls", "bongsu")] * 2  # the server notes what began in the clear alone


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: Path, tls: str) -> None:
    with (
        serving(certificate, implicit=tls == "implicit") as (keeper, port),
        mailer(port, None, tls=tls) as smtp,
        pytest.raises(Down) as caught,
    ):
        smtp.send(LETTER)
    assert caught.value.reason is Reason.TLS
    assert "certificate" in caught.value.answer.lower()
    assert keeper.got == []


def test_a_server_without_starttls_is_not_mailed_in_the_clear() -> None:
    keeper, port = Keeper(), free_port()
    controller = Controller(keeper, hostname="localhost", port=port)
    controller.start()
    with mailer(port, None, tls="starttls") as smtp, pytest.raises(Down) as caught:
        smtp.send(LETTER)
    controller.stop()
    assert caught.value.reason is Reason.TLS
    assert keeper.got == []


@pytest.mark.parametrize(
    ("content", "reason", "said"), [("hunter2", Reason.AUTH, "535"), (None, Reason.SECRET, "password_file")]
)
def test_a_wrong_password_and_one_that_cannot_be_read_are_told_apart(
    certificate: Path, tmp_path: Path, content: str | None, reason: Reason, said: str
) -> None:
    secret = tmp_path / "password"
    if content is not None:
        secret.write_text(content)
    login = {"authenticator": check, "auth_required": True}
    with (
        serving(certificate, **login) as (_, port),
        mailer(port, certificate, tls="starttls", user="bongsu", password_file=secret) as smtp,
    ):
        for _ in range(3):
            with pytest.raises(Down) as caught:
                smtp.send(LETTER)
            assert caught.value.reason is reason
            assert said in caught.value.answer
            assert "hunter2" not in caught.value.answer
        assert not smtp._all, "a connection that could not log in is still open"


def test_no_more_connections_than_allowed_and_everybody_gets_one(certificate: Path) -> None:
    class Counting(Keeper):
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
            self.open.add(id(session))
            return await super().handle_DATA(server, session, envelope)

    keeper, port = Counting(), free_port()
    controller = Controller(keeper, hostname="localhost", port=port)
    controller.start()
    with mailer(port, None, connections=3) as smtp:
        threads = [threading.Thread(target=smtp.send, args=(LETTER,)) for _ in range(20)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert len(smtp._all) <= 3
    controller.stop()
    assert len(keeper.got) == 20
    assert len(keeper.open) <= 3
