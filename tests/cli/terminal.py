"""A person at a real terminal: starts a command on a pty, reads what it shows and types answers."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\x07")


class Terminal:
    """A command on a terminal of 200 columns. As a context it ends the command on the way out."""

    def __init__(self, *arguments: str, cwd: Path, environment: Mapping[str, str] | None = None) -> None:
        self.screen = ""
        self._seen = 0
        command = [sys.executable, "-m", "bongsu", *arguments]
        self._pid, self._file = pty.fork()
        if self._pid == 0:
            os.chdir(cwd)
            os.execve(command[0], command, {**os.environ, "COLUMNS": "200", "TERM": "xterm", **(environment or {})})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        os.close(self._file)

    def expect(self, text: str, seconds: float = 30.0) -> None:
        """Wait until the screen shows a text after the last one expected."""
        deadline = time.monotonic() + seconds
        while (found := self.screen.find(text, self._seen)) < 0:
            assert self._more(deadline), f"no {text!r} on the screen:\n{self.screen}"
        self._seen = found + len(text)

    def type(self, line: str = "") -> None:
        """Type a line."""
        self.press(f"{line}\n")

    def press(self, keys: str) -> None:
        """Press keys, such as Ctrl-D."""
        os.write(self._file, keys.encode())

    def answer(self, question: str, line: str = "") -> None:
        """Wait for a question and answer it."""
        self.expect(question)
        self.type(line)

    def ended(self, seconds: float = 30.0) -> int:
        """Wait for the end; the exit code."""
        deadline = time.monotonic() + seconds
        while self._more(deadline):
            pass
        _, status = os.waitpid(self._pid, 0)
        self._pid = 0
        return os.waitstatus_to_exitcode(status)

    def _more(self, deadline: float) -> bool:
        """Read what has been shown meanwhile; False at the end of the command or the time."""
        ready, _, _ = select.select([self._file], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            shown = os.read(self._file, 65536)
        except OSError:  # the other side of a pty is gone
            return False
        self.screen += _ANSI.sub("", shown.decode("utf-8", "replace"))
        return bool(shown)
