"""Profiles as TOML: those that ship with the package, and the form in which a user writes one."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources

import msgspec

from bongsu.core.profile import Profile, Reading, Source


class ReadingSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way to get a signal; see :class:`bongsu.core.profile.Reading`."""

    query: str
    needs: list[str] = []
    how: str = ""


class SourceSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The ways to get a signal, the best first, and what to ``add`` when the best does not fit."""

    reading: list[ReadingSection] = []
    add: str = ""


class ProfileSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A profile; ``like`` names one whose signals it takes over where it has none of its own."""

    title: str = ""
    like: str | None = None
    known_by: list[str] = []
    signal: dict[str, SourceSection] = {}


def profile_of(name: str, section: ProfileSection, base: Profile | None = None) -> Profile:
    """A profile's core value, on top of the one that it is like."""
    own = {
        signal: Source(
            tuple(Reading(each.query.strip(), tuple(each.needs), each.how) for each in source.reading), source.add
        )
        for signal, source in section.signal.items()
    }
    known_by = tuple(section.known_by) or (base.known_by if base else ())
    return Profile(name, section.title or name, known_by, {**(base.signals if base else {}), **own})


@cache
def shipped() -> dict[str, Profile]:
    """The profiles that come with Bongsu, by name."""
    folder = resources.files("bongsu.data").joinpath("profiles")
    texts = {each.name.removesuffix(".toml"): each.read_text(encoding="utf-8") for each in folder.iterdir()}
    return {
        name: profile_of(name, msgspec.convert(tomllib.loads(text), ProfileSection))
        for name, text in sorted(texts.items())
    }
