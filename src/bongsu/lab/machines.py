"""The lab's machines: the shop, one process group each, capped like the burstable machine it stands for."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bongsu.core.errors import InvalidInput, NotFound
from bongsu.lab.governor import Entry, write_roster
from bongsu.lab.loopback import HOST, answers
from bongsu.lab.parts import PartDied, ending
from bongsu.lab.processes import Ending, last_lines, launch, signal_group, stop_all
from bongsu.lab.prometheus import write_targets
from bongsu.lab.site import Site
from bongsu.lab.throttle import Enclosure, Enclosures

_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_BETWEEN_PROBES = 0.2


@dataclass(slots=True)
class Machine:
    """One machine. ``due``: when its process starts (monotonic); ``credits``: where its bucket begins.

    Its bucket counts from when the shop answers: the boot delay stands for the boot in lab time, and the seconds that
    Python really takes to start would count as so many lab minutes at full CPU. A ``warm`` machine, one that the lab
    starts with, stands for a machine that booted long ago: it is not even capped before it answers.
    A ``frozen`` one was started beforehand and stopped: a boot in the cloud takes nothing from the busy machines.
    """

    name: str
    port: int
    metrics_port: int
    credits: float
    due: float
    warm: bool = False
    frozen: bool = False
    state: str = "booting"
    process: subprocess.Popen[bytes] | None = None
    enclosure: Enclosure | None = None
    probed: float = 0.0

    @property
    def address(self) -> str:
        """Where the shop answers."""
        return f"{HOST}:{self.port}"

    @property
    def metrics_address(self) -> str:
        """Where the metrics are served even while the shop is starved."""
        return f"{HOST}:{self.metrics_port}"

    def report(self) -> dict[str, object]:
        """For the control API."""
        pid = self.process.pid if self.process is not None and self.process.poll() is None else None
        return {
            "name": self.name,
            "address": self.address,
            "metrics_address": self.metrics_address,
            "state": self.state,
            "pid": pid,
        }


class Fleet:
    """All machines of a lab. Used from the main thread alone."""

    def __init__(self, site: Site, enclosures: Enclosures, say: Callable[[str], None]) -> None:
        """``say`` takes lines for the person who watches."""
        self._site = site
        self._enclosures = enclosures
        self._say = say
        self._count = 0
        self._images: dict[str, Machine] = {}
        self.machines: dict[str, Machine] = {}

    @property
    def prepared(self) -> bool:
        """Whether every image is ready to become a machine."""
        return all(image.frozen for image in self._images.values())

    def prepare(self, count: int) -> None:
        """Start processes that are frozen once they answer, and become machines when machines are ordered."""
        for _ in range(count):
            name = self._next_name()
            ports = self._site.next_port(), self._site.next_port()
            self._images[name] = Machine(name, *ports, credits=0.0, due=float("inf"), warm=True)

    def start_now(self) -> None:
        """What was ordered for later starts at once."""
        for machine in (*self.machines.values(), *self._images.values()):
            machine.due = 0.0

    @property
    def booting(self) -> bool:
        """Whether a machine is on its way."""
        return any(machine.state == "booting" for machine in self.machines.values())

    def order(self, name: str | None, delay: float, credit: float, warm: bool = False) -> Machine:
        """Add a machine that boots after ``delay`` real seconds with ``credit`` credits; by name only once.

        Raises InvalidInput for a bad name and when there are too many.
        """
        if name is not None and name in self.machines and self.machines[name].state != "stopped":
            return self.machines[name]
        if name is not None and not _NAME.fullmatch(name):
            raise InvalidInput([f"machine name {name!r}: use small letters, digits and dashes, such as m3"])
        living = sum(machine.state != "stopped" for machine in self.machines.values())
        if living >= max(self._site.plan.max_machines, self._site.plan.machines):
            raise InvalidInput(
                [f"there are {living} machines already, the most this lab takes; start it with --max-machines"]
            )
        if name is None:
            name = next(iter(self._images), None) or self._next_name()
        image = self._images.pop(name, None)
        if image is not None:
            image.credits, image.due, image.warm = credit, time.monotonic() + delay, False
            self.machines[name] = image
            return image
        port, metrics_port = self._site.next_port(), self._site.next_port()
        machine = Machine(name, port, metrics_port, credit, time.monotonic() + delay, warm)
        self.machines[name] = machine
        return machine

    def _next_name(self) -> str:
        """Names are not used twice: the series of a machine that is gone stay its own."""
        while True:
            self._count += 1
            if f"m{self._count}" not in self.machines.keys() | self._images.keys():
                return f"m{self._count}"

    def look(self, strict: bool = False) -> None:
        """Start who is due, see who answers and who died.

        A machine that dies is an event the shop has to survive, not the lab's end; but ``strict``, while the lab
        itself starts, raises PartDied.
        """
        now = time.monotonic()
        for name, image in list(self._images.items()):
            if not image.frozen and self._look_at_image(image, now):
                del self._images[name]
        for machine in self.machines.values():
            if machine.process is None or machine.frozen:
                if machine.state == "booting" and now >= machine.due:
                    self._boot(machine)
            elif (code := machine.process.poll()) is not None:
                if machine.state != "stopped":
                    self._died(machine, code, strict)
            elif machine.state == "booting" and now - machine.probed > _BETWEEN_PROBES:
                machine.probed = now
                if answers(f"http://{machine.address}/healthz/ready", timeout=0.5):
                    machine.state = "running"
                    self._publish()
                    self._say(f"machine {machine.name}  running  {machine.address}")

    def _look_at_image(self, image: Machine, now: float) -> bool:
        """Start an image, freeze it once it answers; whether it died."""
        if image.process is None:
            if now >= image.due:
                self._boot(image)
        elif image.process.poll() is not None:
            self._say(f"image {image.name} died; a machine by that name will boot from scratch")
            self._let_go(image)
            return True
        elif now - image.probed > _BETWEEN_PROBES:
            image.probed = now
            if answers(f"http://{image.address}/healthz/ready", timeout=0.5):
                signal_group(image.process.pid, signal.SIGSTOP)
                image.frozen = True
        return False

    def _died(self, machine: Machine, code: int, strict: bool) -> None:
        machine.state = "stopped"
        log = self._site.directory.log(machine.name)
        message = f"machine {machine.name} died ({ending(code)}), its last lines:\n{last_lines(log)}"
        if strict:
            raise PartDied(message)
        self._say(message)
        self._publish()
        self._let_go(machine)

    def _boot(self, machine: Machine) -> None:
        if machine.frozen and machine.process is not None and machine.enclosure is not None:
            if machine.enclosure.kind == "cgroup":
                machine.enclosure.throttle().limit(self._site.plan.size)
            machine.frozen = False
            signal_group(machine.process.pid, signal.SIGCONT)
            self._publish()
            return
        site = self._site
        folder = site.directory.machine(machine.name)
        folder.mkdir(parents=True, exist_ok=True)
        enclosure = self._enclosures.make(machine.name)
        if enclosure.kind == "cgroup" and not machine.warm:
            enclosure.throttle().limit(site.plan.size)  # the governor follows within a tick
        command = (
            *site.programs.shop, "serve", "--host", HOST, "--port", str(machine.port),
            "--metrics-port", str(machine.metrics_port),
        )  # fmt: skip
        with site.directory.log(machine.name).open("ab") as log:
            machine.process = launch(
                command,
                lab=site.directory.root,
                stdout=log,
                environment={**shop_environment(site), **_identity(machine.name, folder)},
                groups=enclosure.entrances(),
            )
        machine.enclosure = self._enclosures.begun(enclosure, machine.process.pid)
        self._publish()

    def dismiss(self, name: str) -> Machine:
        """Stop a machine and forget it. Raises NotFound."""
        if name not in self.machines:
            raise NotFound(f"there is no machine {name!r}; there are: {', '.join(self.machines) or 'none'}")
        machine = self.machines.pop(name)
        machine.state = "stopped"
        self._publish()
        stop_all(self._ending([machine]))
        self._let_go(machine)
        return machine

    def ending(self) -> Ending:
        """All machines, freed of their caps and ready to be ended with the other parts; then call ``let_go``."""
        machines = [*self.machines.values(), *self._images.values()]
        for machine in machines:
            machine.state = "stopped"
        return self._ending(machines)

    def let_go(self) -> None:
        """Remove the cgroups of machines that have ended."""
        for machine in (*self.machines.values(), *self._images.values()):
            self._let_go(machine)

    def _ending(self, machines: list[Machine]) -> Ending:
        for machine in machines:
            if machine.enclosure is not None and machine.enclosure.kind == "cgroup":
                machine.enclosure.throttle().close()  # a starved process would take seconds to end
        return {each.name: (each.process, signal.SIGTERM) for each in machines if each.process is not None}

    def _let_go(self, machine: Machine) -> None:
        if machine.enclosure is not None:
            self._enclosures.remove(machine.enclosure)
            machine.enclosure = None

    def _publish(self) -> None:
        """Write the governor's roster and Prometheus' targets.

        A machine that died is off the roster and stays a target: that it does not answer is what ``up`` is for.
        """
        plan = self._site.plan
        begun = [each for each in self.machines.values() if each.enclosure is not None and not each.frozen]
        roster = [
            Entry(each.name, plan.machine_type, plan.size, each.credits, each.enclosure)
            for each in begun
            if each.enclosure is not None and each.state == "running"
        ]
        write_roster(self._site.directory.roster, roster)
        write_targets(self._site.directory.targets, {each.name: each.metrics_address for each in begun})


def shop_environment(site: Site) -> dict[str, str]:
    """What every process of the shop is told."""
    return {
        "SHOP_DATABASE_URL": site.database_url,
        "SHOP_USER_HASH_KEY_FILE": str(site.directory.secret("user_hash_key")),
    }


def _identity(name: str, folder: Path) -> dict[str, str]:
    return {"SHOP_MACHINE": name, "SHOP_LOG_FILE": str(folder / "access.jsonl")}
