"""What a look at a service's metrics finds: the signals that are there, and what is wrong with the page they are on."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bongsu.core.profile import Profile, Reading, recognise
from bongsu.core.signal import SIGNALS

MANY_SERIES = 5_000
"""Series of one target from which on Prometheus and the dashboards feel it."""
MANY_VALUES = 1_000
"""Values of one label from which on it is no label but data."""
SLOW = 3.0
"""Seconds after which a scrape every five seconds is in danger."""


class Level(StrEnum):
    """How much a finding matters: an error keeps Bongsu from seeing something."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: what, where, and what to do about it (nothing to do when it is fine)."""

    level: Level
    what: str
    where: str
    do: str = ""


class Presence(StrEnum):
    """Whether a signal can be had."""

    THERE = "there"
    SECOND_BEST = "second best"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Standing:
    """A signal of a service. ``how`` is the figure it is ("p95", "mean"), or why it is missing; ``add`` is the line
    that makes it whole; ``series`` is how many series its query gives now, None when nobody asked."""

    signal: str
    presence: Presence
    how: str = ""
    add: str = ""
    reading: Reading | None = None
    series: int | None = None


@dataclass(frozen=True, slots=True)
class Values:
    """The values of one metric on a page: how many, and how many of them are NaN or below zero."""

    count: int = 0
    nan: int = 0
    negative: int = 0

    def unusable(self) -> str:
        """Why no value means anything; "" when one does. -1 is what a JVM says where it cannot measure."""
        if self.count and self.nan + self.negative == self.count:
            return "only NaN" if self.nan else "only negative values"
        return ""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of metrics as it was read.

    ``labels`` are the values seen by label name, a bounded number of each. ``cut`` says why reading ended early, ""
    when it did not. ``malformed`` holds the first lines that Prometheus would refuse, each with its number.
    """

    url: str
    names: Mapping[str, Values] = field(default_factory=dict)
    labels: Mapping[str, frozenset[str]] = field(default_factory=dict)
    series: int = 0
    size: int = 0
    seconds: float = 0.0
    content_type: str = "text/plain"
    cut: str = ""
    unfinished: bool = False
    malformed: tuple[tuple[int, str], ...] = ()
    malformed_lines: int = 0
    duplicates: int = 0
    duplicate: str = ""
    asked: str = ""

    def unusable(self) -> Mapping[str, str]:
        """Metrics without a usable value, each with the reason."""
        return {name: why for name, values in self.names.items() if (why := values.unusable())}


def standings(
    profile: Profile, names: Collection[str], unusable: Mapping[str, str] | None = None
) -> tuple[Standing, ...]:
    """Every signal there is, in the usual order. A signal without a usable value is missing, never 0."""
    usable = set(names) - set(unusable or {})
    return tuple(_standing(signal, profile, usable, names, unusable or {}) for signal in SIGNALS)


def _standing(
    signal: str, profile: Profile, usable: Collection[str], names: Collection[str], unusable: Mapping[str, str]
) -> Standing:
    source = profile.signals.get(signal)
    if source is None:
        return Standing(signal, Presence.MISSING)
    best = source.best(usable)
    if best is None:
        dead = source.best(names)
        why = next((unusable[name] for name in unusable if dead and dead.needs_name(name)), "")
        return Standing(signal, Presence.MISSING, f"{why} is exported" if why else "", source.add)
    if best.how == source.readings[0].how:
        return Standing(signal, Presence.THERE, best.how, "", best)
    return Standing(signal, Presence.SECOND_BEST, best.how, source.add, best)


def of_profile(
    where: str, profiles: Collection[Profile], names: Collection[str], chosen: Profile | None
) -> tuple[Profile | None, list[Finding]]:
    """The profile to read ``names`` with, and what to say about it. ``chosen`` is the configured one."""
    best = recognise(profiles, names)
    if chosen is not None and (chosen.fit(names) > 0 or not chosen.known_by):
        return chosen, [Finding(Level.OK, f"profile {chosen.name}: {chosen.title}", where)]
    if chosen is not None:
        do = f'set profile = "{best.name}"' if best else "check the job, or write a profile of your own: [profile.NAME]"
        what = f"profile {chosen.name} fits none of its {len(names)} metrics" + (f", {best.name} does" if best else "")
        return chosen, [Finding(Level.ERROR, what, where, do)]
    if best is None:
        known = ", ".join(sorted(profile.name for profile in profiles))
        do = f"known are {known}; write your own as [profile.NAME] with known_by and signals"
        return None, [Finding(Level.ERROR, f"no profile fits any of its {len(names)} metrics", where, do)]
    if best.fit(names) < 0.5:
        what = f"profile {best.name} fits, but hardly: {best.fit(names):.0%} of what it is known by is there"
        return best, [Finding(Level.WARNING, what, where, "see below which signals are missing")]
    return best, [Finding(Level.OK, f"profile {best.name}: {best.title}", where)]


def of_page(page: Page) -> list[Finding]:
    """What is wrong with a page of metrics, or that nothing is."""
    found: list[Finding] = []

    def say(level: Level, what: str, do: str) -> None:
        found.append(Finding(level, what, page.url, do))

    if page.asked and page.asked != page.url:
        say(Level.WARNING, f"{page.asked} redirects here", f"let Prometheus scrape {page.url} itself")
    if page.cut:
        say(Level.ERROR, f"{page.cut}; only what came before was examined", "export fewer series or fewer labels")
    elif page.unfinished:
        do = "Prometheus refuses the whole scrape: look for a proxy or a process that ends while it answers"
        say(Level.ERROR, "half a payload: the answer ends before the metrics do", do)
    if page.malformed_lines:
        number, text = page.malformed[0]
        what = f"{page.malformed_lines} lines are not metrics, the first is line {number}: {text[:80]!r}"
        say(Level.ERROR, what, "Prometheus refuses the whole scrape for one such line: mend the exporter")
    if page.duplicates:
        what = f"{page.duplicates} series are there twice, such as {page.duplicate[:120]}"
        say(Level.WARNING, what, "Prometheus keeps one of each: register the collector once")
    if not page.content_type.startswith(("text/plain", "application/openmetrics-text")):
        what = f"the Content-Type is {page.content_type or 'missing'}"
        say(Level.WARNING, what, "Prometheus 3 refuses that: answer with text/plain; version=0.0.4")
    if page.series > MANY_SERIES:
        what = f"{page.series:,} series on one target"
        say(Level.WARNING, what, "find the label that multiplies them; Bongsu reads about 40 metrics")
    if page.seconds > SLOW and not page.cut:
        what = f"the page took {page.seconds:.1f} s"
        say(Level.WARNING, what, "a scrape every 5 s will time out under load: give metrics a thread of their own")
    for label, values in sorted(page.labels.items()):
        found += of_label(label, values, page.url)
    if not any(finding.level is Level.ERROR for finding in found):
        what = f"{len(page.names)} metrics, {page.series} series, {page.size / 1024:.0f} KiB in {page.seconds:.2f} s"
        found.insert(0, Finding(Level.OK, what, page.url))
    return found


_NO_IDS = frozenset(
    {"le", "quantile", "job", "instance", "cpu", "core", "device", "mountpoint", "mode", "status", "code", "version",
     "revision", "http_response_status_code", "http_status_code", "partition", "shard", "pid", "tid", "collector",
     "address", "port", "node_name", "__name__"}
)  # fmt: skip
"""Labels whose many values are meant."""
_PEOPLE = re.compile(
    r"(?:.*[_.])?(?:user|customer|member|account|visitor|session|order|cart|payment|request|trace|client)"
    r"_?(?:id|no|key|hash|token|uuid)|(?:.*_)?(?:email|e_mail|phone|token|jwt|userid|username)",
    re.IGNORECASE,
)
_KINDS = (
    ("e-mail addresses", 3, re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")),
    ("UUIDs", 10, re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")),
    ("hashes or tokens", 10, re.compile(r"[0-9a-fA-F]{16,}|[A-Za-z0-9_-]{32,}")),
    ("addresses of computers", 20, re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")),
    ("paths with a number in them instead of a route", 10, re.compile(r"/.*/?\d+(?:/.*)?")),
    ("numbers", 100, re.compile(r"\d+")),
)


def suspicious(label: str) -> bool:
    """Whether the label's name alone says that it tells people or requests apart."""
    return label not in _NO_IDS and _PEOPLE.fullmatch(label) is not None


def innocent(label: str) -> bool:
    """Whether many values of this label are meant."""
    return label in _NO_IDS


def of_label(label: str, values: Collection[str], where: str) -> list[Finding]:
    """Whether a label's values look like ids of people or requests. They are never repeated: they may be names."""
    if innocent(label):
        return []
    do = "every new value is a new series for ever: take the label out; who was affected belongs in the access log"
    for kind, least, shape in _KINDS:
        alike = sum(1 for value in values if shape.fullmatch(value))
        if alike >= least and alike >= 0.8 * len(values):
            what = f"label {label} has {len(values):,} values that look like {kind}"
            return [Finding(Level.WARNING, what, where, do)]
    if suspicious(label) and len(values) >= 10:
        return [Finding(Level.WARNING, f"label {label} has {len(values):,} values", where, do)]
    if len(values) >= MANY_VALUES:
        return [Finding(Level.WARNING, f"label {label} has {len(values):,} values or more", where, do)]
    return []
