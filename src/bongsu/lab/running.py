"""A lab that runs, as seen from another process: start it, ask it, change it, end it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bongsu.core.errors import BongsuError, NotFound
from bongsu.lab.directory import LabDirectory, lab_directory
from bongsu.lab.loopback import call, fetch
from bongsu.lab.plan import LabPlan
from bongsu.lab.processes import last_lines, launch, stop_all
from bongsu.lab.programs import find_programs
from bongsu.lab.traffic import Segment


class LabFailed(BongsuError):
    """The lab did not start, or ended by itself."""


class RunningLab:
    """A lab in its own supervisor process. As a context it ends the lab on the way out."""

    def __init__(
        self, directory: LabDirectory, state: dict[str, Any], process: subprocess.Popen[bytes] | None = None
    ) -> None:
        """``process``: the supervisor, where we are its parent."""
        self.directory = directory
        self._process = process
        self.endpoints: dict[str, str] = state["endpoints"]
        self.speed: float = state["speed"]
        self.origin: str = state["origin"]
        self.pid: int = state["pid"]
        self.plan: dict[str, Any] = state["plan"]
        self._control: str = state["control"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.down()

    def status(self) -> dict[str, Any]:
        """State, endpoints and parts."""
        return dict(call("GET", f"{self._control}/status"))

    def machines(self) -> list[dict[str, Any]]:
        """All machines."""
        return list(call("GET", f"{self._control}/machines"))

    def add_machine(self, name: str | None = None, balance: float | None = None) -> dict[str, Any]:
        """Order a machine; it is ``booting``, then ``running`` once it answers."""
        return dict(call("POST", f"{self._control}/machines", {"name": name, "balance": balance}))

    def remove_machine(self, name: str) -> dict[str, Any]:
        """Stop a machine for good; take it out of the balancer first."""
        return dict(call("DELETE", f"{self._control}/machines/{name}"))

    def restart_part(self, name: str) -> dict[str, Any]:
        """Restart a part, such as ``bongsu``."""
        return dict(call("POST", f"{self._control}/parts/{name}/restart"))

    def set_load(self, rate: float | None = None, mix: str | None = None) -> None:
        """Change the load driver that runs with the lab."""
        call("POST", f"{self._control}/load", {"rate": rate, "mix": mix})

    def gauges(self) -> dict[str, dict[str, float]]:
        """The governor's figures by machine ("" for the computer's own), such as ``system_cpu_usage``."""
        figures: dict[str, dict[str, float]] = {}
        for line in fetch(f"{self.endpoints['governor']}/metrics").splitlines():
            if not line.startswith("#"):
                series, _, value = line.rpartition(" ")
                name, _, labels = series.partition("{")
                machine = labels.partition('instance="')[2].partition('"')[0]
                figures.setdefault(machine, {})[name] = float(value)
        return figures

    def wait_for(self, state: str, timeout: float = 60.0) -> None:
        """Wait until the lab is ``up`` or ``ready``. Raises LabFailed when it ends or takes longer."""
        wanted = ("up", "ready")[("up", "ready").index(state) :]
        deadline = time.monotonic() + timeout
        while True:
            with suppress(BongsuError):
                if self.status()["state"] in wanted:
                    return
            if self.directory.holder() is None or time.monotonic() > deadline:
                raise LabFailed(f"the lab is not {state}:\n{last_lines(supervisor_log(self.directory), 20)}")
            time.sleep(0.05)

    def down(self, timeout: float = 30.0) -> None:
        """End the lab and wait until nothing of it is left. Raises LabFailed when it does not end."""
        try:
            call("POST", f"{self._control}/down")
        except BongsuError:
            if self.directory.holder() == self.pid:
                os.kill(self.pid, signal.SIGTERM)
        deadline = time.monotonic() + timeout
        while self.directory.holder() is not None or (self._process is not None and self._process.poll() is None):
            if time.monotonic() > deadline:
                raise LabFailed(f"the lab (pid {self.pid}) does not end; kill it with: kill -9 {self.pid}")
            time.sleep(0.02)


def supervisor_log(directory: LabDirectory) -> Path:
    """Where a lab that runs on its own says what it does."""
    return directory.root / "supervisor.log"


def open_lab(path: Path) -> RunningLab:
    """The lab that runs in a directory. Raises NotFound."""
    directory = lab_directory(path)
    state = directory.read_state()
    if directory.holder() is None or state is None:
        raise NotFound(f"no lab runs in {directory.root}. Start one with: bongsu lab up --dir {directory.root}")
    return RunningLab(directory, state)


def start_lab(
    plan: LabPlan, path: Path, *, state: str = "ready", keep: bool = False, say: Callable[[str], None] | None = None
) -> RunningLab:
    """Start a lab in a process of its own and wait until it is ``up`` or ``ready``.

    It ends with us unless ``keep``. ``say`` gets the supervisor's lines. Call it from the main thread.
    Raises InvalidInput before anything starts, LabFailed when it does not get there.
    """
    directory = lab_directory(path)
    if directory.holder() is not None:
        directory.claim()  # says who holds it
    find_programs(plan)
    directory.root.mkdir(parents=True, exist_ok=True)
    directory.pid.touch()
    command = [sys.executable, "-m", "bongsu.lab.supervisor", "--directory", str(directory.root)]
    command += ["--plan", plan.to_json()]
    with supervisor_log(directory).open("wb") as log:
        if keep:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        else:
            process = launch(command, lab=None, stdout=log, death="TERM")
    try:
        return _arrived(directory, process, state, say or (lambda _: None))
    except BaseException:
        stop_all({"supervisor": (process, signal.SIGTERM)}, lambda: 15.0)
        raise


def _arrived(
    directory: LabDirectory, process: subprocess.Popen[bytes], state: str, say: Callable[[str], None]
) -> RunningLab:
    log = supervisor_log(directory)
    told = 0
    wanted = ("up", "ready")[("up", "ready").index(state) :]
    while True:
        code = process.poll()
        lines = log.read_text(errors="replace").splitlines()
        for line in lines[told:]:
            say(line)
        told = len(lines)
        found = directory.read_state()
        if found is not None and found["pid"] == process.pid and found["state"] in wanted:
            return RunningLab(directory, found, process)
        if code is not None:
            raise LabFailed(f"the lab did not start (exit {code}):\n{last_lines(log, 20)}")
        time.sleep(0.05)


class RunningLoad:
    """A load driver in a process of its own. As a context it stops the load on the way out."""

    def __init__(self, process: subprocess.Popen[bytes], directory: Path) -> None:
        self._process = process
        self.directory = directory

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def samples(self) -> Path:
        """Every request, for ``bongsu.lab.latency.read_samples``."""
        return self.directory / "samples.bin"

    @property
    def seconds(self) -> Path:
        """A JSON line per second."""
        return self.directory / "seconds.jsonl"

    def rate(self, arrivals: float, mix: str | None = None) -> None:
        """Change the arrivals per second, and the mix, from now on."""
        self._say(f"rate {arrivals}")
        if mix is not None:
            self._say(f"mix {mix}")

    def hold(self, visits: int, mix: str) -> None:
        """So many visits of a mix always under way, and none besides, until another rate is given."""
        self._say(f"mix {mix}")
        self._say(f"hold {visits}")

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the plan's end; returns the exit code."""
        code = self._process.wait(timeout)
        self._close()
        return code

    def stop(self) -> None:
        """End it; what is still open is waited for."""
        with suppress(OSError, ValueError):  # it has ended already
            self._say("stop")
        try:
            self._process.wait(8.0)
        except subprocess.TimeoutExpired:
            stop_all({"load": (self._process, signal.SIGTERM)})
        self._close()

    def _close(self) -> None:
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()


def start_load(
    lab: RunningLab, segments: tuple[Segment, ...], directory: Path, *, seed: int = 1, most_open: int = 1000
) -> RunningLoad:
    """Start a load driver against a lab's shop. It ends with us. Call it from the main thread."""
    directory.mkdir(parents=True, exist_ok=True)
    plan = ",".join(f"{each.seconds:g}x{each.rate:g}:{each.mix}" for each in segments)
    command = [sys.executable, "-m", "bongsu.lab.load", "--target", lab.endpoints["shop"], "--plan", plan]
    command += ["--directory", str(directory), "--seed", str(seed), "--most-open", str(most_open)]
    command += ["--users", str(lab.plan["users"]), "--products", str(lab.plan["products"])]
    with (directory / "load.log").open("ab") as log:
        process = launch(command, lab=lab.directory.root, stdout=log, stdin=subprocess.PIPE)
    return RunningLoad(process, directory)
