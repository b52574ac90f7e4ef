"""The machine catalogue that ships with the package."""

from __future__ import annotations

from functools import cache
from importlib import resources

from bongsu.core.burst import MachineType
from bongsu.core.machines import parse_catalogue


@cache
def load_catalogue() -> dict[str, MachineType]:
    """Every known machine type by its key, such as ``lightsail:small-2GB``."""
    text = resources.files("bongsu.data").joinpath("burstable-machines.csv").read_text(encoding="utf-8")
    return parse_catalogue(text)
