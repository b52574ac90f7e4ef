"""What a lab is to be: sizes, speed, credits. A value that travels between processes as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from datetime import timedelta
from typing import Any

from bongsu.catalogue import load_catalogue
from bongsu.core.burst import MachineType
from bongsu.core.errors import InvalidInput
from bongsu.lab.policy import PolicyText

THROTTLES = ("auto", "cgroup", "duty")


@dataclass(frozen=True, slots=True)
class LabPlan:
    """A lab before it starts. Raises InvalidInput with every fault.

    ``size``: cores of a machine at 100 %. ``speed``: lab seconds per real second.
    ``opening_balance``: credits (vCPU-minutes) of the machines the lab starts with; None is a tenth of the cap.
    ``newcomer_balance``: credits of machines added later; None is what the type gives at launch, or, where the
    vendor does not publish it, an hour's earnings. ``boot_delay``: lab seconds before a new machine's process starts.
    ``throttle``: how CPU is capped: ``cgroup``, ``duty`` (stop and continue) or ``auto``.
    ``load_rate``: arrivals per real second of a load driver that runs with the lab; None is none.
    ``prepared``: start the processes of all later machines beforehand and freeze them, so that a machine that is added
    does not take the CPU of those that are busy. ``policy``: whom Bongsu tells after how long.
    """

    machines: int = 2
    size: float = 0.4
    speed: float = 60.0
    machine_type: str = "lightsail:small-2GB"
    opening_balance: float | None = None
    newcomer_balance: float | None = None
    boot_delay: float = 60.0
    throttle: str = "auto"
    bongsu: bool = True
    max_machines: int = 4
    load_rate: float | None = None
    load_seconds: float = 3600.0
    seed: int = 1
    products: int = 200
    users: int = 500
    shop_command: tuple[str, ...] = ()
    prepared: bool = False
    policy: PolicyText = field(default_factory=PolicyText)

    def __post_init__(self) -> None:
        problems = []
        if not 1 <= self.machines <= 16:
            problems.append(f"machines: {self.machines} is not between 1 and 16; two is a good start")
        if not 0.05 <= self.size <= 8:
            problems.append(f"size: {self.size} cores is not between 0.05 and 8; 0.4 lets three fit on two cores")
        if not 1 <= self.speed <= 600:
            problems.append(f"speed: {self.speed} is not between 1 and 600; 60 makes a second stand for a minute")
        if self.machine_type not in load_catalogue():
            near = ", ".join(key for key in load_catalogue() if key.startswith("lightsail:"))
            problems.append(f"machine type {self.machine_type!r} is not in the catalogue; for example: {near}")
        if self.throttle not in THROTTLES:
            problems.append(f"throttle: {self.throttle!r} is none of {', '.join(THROTTLES)}")
        if self.boot_delay < 0:
            problems.append("boot delay: must not be negative")
        if min(self.opening_balance or 0, self.newcomer_balance or 0, self.load_rate or 0) < 0:
            problems.append("balances and rates must not be negative")
        if problems:
            raise InvalidInput(problems)

    @property
    def type(self) -> MachineType:
        """The machine type."""
        return load_catalogue()[self.machine_type]

    @property
    def opening_credits(self) -> float:
        """Credits of the machines the lab starts with."""
        wanted = 0.1 * self.type.cap if self.opening_balance is None else self.opening_balance
        return min(self.type.cap, wanted)

    @property
    def newcomer_credits(self) -> float:
        """Credits of a machine that is added later."""
        launch = self.type.launch_credits or 60 * self.type.earn_per_minute
        return min(self.type.cap, launch if self.newcomer_balance is None else self.newcomer_balance)

    @property
    def boot_seconds(self) -> float:
        """Real seconds before a new machine's process starts."""
        return self.boot_delay / self.speed

    @property
    def scrape_interval(self) -> float:
        """Real seconds between scrapes: a lab minute, but never under 1 s nor over 5 s."""
        return min(5.0, max(1.0, 60.0 / self.speed))

    @property
    def service_scrape(self) -> timedelta:
        """The scrape interval in lab time."""
        return timedelta(seconds=self.scrape_interval * self.speed)

    def to_json(self) -> str:
        """The plan as a JSON object."""
        return json.dumps(asdict(self))


def plan_from_json(text: str) -> LabPlan:
    """Read back what ``to_json`` wrote. Raises InvalidInput."""
    try:
        data: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise InvalidInput([f"lab plan: not JSON: {error}"]) from None
    unknown = data.keys() - {each.name for each in fields(LabPlan)}
    if unknown:
        raise InvalidInput([f"lab plan: unknown key {name!r}" for name in sorted(unknown)])
    data["shop_command"] = tuple(data.get("shop_command", ()))
    policy = data.pop("policy", {})
    data["policy"] = PolicyText(**{**policy, "tiers": tuple(policy.get("tiers", PolicyText().tiers))})
    return LabPlan(**data)
