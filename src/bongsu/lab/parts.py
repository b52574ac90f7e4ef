"""The parts of a lab: how each is started, known to be ready, and ended."""

from __future__ import annotations

import importlib.util
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bongsu.core.errors import BongsuError
from bongsu.lab.directory import LabDirectory
from bongsu.lab.loopback import answers, listens
from bongsu.lab.processes import Ending, last_lines, launch, stop_all
from bongsu.lab.site import Site

# The order of going down: whoever would raise an alarm over the others' absence goes first, the database last.
WAVES = ("load", "bongsu", "", "postgres")


class PartDied(BongsuError):
    """A part of the lab ended by itself."""


@dataclass(frozen=True, slots=True)
class Part:
    """One process of the lab. ``ready`` says whether it does its work; ``once`` parts end by themselves."""

    name: str
    command: Sequence[str]
    ready: Callable[[], bool]
    port: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    before: Sequence[str] = ()
    death: str = "KILL"
    stop: signal.Signals = signal.SIGTERM
    output: Path | None = None
    cwd: Path | None = None
    restarts: bool = False
    once: bool = False
    talks: bool = False


@dataclass(slots=True)
class Running:
    """A part and its present process."""

    part: Part
    process: subprocess.Popen[bytes]
    log: Path
    since: float
    state: str = "starting"
    failures: int = 0
    again_at: float = 0.0

    def report(self) -> dict[str, object]:
        """For the control API."""
        pid = self.process.pid if self.process.poll() is None else None
        return {
            "name": self.part.name,
            "pid": pid,
            "state": self.state,
            "port": self.part.port,
            "log": str(self.log),
        }


class Crew:
    """The running parts. Used from the main thread alone."""

    def __init__(self, directory: LabDirectory, say: Callable[[str], None]) -> None:
        """``say`` takes lines for the person who watches."""
        self._directory = directory
        self._say = say
        self.running: dict[str, Running] = {}

    def start(self, part: Part) -> Running:
        """Start a part's process."""
        log = self._directory.log(part.name)
        with ExitStack() as files:
            errors = files.enter_context(log.open("ab"))
            output = files.enter_context(part.output.open("ab")) if part.output else errors
            process = launch(
                part.command,
                lab=self._directory.root,
                stdout=output,
                stderr=errors,
                stdin=subprocess.PIPE if part.talks else None,
                environment=part.environment,
                before=part.before,
                death=part.death,
                cwd=part.cwd,
            )
        running = Running(part, process, log, time.monotonic())
        self.running[part.name] = running
        return running

    def look(self, strict: bool = False) -> None:
        """See who became ready, restart who may be restarted. Raises PartDied for any other part that ended.

        ``strict``, while the lab starts: nobody is restarted, because what cannot start once will not start later.
        """
        now = time.monotonic()
        for running in list(self.running.values()):
            code = running.process.poll()
            if code is None:
                if running.state == "starting" and running.part.ready():
                    running.state = "running"
            elif running.part.once and code == 0:
                running.state = "ended"
            elif strict or not running.part.restarts:
                raise PartDied(f"{running.part.name} died ({ending(code)}), its last lines:\n{last_lines(running.log)}")
            elif running.state != "restarting":
                self._schedule(running, code, now)
            elif now >= running.again_at:
                failures = running.failures
                self.start(running.part).failures = failures

    def _schedule(self, running: Running, code: int, now: float) -> None:
        """A part that keeps dying is tried again ever more seldom, up to ten seconds."""
        if now - running.since > 30:
            running.failures = 0
        wait = min(10.0, 0.25 * 2**running.failures)
        running.failures += 1
        running.state, running.again_at = "restarting", now + wait
        self._say(
            f"{running.part.name} died ({ending(code)}), its last lines:\n{last_lines(running.log, 4)}\n"
            f"{running.part.name} starts again in {wait:g} s"
        )

    def restart(self, name: str) -> None:
        """End a part and start it again. Raises KeyError for a part that is not there."""
        running = self.running[name]
        stop_all({name: (running.process, running.part.stop)})
        self.start(running.part)

    def stop(self, patience: Callable[[], float], machines: Ending) -> list[str]:
        """End all parts in waves, the machines with the balancer; returns the names of those that had to be killed.

        ``patience``: seconds a wave may take, asked again and again, so that a person can cut it short.
        """
        stubborn: list[str] = []
        for wave in WAVES:
            names = [name for name in self.running if (name if name in WAVES else "") == wave]
            chosen = {name: self.running.pop(name) for name in names}
            ending = {name: (each.process, each.part.stop) for name, each in chosen.items()}
            stubborn += stop_all({**ending, **(machines if wave == "" else {})}, patience)
        return stubborn


def ending(code: int) -> str:
    """How a process ended, in words."""
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit {code}"


def python(module: str, *arguments: object) -> tuple[str, ...]:
    """A process of our own interpreter."""
    return (sys.executable, "-m", module, *map(str, arguments))


def governor(site: Site) -> Part:
    """The governor of the credit buckets."""
    port = site.ports.governor
    command = python(
        "bongsu.lab.governor", "--directory", site.directory.root, "--port", port, "--speed", site.plan.speed
    )
    return Part("governor", command, lambda: answers(site.url(port)), port)


def inbox(site: Site) -> Part:
    """The mail server that everything arrives at."""
    port = site.ports.smtp
    command = python("bongsu.lab.inbox", "--directory", site.directory.inbox, "--port", port)
    return Part("inbox", command, lambda: listens(port), port)


def load(site: Site) -> Part:
    """The load driver that runs with the lab when the plan has a rate."""
    folder = site.directory.root / "load"
    segment = f"{site.plan.load_seconds:g}x{site.plan.load_rate or 0:g}"
    command = python(
        "bongsu.lab.load", "--target", site.url(site.ports.edge), "--plan", segment,
        "--directory", folder, "--seed", site.plan.seed, "--users", site.plan.users,
        "--products", site.plan.products,
    )  # fmt: skip
    return Part("load", command, (folder / "seconds.jsonl").exists, once=True, talks=True)


def bongsu(site: Site) -> Part:
    """Bongsu itself, which may die and come back: its rules say that nothing is lost then."""
    port = site.ports.bongsu
    command = python("bongsu", "serve", "--config", site.directory.root / "bongsu" / "bongsu.toml")
    return Part("bongsu", command, lambda: answers(f"{site.url(port)}/readyz"), port, restarts=True)


def can_serve() -> bool:
    """Whether this installation has ``bongsu serve``."""
    return importlib.util.find_spec("bongsu.__main__") is not None
