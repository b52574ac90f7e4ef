"""Starting processes that die with their parent, stopping them, and finding those that were left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, TypeAlias

from bongsu.lab.programs import find_program

MARK = "BONGSU_LAB"
"""The environment variable that every process of a lab carries: the lab's directory."""

PATIENCE = 3.0
"""Real seconds a process has to end by itself."""
Ending: TypeAlias = Mapping[str, tuple[subprocess.Popen[bytes], signal.Signals]]
"""Processes by name, with the signal that asks each to end."""

# Runs in a shell instead of Python code between fork and exec, which is not safe in a process with threads:
# leave if the parent is gone already, enter the cgroups, become the program.
_ENTER = """
[ "$PPID" = "$1" ] || exit 125
groups=$2
shift 2
while [ "$groups" -gt 0 ]; do
  echo $$ > "$1" || exit 126
  shift
  groups=$((groups - 1))
done
exec "$@"
"""


def launch(
    command: Sequence[str],
    *,
    lab: Path | None,
    stdout: IO[bytes],
    stderr: IO[bytes] | None = None,
    stdin: int | None = None,
    environment: Mapping[str, str] | None = None,
    before: Sequence[str] = (),
    groups: Sequence[Path] = (),
    death: str = "KILL",
    cwd: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start ``command`` in a process group of its own; the kernel sends it ``death`` when we die.

    ``lab`` marks the process as part of the lab in that directory, which ends what it finds so marked.
    ``before`` wraps the command (such as ``unshare``), ``groups`` are cgroup.procs files it enters first.
    Call it from the main thread alone: the kernel counts the end of the *thread* that spawned as our death.
    """
    assert threading.current_thread() is threading.main_thread(), "spawn from the main thread"
    setpriv = find_program("setpriv") or "setpriv"
    wrapped = [
        *before,
        setpriv,
        "--pdeathsig",
        death,
        "--",
        "/bin/sh",
        "-c",
        _ENTER,
        "bongsu-lab",
        str(os.getpid()),
    ]
    wrapped += [str(len(groups)), *map(str, groups), *command]
    return subprocess.Popen(
        wrapped,
        stdin=subprocess.DEVNULL if stdin is None else stdin,
        stdout=stdout,
        stderr=stdout if stderr is None else stderr,
        env={**os.environ, **(environment or {}), **({} if lab is None else {MARK: str(lab)})},
        cwd=cwd,
        process_group=0,
    )


def signal_group(pid: int, number: signal.Signals) -> None:
    """Signal a process group of ours; nothing happens when it is gone."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def stop_all(processes: Ending, patience: Callable[[], float] = lambda: PATIENCE) -> list[str]:
    """End processes side by side: their own signal first, SIGKILL after ``patience()`` seconds.

    Returns the names of those that had to be killed.
    """
    for process, number in processes.values():
        if process.poll() is None:
            signal_group(process.pid, number)
            # A process that the duty cycle has stopped takes no signal before it continues.
            signal_group(process.pid, signal.SIGCONT)
    began = time.monotonic()
    while time.monotonic() < began + patience() and any(process.poll() is None for process, _ in processes.values()):
        time.sleep(0.01)
    stubborn = [name for name, (process, _) in processes.items() if process.poll() is None]
    for process, _ in processes.values():
        signal_group(process.pid, signal.SIGKILL)  # also what the leader left in its group
        process.wait()
    return stubborn


def last_lines(log: Path, count: int = 8) -> str:
    """The end of a log, for a message to a person."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 8192))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return "(no log)"
    return "\n".join(f"  {line}" for line in lines[-count:]) or "  (it wrote nothing)"


def leftovers(lab: Path) -> list[int]:
    """Processes that belong to a lab's directory: by their environment, or by working below it.

    PostgreSQL overwrites the memory that holds its environment, but its processes work in its data directory.
    """
    mark = f"{MARK}={lab}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with suppress(OSError):
            ours = mark in (entry / "environ").read_bytes().split(b"\0")
            if not ours and (entry / "comm").read_text().startswith("postgres"):
                ours = (entry / "cwd").readlink().is_relative_to(lab / "postgres")
            if ours and (entry / "stat").read_text().rpartition(")")[2].split()[0] != "Z":
                found.append(int(entry.name))
    return found


def sweep(lab: Path, patience: float = 3.0) -> list[int]:
    """Kill what an earlier lab in this directory left behind and wait until it is gone; returns the pids."""
    swept: set[int] = set()
    deadline = time.monotonic() + patience
    while (remaining := leftovers(lab)) and time.monotonic() < deadline:
        for pid in remaining:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        swept.update(remaining)
        time.sleep(0.02)
    return sorted(swept)
