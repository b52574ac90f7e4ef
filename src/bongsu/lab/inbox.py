"""The lab's mail server: accepts everything for everybody, keeps it in files, and can be told to misbehave.

``python -m bongsu.lab.inbox --directory DIR --port PORT``. Mails land as ``NNNN.eml``; ``inbox.jsonl`` has a line per
accepted recipient. ``behaviour.json`` beside them, see Behaviour, is read anew for every connection.
"""

from __future__ import annotations

import argparse
import asyncio
import email.policy
import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.parser import BytesHeaderParser
from pathlib import Path
from time import time
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from bongsu.lab.directory import write_whole
from bongsu.lab.loopback import HOST

BACKLOG = 1024
LARGEST = 32 * 1024 * 1024
_LOOK = 0.1
"""Seconds between two looks at whether the port is to be open."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How the server treats its clients.

    ``refuse``: recipients answered with 550. ``at_end``: a code (451, 550) that answers every end of DATA.
    ``silent``: accept connections and never say a word. ``dead``: do not even listen.
    ``delay``: seconds before each end of DATA is answered.
    """

    refuse: tuple[str, ...] = ()
    at_end: int | None = None
    silent: bool = False
    dead: bool = False
    delay: float = 0.0


def set_behaviour(directory: Path, behaviour: Behaviour) -> None:
    """Tell a running (or future) inbox how to behave."""
    write_whole(directory / "behaviour.json", json.dumps(asdict(behaviour)))


def read_behaviour(directory: Path) -> Behaviour:
    """The behaviour in force; a well-behaved server when nothing was said."""
    try:
        data: dict[str, Any] = json.loads((directory / "behaviour.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Behaviour()
    return Behaviour(**{**data, "refuse": tuple(data.get("refuse", ()))})


class Keeper:
    """Takes mails (an aiosmtpd handler) and keeps them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._number = max((int(path.stem) for path in directory.glob("*.eml") if path.stem.isdigit()), default=0)

    async def handle_RCPT(  # noqa: N802  (aiosmtpd's name)
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Refuse whom we are told to refuse."""
        refused = {each.lower() for each in read_behaviour(self._directory).refuse}
        if address.lower() in refused:
            return f"550 5.1.1 {address}: no such mailbox here"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep the mail, or refuse it at the very end."""
        behaviour = read_behaviour(self._directory)
        if behaviour.delay:
            await asyncio.sleep(behaviour.delay)
        if behaviour.at_end is not None:
            kind = "4.3.0 try again later" if behaviour.at_end < 500 else "5.7.1 not accepted"
            return f"{behaviour.at_end} {kind}"
        self._number += 1
        self._keep(envelope, f"{self._number:04d}.eml")
        return f"250 2.0.0 kept as {self._number:04d}"

    def _keep(self, envelope: Envelope, name: str) -> None:
        content = envelope.content if isinstance(envelope.content, bytes) else str(envelope.content).encode()
        (self._directory / name).write_bytes(content)
        headers = BytesHeaderParser(policy=email.policy.default).parsebytes(content)
        kept = {key: str(value) for key, value in headers.items() if key.lower().startswith("x-bongsu-")}
        at = datetime.fromtimestamp(time(), UTC).isoformat(timespec="milliseconds")
        with (self._directory / "inbox.jsonl").open("a", encoding="utf-8") as file:
            for recipient in envelope.rcpt_tos:
                line = {
                    "at": at,
                    "from": envelope.mail_from,
                    "to": recipient,
                    "subject": str(headers.get("Subject", "")),
                    "message_id": str(headers.get("Message-ID", "")).strip(),
                    "file": name,
                    "headers": kept,
                }
                file.write(json.dumps(line, ensure_ascii=False) + "\n")


class _Silence(asyncio.Protocol):
    """Accepts a connection and says nothing for ever."""


class _Door:
    """The listening socket, opened and shut as the behaviour says."""

    def __init__(self, directory: Path, port: int) -> None:
        self._directory = directory
        self._port = port
        self._keeper = Keeper(directory)
        self._server: asyncio.Server | None = None

    def _greet(self) -> asyncio.BaseProtocol:
        if read_behaviour(self._directory).silent:
            return _Silence()
        # A host name of our own: aiosmtpd would ask the name service for one at every connection.
        protocol: asyncio.BaseProtocol = SMTP(
            self._keeper,
            hostname="inbox.localhost",
            enable_SMTPUTF8=True,
            data_size_limit=LARGEST,
            timeout=60,
        )
        return protocol

    async def watch(self, ended: asyncio.Event) -> None:
        """Keep the door as it should be until ``ended``."""
        while not ended.is_set():
            wanted = not read_behaviour(self._directory).dead
            if wanted and self._server is None:
                loop = asyncio.get_running_loop()
                self._server = await loop.create_server(self._greet, HOST, self._port, backlog=BACKLOG)
            elif not wanted and self._server is not None:
                self._server.close()
                self._server = None
            try:
                await asyncio.wait_for(ended.wait(), _LOOK)
            except TimeoutError:
                continue


async def _run(directory: Path, port: int) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    await _Door(directory, port).watch(ended)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--refuse", action="append", default=[], metavar="ADDRESS", help="answer 550 at RCPT")
    parser.add_argument("--at-end", type=int, choices=(421, 451, 452, 550, 552, 554), help="answer at the end of DATA")
    parser.add_argument("--silent", action="store_true", help="accept connections and never answer")
    parser.add_argument("--dead", action="store_true", help="do not listen")
    options = parser.parse_args(arguments)
    options.directory.mkdir(parents=True, exist_ok=True)
    asked = Behaviour(tuple(options.refuse), options.at_end, options.silent, options.dead)
    if asked != Behaviour():
        set_behaviour(options.directory, asked)
    asyncio.run(_run(options.directory, options.port))
    return 0


if __name__ == "__main__":
    sys.exit(main())
