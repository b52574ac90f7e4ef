"""The supervisor: starts every part of a lab, watches them, obeys the control API, and leaves nothing behind.

``python -m bongsu.lab.supervisor --directory DIR --plan JSON``. Its main thread alone starts and stops processes.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty
from typing import Any

from bongsu.core.errors import BongsuError, InvalidInput, NotFound
from bongsu.lab import haproxy, parts, postgres, prometheus
from bongsu.lab.configuration import bongsu_toml
from bongsu.lab.control import Board, Command, Commands, serve_control
from bongsu.lab.directory import LabDirectory, lab_directory, write_whole
from bongsu.lab.machines import Fleet, shop_environment
from bongsu.lab.parts import Crew, Part, PartDied
from bongsu.lab.plan import LabPlan, plan_from_json
from bongsu.lab.processes import PATIENCE, sweep
from bongsu.lab.programs import find_programs
from bongsu.lab.site import Site, settle
from bongsu.lab.throttle import Enclosures

START_WITHIN = 60.0
"""Real seconds for the whole start; a machine at its baseline needs eight to boot."""
STEP, LONG_STEP = 0.05, 0.25
"""Real seconds between two looks, while something is starting and while nothing is; commands wake us at once."""


class Interrupted(BongsuError):
    """Asked to end."""


class Supervisor:
    """One lab, from the first process to the last."""

    def __init__(self, site: Site, enclosures: Enclosures, say: Callable[[str], None]) -> None:
        """``say`` takes lines for the person who watches."""
        self._site = site
        self._enclosures = enclosures
        self._tell = say
        self._crew = Crew(site.directory, self._say)
        self._fleet = Fleet(site, enclosures, self._say)
        self._commands: Commands = Commands()
        self._board = Board()
        self._endpoints = site.endpoints()
        self._state = "starting"
        self._ended = False
        self._bongsu = site.plan.bongsu and parts.can_serve()
        self._began = time.monotonic()

    def run(self) -> int:
        """Start, serve until asked to end, stop. Returns the exit code; every failure is said."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        control = serve_control(self._site.ports.control, self._board, self._commands.put)
        code = 0
        try:
            self._publish()
            self._start()
            while not self._ended:
                self._turn(STEP if self._fleet.booting else LONG_STEP)
        except Interrupted:
            pass
        except (BongsuError, OSError) as error:
            self._say(f"error: {error}")
            code = 1
        finally:
            self._stop()
            control.shutdown()
            control.server_close()
        return code

    def _say(self, line: str) -> None:
        # Whoever watched may be gone (a closed pipe); the lab must still be ended in good order.
        with suppress(OSError):
            self._tell(line)

    def _on_signal(self, *_: object) -> None:
        self._ended = True
        self._commands.put(None)

    # -- starting ------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        site, plan = self._site, self._site.plan
        for _ in range(plan.machines):
            self._fleet.order(None, delay=float("inf"), credit=plan.opening_credits, warm=True)
        if plan.prepared:
            self._fleet.prepare(max(0, plan.max_machines - plan.machines))
        self._write_configuration()
        if plan.bongsu and not self._bongsu:
            self._say("bongsu      left out: this installation has no `bongsu serve`")
        disguise = postgres.disguise(site.directory.root / "postgres")
        # Prometheus first: it looks at its targets only five seconds after it started.
        for part in (
            prometheus.prometheus(site), postgres.cluster(site, disguise), parts.governor(site), parts.inbox(site),
        ):  # fmt: skip
            self._crew.start(part)
        # The machines beside the database: they take longest to start, and wait for the tables by themselves.
        self._fleet.start_now()
        self._await("initdb", state="ended")
        self._crew.start(postgres.postgres(site, disguise))
        self._await("postgres")
        self._crew.start(self._chore("migrate"))
        self._await("migrate", state="ended")
        self._crew.start(
            self._chore("seed", "--products", str(plan.products), "--users", str(plan.users)),
        )
        if self._bongsu:
            self._crew.start(parts.bongsu(site))
        self._await("seed", state="ended")
        self._until(lambda: all(each.state == "running" for each in self._fleet.machines.values()), {"machines"})
        self._until(lambda: self._fleet.prepared, {"images"})
        # The balancer last: it would log every machine as down while it boots.
        self._crew.start(haproxy.haproxy(site))
        self._until(lambda: all(each.state != "starting" for each in self._crew.running.values()), {"parts"})
        self._state = "up"
        self._say(f"up in {time.monotonic() - self._began:.1f} s; machines capped by {self._enclosures.description}")
        if plan.load_rate:
            self._crew.start(parts.load(site))
        self._await_scrapes()
        self._state = "ready"
        self._say(f"ready in {time.monotonic() - self._began:.1f} s: everything is scraped")

    def _write_configuration(self) -> None:
        site, root = self._site, self._site.directory.root
        addresses = {each.name: each.address for each in self._fleet.machines.values()}
        write_whole(root / "haproxy" / "haproxy.cfg", haproxy.configuration(site, addresses), 0o600)
        write_whole(root / "prometheus" / "prometheus.yml", prometheus.configuration(site, self._bongsu))
        prometheus.write_targets(site.directory.targets, {})
        write_whole(site.directory.secret("shop_dsn"), site.database_url + "\n", 0o600)
        write_whole(root / "bongsu" / "bongsu.toml", bongsu_toml(site), 0o600)

    def _chore(self, *arguments: str) -> Part:
        command = (*self._site.programs.shop, *arguments)
        return Part(arguments[0], command, lambda: False, environment=shop_environment(self._site), once=True)

    def _await(self, name: str, state: str = "running") -> None:
        self._until(lambda: self._crew.running[name].state == state, {name})

    def _await_scrapes(self) -> None:
        missing: set[str] = set()

        def done() -> bool:
            missing.clear()
            missing.update(prometheus.waiting_for(self._site, set(self._fleet.machines), self._bongsu))
            return not missing

        self._until(done, missing, step=0.2)

    def _until(self, done: Callable[[], bool], what: set[str], step: float = STEP) -> None:
        while not done():
            if time.monotonic() - self._began > START_WITHIN:
                logs = self._site.directory.root / "logs"
                raise BongsuError(f"not ready after {START_WITHIN:g} s: {', '.join(sorted(what))}; look into {logs}")
            self._turn(step, strict=self._state == "starting")
            if self._ended:
                raise Interrupted

    # -- running -------------------------------------------------------------------------------------------------

    def _turn(self, step: float = STEP, strict: bool = False) -> None:
        """One look at all parts, and at most one command."""
        known = {name: each.state for name, each in self._crew.running.items()}
        self._crew.look(strict)
        self._fleet.look(strict)
        for name, each in self._crew.running.items():
            if each.state == "running" != known.get(name):
                port = f"  127.0.0.1:{each.part.port}" if each.part.port else ""
                self._say(f"{name:<11} running{port}")
        self._publish()
        try:
            command = self._commands.get(timeout=step)
        except Empty:
            return
        if command is not None:
            self._obey(command)

    def _obey(self, command: Command) -> None:
        try:
            done = getattr(self, f"_do_{command.verb}")(**command.arguments)
        except (TypeError, ValueError) as error:
            command.answer.set_exception(InvalidInput([f"{command.verb}: {error}"]))
        except BongsuError as error:
            command.answer.set_exception(error)
        else:
            self._publish()  # first, so that whoever asks after the answer sees it done
            command.answer.set_result(done)

    def _do_add(self, name: str | None = None, balance: float | None = None) -> dict[str, object]:
        plan = self._site.plan
        credit = plan.newcomer_credits if balance is None else min(plan.type.cap, float(balance))
        machine = self._fleet.order(name, plan.boot_seconds, credit)
        self._say(f"machine {machine.name} ordered, boots in {plan.boot_seconds:.1f} s")
        return machine.report()

    def _do_remove(self, name: str) -> dict[str, object]:
        machine = self._fleet.dismiss(name)
        self._say(f"machine {name} removed")
        return machine.report()

    def _do_restart(self, name: str) -> dict[str, object]:
        if name not in self._crew.running or self._crew.running[name].part.once:
            there = ", ".join(name for name, each in self._crew.running.items() if not each.part.once)
            raise NotFound(f"there is no part {name!r} to restart; there are: {there}")
        self._crew.restart(name)
        self._say(f"{name} restarts as asked")
        return self._crew.running[name].report()

    def _do_load(self, **change: Any) -> dict[str, object]:
        load = self._crew.running.get("load")
        if load is None or load.process.stdin is None or load.process.poll() is not None:
            raise NotFound("no load driver runs with this lab; start it with --with-load RATE")
        try:
            load.process.stdin.write(json.dumps(change).encode() + b"\n")
            load.process.stdin.flush()
        except OSError as error:
            raise BongsuError(f"the load driver does not listen: {error}") from None
        return load.report()

    def _do_down(self) -> dict[str, object]:
        self._ended = True
        return {"state": "stopping"}

    def _publish(self) -> None:
        """Put what is known on the board, and on disk when the state changed."""
        site = self._site
        before = self._board.status.get("state")
        self._board.machines = [machine.report() for machine in self._fleet.machines.values()]
        self._board.status = {
            "state": self._state,
            "pid": os.getpid(),
            "speed": site.plan.speed,
            "origin": site.origin.isoformat(),
            "throttle": self._enclosures.description,
            "with_bongsu": self._bongsu,
            "endpoints": self._endpoints,
            "parts": [each.report() for each in self._crew.running.values() if each.state != "ended"],
        }
        if before != self._state:
            brief = {key: value for key, value in self._board.status.items() if key != "parts"}
            text = json.dumps({**brief, "control": site.url(site.ports.control), "plan": asdict(site.plan)}, indent=1)
            write_whole(site.directory.state, text, 0o600)

    # -- stopping ------------------------------------------------------------------------------------------------

    def _stop(self) -> None:
        """End everything. A second Ctrl-C no longer waits for anybody."""
        patience = [PATIENCE]
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: patience.append(0.0))
        self._say("stopping")
        self._state = "stopping"
        killed = self._crew.stop(lambda: patience[-1], self._fleet.ending())
        self._fleet.let_go()
        if killed:
            self._say(f"had to be killed: {', '.join(killed)}")
        left = sweep(self._site.directory.root)
        if left:
            self._say(f"swept {len(left)} processes that were left: {', '.join(map(str, left))}")
        with suppress(OSError):
            self._enclosures.sweep()
        self._site.directory.state.unlink(missing_ok=True)
        self._say(f"down; logs stay in {self._site.directory.root / 'logs'}")


def run_lab(plan: LabPlan, directory: LabDirectory, say: Callable[[str], None]) -> int:
    """Run a lab in this process's main thread until it is asked to end; returns the exit code.

    Raises InvalidInput, before anything is started, when programs are missing or the directory is taken.
    """
    with directory.claim():
        programs = find_programs(plan)
        enclosures = Enclosures(directory.mark, plan.throttle)
        swept = sweep(directory.root)
        groups = enclosures.sweep()
        if swept or groups:
            say(f"swept what a killed lab left: {len(swept)} processes, {len(groups)} cgroups")
        directory.prepare()
        origin = datetime.fromtimestamp(time.time(), UTC)
        return Supervisor(settle(plan, directory, programs, origin), enclosures, say).run()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a lab; errors go to standard error, exit code 2 for those that a person can mend."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--plan", required=True)
    options = parser.parse_args(arguments)

    def say(line: str) -> None:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()

    try:
        return run_lab(plan_from_json(options.plan), lab_directory(options.directory), say)
    except InvalidInput as error:
        for problem in error.problems:
            say(f"error: {problem}")
        return 2
    except PartDied as error:
        say(f"error: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
