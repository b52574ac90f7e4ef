"""``bongsu.toml``: one typed tree. Every fault is found in one go, each with its place and what to do."""

from __future__ import annotations

import tomllib
from pathlib import Path

from bongsu.config.crossing import LOCALES, crossed
from bongsu.config.machines import machines_of
from bongsu.config.reading import read
from bongsu.config.sections import Config, PersonSection, PolicySection, Service, TeamSection
from bongsu.core.errors import InvalidInput
from bongsu.core.profile import Profile
from bongsu.profiles import profile_of, shipped

__all__ = [
    "LOCALES",
    "Config",
    "PersonSection",
    "PolicySection",
    "Service",
    "TeamSection",
    "load",
    "machines_of",
    "profiles_of",
]


def load(path: Path) -> Config:
    """Read and check a configuration file. Raises InvalidInput with every fault found."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidInput([f"{path}: cannot be read ({error.strerror}); name another file with --config"]) from None
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput([f"{path}: not valid TOML: {error}; mend that line"]) from None
    problems: list[str] = []
    config = read(Config, data, "", problems)
    if config is not None and not problems:
        problems = crossed(config)
    if problems:
        raise InvalidInput([f"{path}: {problem}" for problem in problems])
    assert config is not None
    return config


def profiles_of(config: Config) -> dict[str, Profile]:
    """Every profile by name: those of the package and the user's own."""
    own = {
        name: profile_of(name, section, shipped()[section.like] if section.like else None)
        for name, section in config.profile.items()
    }
    return {**shipped(), **own}
