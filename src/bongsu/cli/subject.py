"""What a command tries on the past: the service or machine type that is meant, and where its past comes from."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from bongsu.core.errors import InvalidInput
from bongsu.core.policy import Ceiling, Policy, Runway, Tier

if TYPE_CHECKING:  # numpy comes with it
    from bongsu.config import Config
    from bongsu.core.burst import MachineType
    from bongsu.core.verdicts import Past

DEFAULT = Path("bongsu.toml")
ORDINARY = Policy(
    "ordinary",
    tuple(Tier(timedelta(minutes=after), (who,)) for after, who in ((5, "on-call"), (20, "owner"), (40, "upper"))),
    ceiling=Ceiling(("on-call",)),
    runway=Runway(("on-call",)),
)
"""What is tried where there is no bongsu.toml: the tiers of a new installation."""


def configuration(path: Path) -> Config | None:
    """The configuration; None where the default one is not there."""
    from bongsu import config

    return None if path == DEFAULT and not path.exists() else config.load(path)


def subject(
    loaded: Config | None, machine: str | None, service: str | None, path: Path
) -> tuple[MachineType, Policy, str | None]:
    """The machine type, the policy and the service that are tried."""
    from bongsu.bootstrap import policy_of
    from bongsu.catalogue import load_catalogue
    from bongsu.config.machines import machines_of, unknown

    known = load_catalogue() if loaded is None else machines_of(loaded)
    section = None
    if loaded is not None and loaded.service:
        if service is None and len(loaded.service) == 1:
            service = next(iter(loaded.service))
        if service is not None and service not in loaded.service:
            raise InvalidInput([f"--service: {path} has no service {service!r}; it has {', '.join(loaded.service)}"])
        section = loaded.service[service] if service is not None else None
    kind = machine or (section.machine if section else None)
    if kind is None:
        several = loaded is not None and len(loaded.service) > 1
        raise InvalidInput(
            ["--service: name one of " + ", ".join(loaded.service)]
            if several and loaded is not None
            else ["--machine is missing: the machine type, such as lightsail:small-2GB"]
        )
    if kind not in known:
        raise InvalidInput([f"--machine: {unknown(kind, known)}"])
    if known[kind].cap <= 0:
        raise InvalidInput([f"--machine: {kind} has no cap; its credits cannot run out"])
    policy = policy_of(section.policy, loaded.policy[section.policy]) if loaded and section else ORDINARY
    return known[kind], policy, service


def pasts_of(
    csv: list[Path], since: str | None, loaded: Config | None, name: str | None
) -> tuple[list[Past], list[str]]:
    """The pasts of the files or of Prometheus, and what was noticed; every bad file is told at once."""
    from bongsu.cli.pasts import from_csv, from_prometheus

    if bool(csv) == bool(since):
        raise InvalidInput(["give either --csv FILE (once for each machine) or --since 30d (from Prometheus)"])
    if since is not None:
        if loaded is None or name is None:
            raise InvalidInput(
                ["--since asks the Prometheus that bongsu.toml names for a service; name it with --config"]
            )
        return from_prometheus(loaded, name, length(since))
    pasts, notes, problems = [], [], []
    for path in csv:
        try:
            past, told = from_csv(path)
        except InvalidInput as error:
            problems += error.problems
        else:
            pasts.append(past)
            notes += told
    if problems:
        raise InvalidInput(problems)
    return pasts, notes


def length(text: str) -> timedelta:
    """A length of time such as 30d."""
    found = re.fullmatch(r"(\d+)([hdw])", text.strip())
    if found is None or int(found[1]) == 0:
        raise InvalidInput([f"--since: {text!r} is not a length of time; write 30d, 72h or 4w"])
    return int(found[1]) * {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}[found[2]]
