"""The programs a lab needs, and how to get those that are missing."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from bongsu.core.errors import InvalidInput
from bongsu.lab.plan import LabPlan
from bongsu.programs import find_program

__all__ = ["PACKAGES", "SHOP_INVARIANTS", "Programs", "find_program", "find_programs", "shop_command"]

PACKAGES = {
    "haproxy": "haproxy",
    "prometheus": "prometheus",
    "initdb": "postgresql",
    "postgres": "postgresql",
    "setpriv": "util-linux",
    "unshare": "util-linux",
}


@dataclass(frozen=True, slots=True)
class Programs:
    """Where the programs are; ``shop`` is the command that the shop's sub-commands are appended to."""

    haproxy: str
    prometheus: str
    initdb: str
    postgres: str
    shop: tuple[str, ...]


def find_programs(plan: LabPlan) -> Programs:
    """Find every program. Raises InvalidInput that names all the missing ones and the command that installs them."""
    found = {name: find_program(name) for name in PACKAGES}
    missing = [name for name, path in found.items() if path is None]
    problems = []
    if missing:
        packages = sorted({PACKAGES[name] for name in missing})
        problems.append(
            f"missing programs: {', '.join(missing)}. Install them with: "
            f"apt-get install --no-install-recommends {' '.join(packages)}"
            "   (the lab uses its own ports and data, not the services that these packages start)"
        )
    shop = plan.shop_command or shop_command()
    if not Path(shop[0]).is_file() and shutil.which(shop[0]) is None:
        problems.append(
            f"the shop's environment is missing: there is no {shop[0]}. Make it with: sh bin/install"
            "   or name another interpreter in BONGSU_SHOP_PYTHON"
        )
    if problems:
        raise InvalidInput(problems)
    paths = {name: path for name, path in found.items() if path is not None}
    return Programs(paths["haproxy"], paths["prometheus"], paths["initdb"], paths["postgres"], shop)


SHOP = Path(__file__).resolve().parents[3] / "shop"
SHOP_INVARIANTS = SHOP / "src" / "shop" / "invariants"


def shop_command() -> tuple[str, ...]:
    """How the shop is started: its own interpreter beside the project, or the one in BONGSU_SHOP_PYTHON."""
    python = os.environ.get("BONGSU_SHOP_PYTHON")
    if python is None:
        python = str(SHOP / ".venv" / "bin" / "python")
    return (python, "-m", "shop")
