"""The lab's directory: where everything lies, who holds it, and what a fresh start clears."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from bongsu.core.errors import InvalidInput

CLEARED = (
    "logs",
    "postgres",
    "prometheus",
    "haproxy",
    "machines",
    "inbox",
    "bongsu",
    "load",
    "governor.jsonl",
)


@dataclass(frozen=True, slots=True)
class LabDirectory:
    """Paths below ``root`` (absolute, links resolved)."""

    root: Path

    @property
    def mark(self) -> str:
        """What processes and cgroups of this lab are known by: a short hash of the path."""
        return hashlib.sha256(os.fsencode(self.root)).hexdigest()[:10]

    @property
    def state(self) -> Path:
        """``lab.json``: address of the control API, endpoints, plan."""
        return self.root / "lab.json"

    @property
    def pid(self) -> Path:
        """The supervisor's pid; the supervisor holds a lock on it as long as it lives."""
        return self.root / "supervisor.pid"

    @property
    def roster(self) -> Path:
        """Which machines the governor has to look after."""
        return self.root / "machines" / "roster.json"

    @property
    def records(self) -> Path:
        """What the governor saw, a line per second."""
        return self.root / "governor.jsonl"

    @property
    def inbox(self) -> Path:
        """Received mail."""
        return self.root / "inbox"

    @property
    def edge_log(self) -> Path:
        """The balancer's log, a JSON line per request."""
        return self.root / "haproxy" / "edge.jsonl"

    @property
    def shop_logs(self) -> Path:
        """The logs of the machines' shops, as a pattern."""
        return self.machine("*") / "access.jsonl"

    @property
    def socket(self) -> Path:
        """The balancer's runtime API."""
        return self.root / "haproxy" / "haproxy.sock"

    @property
    def targets(self) -> Path:
        """Prometheus' list of machines."""
        return self.root / "prometheus" / "targets.json"

    def log(self, part: str) -> Path:
        """A part's log."""
        return self.root / "logs" / f"{part}.log"

    def machine(self, name: str) -> Path:
        """A machine's own directory."""
        return self.root / "machines" / name

    def secret(self, name: str) -> Path:
        """The file of a secret."""
        return self.root / "secrets" / name

    def prepare(self) -> None:
        """Clear what the last lab left (secrets stay) and make the folders and secrets of a new one."""
        self.clear()
        for folder in (
            "logs",
            "postgres",
            "prometheus/rules",
            "haproxy",
            "machines",
            "inbox",
            "bongsu",
            "load",
        ):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        (self.root / "secrets").mkdir(mode=0o700, exist_ok=True)
        for name in ("user_hash_key", "link_key", "api_token", "postgres_password"):
            if not self.secret(name).exists():
                descriptor = os.open(self.secret(name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "w", encoding="ascii") as file:
                    file.write(secrets.token_hex(32) + "\n")

    def clear(self) -> None:
        """Remove what a lab made, and nothing else."""
        for name in CLEARED:
            path = self.root / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        self.state.unlink(missing_ok=True)

    def read_state(self) -> dict[str, Any] | None:
        """``lab.json``, or None when there is none."""
        try:
            state: dict[str, Any] = json.loads(self.state.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return state

    def holder(self) -> int | None:
        """The pid of the living lab in this directory, or None."""
        try:
            with self.pid.open("r+", encoding="ascii") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    return int(file.read() or 0)
        except FileNotFoundError:
            pass
        return None

    def claim(self) -> IO[str]:
        """Take the directory; it is ours until the returned file closes. Raises InvalidInput when it is taken."""
        self.pid.parent.mkdir(parents=True, exist_ok=True)
        file = self.pid.open("a+", encoding="ascii")
        if not _locked(file):
            file.seek(0)
            pid = file.read().strip() or "unknown"
            file.close()
            raise InvalidInput(
                [
                    f"{self.root} is in use by a running lab (pid {pid}). "
                    f"End it with: bongsu lab down --dir {self.root}   or choose another directory with --dir"
                ]
            )
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        return file


def _locked(file: IO[str]) -> bool:
    # A second and a third look, because whoever asks for the holder takes the lock for a moment.
    for _ in range(3):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(0.05)
        else:
            return True
    return False


def lab_directory(path: Path) -> LabDirectory:
    """The lab directory at ``path``. Raises InvalidInput when it cannot be one."""
    root = path.expanduser().resolve()
    problems = []
    if root.exists() and not root.is_dir():
        problems.append(f"{root}: is not a directory; choose another one with --dir")
    elif root.is_dir() and any(root.iterdir()) and not (root / "supervisor.pid").exists():
        problems.append(f"{root}: holds files that no lab made; choose an empty or new directory with --dir")
    if problems:
        raise InvalidInput(problems)
    return LabDirectory(root)


def write_whole(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file so that a reader sees the old text or the new one, never half of it."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)
