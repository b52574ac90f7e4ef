"""Machine types: those of the catalogue, and the user's own from ``[machine.NAME]``."""

from __future__ import annotations

from collections.abc import Mapping

from bongsu.catalogue import load_catalogue
from bongsu.config.sections import Config, MachineSection, Service
from bongsu.core.burst import MachineType
from bongsu.core.machines import faults, nearest


def machines_of(config: Config) -> dict[str, MachineType]:
    """Every machine type by the name that a service gives."""
    return {**load_catalogue(), **{name: _type(name, section) for name, section in config.machine.items()}}


def machine_problems(config: Config) -> list[str]:
    """What is wrong with the user's own machine types, and services whose type nobody knows."""
    problems = []
    for name, section in config.machine.items():
        at = f"machine.{name}"
        if name in load_catalogue():
            problems.append(f"{at}: this name is taken by the catalogue; choose another")
        problems += [f"{at}: {fault}" for fault in faults(_type(name, section))]
    known = {**load_catalogue(), **config.machine}
    problems += [
        f"service.{name}.machine: {unknown(service.machine, known)}"
        for name, service in config.service.items()
        if service.machine not in known
    ]
    return problems + [each for name, service in config.service.items() for each in _provider(name, service)]


def _provider(name: str, service: Service) -> list[str]:
    """What is wrong with who is asked for the balance."""
    said, at = service.provider, f"service.{name}.provider"
    if said is None:
        return []
    problems = []
    if not said.instances:
        problems.append(f'{at}.instances: name at least one, as {{ "10.0.0.5:8080" = "the provider\'s name" }}')
    if service.machine in load_catalogue() and not service.machine.startswith(f"{said.kind}:"):
        problems.append(f"{at}.kind: {said.kind} does not sell {service.machine}; correct one of the two")
    return problems


def unknown(key: str, known: Mapping[str, object]) -> str:
    """What to say of a machine type that nobody knows."""
    near = nearest(key, known)
    hint = f"did you mean {' or '.join(repr(each) for each in near)}?" if near else "bongsu init lists the known ones"
    return f"there is no machine type {key!r}; {hint} Describe one of your own as [machine.NAME]: docs/machine-types.md"


def _type(name: str, section: MachineSection) -> MachineType:
    return MachineType(
        name,
        section.vcpus,
        section.baseline,
        1440 * section.vcpus * section.baseline if section.cap is None else section.cap,
        section.launch_credits,
        mode=section.mode,
        on_stop=section.on_stop,
        surplus_price=section.surplus_price,
        currency=section.currency,
        ramp_minutes=section.ramp_minutes,
        month_price=section.month_price,
        source="bongsu.toml",
    )
