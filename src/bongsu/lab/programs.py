"""The programs a lab needs, and how to get those that are missing."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from bongsu.core.errors import InvalidInput
from bongsu.lab.plan import LabPlan

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


def find_program(name: str) -> str | None:
    """A program on PATH, in the system folders that a user's PATH may lack, or in PostgreSQL's own folder."""
    on_path = shutil.which(name) or shutil.which(name, path="/usr/local/sbin:/usr/sbin:/sbin")
    if on_path is not None or PACKAGES.get(name) != "postgresql":
        return on_path
    # Debian keeps the servers of each PostgreSQL version in a folder of their own; the newest is wanted.
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    return str(versions[-1]) if versions else None


def shop_command() -> tuple[str, ...]:
    """How the shop is started: its own interpreter beside the project, or the one in BONGSU_SHOP_PYTHON."""
    python = os.environ.get("BONGSU_SHOP_PYTHON")
    if python is None:
        python = str(Path(__file__).resolve().parents[3] / "shop" / ".venv" / "bin" / "python")
    return (python, "-m", "shop")
