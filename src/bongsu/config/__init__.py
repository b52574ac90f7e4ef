"""``bongsu.toml``: one typed tree. Every fault is found in one go, each with its place and what to do."""

from __future__ import annotations

import difflib
import tomllib
import typing
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from bongsu.catalogue import load_catalogue
from bongsu.core.errors import InvalidInput
from bongsu.core.profile import Profile
from bongsu.profiles import ProfileSection, profile_of, shipped

S = TypeVar("S", bound=msgspec.Struct)
LOCALES = ("en", "ko")


class HAProxy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="haproxy", tag_field="kind"):
    """A HAProxy whose runtime API listens on ``socket``; servers of ``backend`` are named like the machines."""

    socket: str
    backend: str


class Lab(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="lab", tag_field="kind"):
    """The lab's supervisor starts and stops machines; ``url`` is its control address."""

    url: str


class Service(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A service to watch: its Prometheus job, where its signals live, its machine type and its policy."""

    job: str = "application"
    profile: str = "micrometer"
    machine: str
    policy: str
    signals: dict[str, str] = {}
    balancer: HAProxy | None = None
    machines: Lab | None = None
    max_machines: int = 4
    access_log: Path | None = None


class TierSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom to tell after how long."""

    after: timedelta
    notify: list[str]


class CeilingSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The level that calls at once."""

    at: float = 0.95
    samples: int = 2
    notify: list[str]
    again_after: timedelta = timedelta(hours=1)


class RunwaySection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Calls when the credits would last less than this at 100 % CPU."""

    full_burn_under: timedelta = timedelta(minutes=30)
    notify: list[str]


class PolicySection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An escalation policy; ``over`` is ``"baseline"`` or a number (0..1 for the CPU)."""

    signal: str = "cpu"
    over: float | str = "baseline"
    settle: timedelta = timedelta(minutes=2)
    rejoin: timedelta = timedelta(minutes=30)
    ack_holds: timedelta = timedelta(minutes=15)
    tier: list[TierSection]
    ceiling: CeilingSection | None = None
    runway: RunwaySection | None = None
    throttled: list[str] | None = None
    blind: list[str] | None = None
    resolve_full_burn: timedelta = timedelta(minutes=10)
    flat_line: bool = True


class ContactSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A way to reach somebody."""

    email: str


class PersonSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person, with the language of the mails."""

    name: str
    locale: str = "en"
    contact: list[ContactSection] = []


class TeamSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A team or department."""

    name: str
    locale: str = "en"
    members: list[str] = []
    contact: list[ContactSection] = []


class RotationSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"start": "from"}):
    """People who take turns."""

    people: list[str]
    every: timedelta
    start: datetime


class ScheduleSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is on call."""

    rotation: RotationSection


class Prometheus(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The metrics store; ``scrape`` is its scrape interval in service time."""

    url: str = "http://127.0.0.1:9090"
    scrape: timedelta = timedelta(seconds=5)
    timeout: float = 5.0


class Watch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often to look, in service time, and how far back when nothing is known yet."""

    every: timedelta = timedelta(seconds=5)
    look_back: timedelta = timedelta(hours=6)


class Smtp(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"sender": "from"}):
    """The mail relay. ``tls``: none, starttls or implicit. ``timeout`` in seconds, for every step."""

    host: str = "127.0.0.1"
    port: int = 25
    sender: str = "bongsu@localhost"
    tls: str = "none"
    user: str | None = None
    password_file: Path | None = None
    timeout: float = 10.0


class Web(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The console: where it listens, the address that links in mails begin with, and its secrets' files."""

    host: str = "127.0.0.1"
    port: int = 8080
    public_url: str | None = None
    secrets: Path = Path("var/bongsu/secrets")
    link_expires: timedelta = timedelta(hours=24)


class Store(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bongsu's own database: ``sqlite:///file`` or ``postgresql+psycopg://...``."""

    url: str = "sqlite:///var/bongsu/bongsu.db"


class Time(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Service time against wall time; speed 1 unless this is a lab."""

    origin: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    speed: float = 1.0


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of ``bongsu.toml``."""

    service: dict[str, Service] = {}
    profile: dict[str, ProfileSection] = {}
    policy: dict[str, PolicySection] = {}
    person: dict[str, PersonSection] = {}
    team: dict[str, TeamSection] = {}
    schedule: dict[str, ScheduleSection] = {}
    prometheus: Prometheus = Prometheus()
    watch: Watch = Watch()
    smtp: Smtp = Smtp()
    web: Web = Web()
    store: Store = Store()
    timescale: Time = Time()


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
    config = _read(Config, data, "", problems)
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


def _read(kind: type[S], data: Any, at: str, problems: list[str]) -> S | None:
    """Convert field by field, so that one fault does not hide the next."""
    if not isinstance(data, dict):
        problems.append(f"{at or 'file'}: expected a table, got {type(data).__name__}; write [{at}] and keys below it")
        return None
    found = len(problems)
    names = dict(zip(kind.__struct_encode_fields__, kind.__struct_fields__, strict=True))
    hints = typing.get_type_hints(kind)
    tag = kind.__struct_config__.tag_field
    for key in data.keys() - names.keys() - {tag}:
        near = difflib.get_close_matches(key, names, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(sorted(names))}"
        problems.append(f"{_place(at, key)}: unknown key; {hint}")
    values = {
        name: _value(hints[name], data[key], _place(at, key), problems) for key, name in names.items() if key in data
    }
    missing = {f.encode_name for f in msgspec.structs.fields(kind) if f.required} - data.keys()
    problems.extend(f"{_place(at, key)}: missing; add it" for key in sorted(missing))
    return kind(**values) if len(problems) == found else None


def _value(hint: Any, value: Any, at: str, problems: list[str]) -> Any:
    args = typing.get_args(hint)
    structs = [each for each in (hint, *args) if isinstance(each, type) and issubclass(each, msgspec.Struct)]
    if typing.get_origin(hint) is dict and structs and isinstance(value, dict):
        return {name: _read(structs[0], each, _place(at, name), problems) for name, each in value.items()}
    if typing.get_origin(hint) is list and structs and isinstance(value, list):
        return [_read(structs[0], each, f"{at}[{number}]", problems) for number, each in enumerate(value, start=1)]
    if len(structs) == 1 and structs[0].__struct_config__.tag is None:
        return _read(structs[0], value, at, problems)
    try:
        return msgspec.convert(value, hint, dec_hook=_path)
    except msgspec.ValidationError as error:
        what = str(error).split(" - at ")[0].rstrip(".")
        hint_text = '; write durations like "PT5M"' if "duration" in what else ""
        problems.append(f"{at}: {what[0].lower()}{what[1:]}{hint_text}")
        return None


def _path(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise ValueError(f"expected a {kind.__name__.lower()}, got {value!r}")


def _place(at: str, key: str) -> str:
    return f"{at}.{key}" if at else key


def crossed(config: Config) -> list[str]:
    """Faults between sections: names that lead nowhere, tiers out of order, unknown machine types."""
    problems: list[str] = []
    for name, service in config.service.items():
        at = f"service.{name}"
        _known(f"{at}.machine", service.machine, load_catalogue(), problems)
        _known(f"{at}.policy", service.policy, config.policy, problems)
        _known(f"{at}.profile", service.profile, {**shipped(), **config.profile}, problems)
        if service.max_machines < 1:
            problems.append(f"{at}.max_machines: must be at least 1")
    for name, profile in config.profile.items():
        if name in shipped():
            problems.append(
                f"profile.{name}: this name is taken by a profile of Bongsu's; choose another and say like = {name!r}"
            )
        if profile.like is not None:
            _known(f"profile.{name}.like", profile.like, shipped(), problems)
    for name, policy in config.policy.items():
        problems.extend(_policy_problems(f"policy.{name}", policy, config))
    for name, team in config.team.items():
        for member in team.members:
            _known(f"team.{name}.members", member, config.person, problems)
    for name, schedule in config.schedule.items():
        at = f"schedule.{name}.rotation"
        for person in schedule.rotation.people:
            _known(f"{at}.people", person, config.person, problems)
        if schedule.rotation.every <= timedelta(0):
            problems.append(f"{at}.every: must be longer than nothing; a week is P7D")
        if schedule.rotation.start.tzinfo is None:
            problems.append(f"{at}.from: has no time zone; write 2026-01-05T09:00:00+09:00")
    for key, owner in (("person", config.person), ("team", config.team)):
        for name, each in owner.items():
            if each.locale not in LOCALES:
                problems.append(f"{key}.{name}.locale: {each.locale!r} is not spoken here; use {' or '.join(LOCALES)}")
            problems.extend(
                f"{key}.{name}.contact: {contact.email!r} is not an address; write name@host"
                for contact in each.contact
                if contact.email.count("@") != 1 or any(sign.isspace() for sign in contact.email)
            )
    if config.timescale.speed <= 0:
        problems.append("timescale.speed: must be above 0")
    if config.smtp.tls not in ("none", "starttls", "implicit"):
        problems.append("smtp.tls: must be none, starttls or implicit")
    return problems


def _policy_problems(at: str, policy: PolicySection, config: Config) -> list[str]:
    problems: list[str] = []
    if not policy.tier:
        problems.append(f"{at}.tier: empty; give at least one tier, or nobody is ever told")
    afters = [tier.after for tier in policy.tier]
    if afters != sorted(afters):
        problems.append(f"{at}.tier: the tiers' `after` must rise")
    if isinstance(policy.over, str) and policy.over != "baseline":
        problems.append(f'{at}.over: must be "baseline" or a number, not {policy.over!r}')
    targets = [("tier", target) for tier in policy.tier for target in tier.notify]
    for key, section in (("ceiling", policy.ceiling), ("runway", policy.runway)):
        targets += [(key, target) for target in (section.notify if section else [])]
    targets += [("throttled", target) for target in policy.throttled or []]
    targets += [("blind", target) for target in policy.blind or []]
    known: dict[str, Mapping[str, object]] = {
        "on-call": config.schedule,
        "team": config.team,
        "person": config.person,
    }
    for key, target in targets:
        kind, _, name = target.partition(":")
        if kind not in known:
            problems.append(f"{at}.{key}.notify: {target!r} is not on-call:NAME, team:NAME or person:NAME")
        else:
            _known(f"{at}.{key}.notify", name, known[kind], problems, of=kind)
    return problems


def _known(at: str, name: str, among: Mapping[str, object], problems: list[str], of: str = "") -> None:
    if name in among:
        return
    near = difflib.get_close_matches(name, among, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(among)[:8]) or 'none yet'}"
    problems.append(f"{at}: there is no {of or at.rsplit('.', 1)[-1]} {name!r}; {hint}")
