"""Words as a mail: RFC 5322 bytes in 7 bits, the same bytes however often they are made.

Written by hand, for the standard library's EmailMessage takes longer for one mail than everything else together.
"""

from __future__ import annotations

import functools
import hashlib
from base64 import encodebytes
from binascii import b2a_qp
from collections.abc import Mapping
from email.header import Header
from email.utils import formataddr

from bongsu.render.words import clean

_NEWLINE = "\r\n"
_LONGEST_LINE = 990
_FEW = 6
"""Up to one sign in so many may be foreign for quoted-printable; beyond, base64 is shorter."""


def mail(headers: Mapping[str, str], text: str, html: str) -> bytes:
    """A whole mail with both bodies; ``headers`` must hold the Message-ID, of which the boundary is made."""
    boundary = "=_" + hashlib.blake2b(headers["Message-ID"].encode(), digest_size=12).hexdigest()
    head = "".join(header(name, value) for name, value in headers.items())
    head += f'MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary="{boundary}"\r\n\r\n'
    line = f"--{boundary}"
    return b"".join(
        (
            head.encode("ascii"),
            f"{line}\r\n".encode(),
            _part("plain", text),
            f"\r\n{line}\r\n".encode(),
            _part("html", html),
            f"\r\n{line}--\r\n".encode(),
        )
    )


def header(name: str, value: str) -> str:
    """One header, on as many lines as it needs."""
    value = clean(value)
    if value.isascii():
        return f"{name}: {value}\r\n"
    return f"{name}: {_encoded(name, value)}\r\n"


@functools.lru_cache(maxsize=256)
def _encoded(name: str, value: str) -> str:
    """A value with foreign signs; an incident's subject goes to many, and a person's name stands in many mails."""
    return Header(value, "utf-8", header_name=name).encode(linesep=_NEWLINE)


@functools.lru_cache(maxsize=256)
def mailbox(name: str, address: str) -> str:
    """A name and its address; a sign that no header can carry becomes a question mark, for the envelope decides."""
    return formataddr((clean(name), clean(address).encode("ascii", "replace").decode("ascii")))


@functools.lru_cache(maxsize=16)
def sent_by(sender: str) -> str:
    """The From header of an address, or of what already is a name with its address."""
    return sender if "<" in sender else formataddr(("Bongsu", sender))


def _part(subtype: str, text: str) -> bytes:
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    if lines.isascii() and "\0" not in lines and max(map(len, lines.split("\n"))) <= _LONGEST_LINE:
        charset, encoding, body = "us-ascii", "7bit", lines.encode("ascii")
    else:
        charset, raw = "utf-8", lines.encode("utf-8", "replace")
        foreign = len(raw) - len(raw.translate(None, _FOREIGN))
        if foreign * _FEW < len(raw):
            encoding, body = "quoted-printable", b2a_qp(raw, istext=True)
        else:
            encoding, body = "base64", encodebytes(raw)
    kind = f'Content-Type: text/{subtype}; charset="{charset}"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n'
    return kind.encode("ascii") + body.replace(b"\n", b"\r\n")


_FOREIGN = bytes(range(128, 256))
