"""A fast mail server for measurements, in a process of its own: takes everything, and says when.

It prints a line of JSON for every mail it has taken: when (the monotonic clock, which all processes share), the token
``T123x`` found in it, and its Message-ID. On its input it takes ``close`` (hang up and do not listen) and ``open``.
``most`` asks for the most connections it had at once since it was last asked.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import threading
from queue import Empty, Queue
from time import monotonic

TOKEN = re.compile(rb"T(\d+)x")
_ID = re.compile(rb"(?im)^message-id:\s*(\S+)")


class _Talk(asyncio.Protocol):
    def __init__(self, sink: _Sink) -> None:
        self._sink, self._buffer, self._body = sink, bytearray(), False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._sink.talks.add(transport)
        self._sink.most = max(self._sink.most, len(self._sink.talks))
        transport.write(b"220 sink\r\n")

    def connection_lost(self, _: Exception | None) -> None:
        self._sink.talks.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while self._step():
            pass

    def _step(self) -> bool:
        if self._body:
            end = self._buffer.find(b"\r\n.\r\n")
            if end < 0:
                return False
            self._sink.taken(bytes(self._buffer[:end]))
            del self._buffer[: end + 5]
            self._body = False
            self._transport.write(b"250 kept\r\n")
            return True
        end = self._buffer.find(b"\r\n")
        if end < 0:
            return False
        word = bytes(self._buffer[:4]).upper()
        del self._buffer[: end + 2]
        if word == b"DATA":
            self._body = True
            self._transport.write(b"354 go on\r\n")
        elif word == b"EHLO":
            self._transport.write(b"250-sink\r\n250 PIPELINING\r\n")  # as Postfix, Exim and SES have it
        elif word == b"QUIT":
            self._transport.write(b"221 bye\r\n")
            self._transport.close()
        else:
            self._transport.write(b"250 ok\r\n")
        return True


class _Sink:
    def __init__(self, port: int) -> None:
        self.port, self.most = port, 0
        self.talks: set[asyncio.Transport] = set()
        self._server: asyncio.Server | None = None

    def taken(self, mail: bytes) -> None:
        at, token, message_id = monotonic(), TOKEN.search(mail), _ID.search(mail)
        if token is not None:  # else it is none of the measurement's
            name = message_id.group(1).decode() if message_id else ""
            print(json.dumps([at, int(token.group(1)), name]), flush=True)

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        commands = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
        await self._open()
        while word := (await commands.readline()).decode().strip():
            if word == "close" and self._server is not None:
                self._server.close()
                for each in list(self.talks):
                    each.abort()
            elif word == "open":
                await self._open()
            print(json.dumps([monotonic(), word, self.most]), flush=True)
            self.most = len(self.talks)

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Talk(self), "127.0.0.1", self.port, backlog=4096, reuse_address=True
        )


class Sink:
    """The sink, seen from the measurement."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.mails: Queue[tuple[float, int, str]] = Queue()
        self._answers: Queue[tuple[float, int]] = Queue()
        command = [sys.executable, "-m", "bench.sink", str(port)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, daemon=True).start()
        self.say("most")

    def say(self, word: str) -> tuple[float, int]:
        """Give a command; when it was done, and the most connections since the last."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        return self._answers.get(timeout=30)

    def take(self, wanted: int, seconds: float) -> list[tuple[float, int, str]]:
        """So many mails, or those that came in time."""
        until, found = monotonic() + seconds, list[tuple[float, int, str]]()
        while len(found) < wanted and monotonic() < until:
            try:
                found.append(self.mails.get(timeout=max(0.01, until - monotonic())))
            except Empty:
                break
        return found

    def stop(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            at, what, more = json.loads(line)
            if isinstance(what, str):
                self._answers.put((at, more))
            else:
                self.mails.put((at, what, more))


if __name__ == "__main__":
    asyncio.run(_Sink(int(sys.argv[1])).run())
