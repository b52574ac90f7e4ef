"""What a first configuration is made of: the answers of a person, read strictly, and what can be proposed to them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from bongsu.core.burst import MachineType
from bongsu.core.errors import InvalidInput

_NAMED = re.compile(r"(?P<name>[^<>]*)<(?P<email>[^<>]*)>")
_RELAY = re.compile(r"(?:(?P<scheme>smtps?)://)?(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::(?P<port>\d{1,5}))?")
_SHOWN = 12
"""Machine types listed at once."""


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody to write to; ``key`` is the name of the section."""

    key: str
    name: str
    email: str


@dataclass(frozen=True, slots=True)
class Relay:
    """The mail relay. ``tls``: none, starttls or implicit."""

    host: str
    port: int
    tls: str


@dataclass(frozen=True, slots=True)
class LabSite:
    """The lab that is to be watched: how fast its time runs, and where its machines are ordered."""

    origin: datetime
    speed: float
    control: str


@dataclass(frozen=True, slots=True)
class Setup:
    """Everything that a first ``bongsu.toml`` says. ``signals`` are PromQL by signal, beside the profile's own.

    ``upper`` None: there is no department above ``team``; a team without an address is told member by member.
    ``scrape`` is service time; ``begins`` when the first turn of the rotation begins; ``state`` the folder for data.
    """

    service: str
    job: str
    profile: str
    machine: MachineType
    on_call: tuple[Contact, ...]
    team: Contact
    upper: Contact | None
    prometheus: str
    scrape: timedelta
    relay: Relay
    sender: str
    state: str
    begins: datetime
    user: str | None = None
    password_file: str | None = None
    locale: str = "en"
    time_zone: str = "UTC"
    public_url: str | None = None
    signals: Mapping[str, str] | None = None
    lab: LabSite | None = None


def slug(text: str, otherwise: str) -> str:
    """A text as a bare TOML key: a-z, 0-9 and dashes; ``otherwise`` where nothing of it is left."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii").lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or otherwise


def contact(text: str, taken: Collection[str] = ()) -> Contact:
    """``Kim Jimin <jimin@example.com>``, or the address alone, which is not judged. Raises InvalidInput."""
    named = _NAMED.fullmatch(text.strip())
    email = (named["email"] if named else text).strip()
    if "@" not in email:
        raise InvalidInput(
            [f"{text.strip()!r} has no address; write Kim Jimin <jimin@example.com>, or the address alone"]
        )
    local = email.partition("@")[0]
    name = named["name"].strip().strip('"') if named else ""
    base = slug(local, "person")
    key, number = base, 2
    while key in taken:
        key, number = f"{base}-{number}", number + 1
    return Contact(key, name or local, email)


def contacts(texts: Iterable[str]) -> tuple[Contact, ...]:
    """Several, with keys of their own; commas set them apart. Raises InvalidInput with every fault."""
    found: list[Contact] = []
    problems: list[str] = []
    for text in (each.strip() for given in texts for each in given.split(",")):
        if not text:
            continue
        try:
            found.append(contact(text, {each.key for each in found}))
        except InvalidInput as error:
            problems += error.problems
    if problems:
        raise InvalidInput(problems)
    if not found:
        raise InvalidInput(["somebody has to be on call; write Kim Jimin <jimin@example.com>"])
    twice = {each.email for each in found if sum(other.email == each.email for other in found) > 1}
    if twice:
        raise InvalidInput([f"{', '.join(sorted(twice))} is named twice"])
    return tuple(found)


def relay(text: str) -> Relay:
    """``host:port``: 465 is TLS from the start, 587 begins with STARTTLS, others are plain. Raises InvalidInput."""
    found = _RELAY.fullmatch(text.strip())
    port = int(found["port"] or (465 if found["scheme"] == "smtps" else 25)) if found else 0
    if found is None or not 0 < port < 65536:
        raise InvalidInput([f"{text.strip()!r} is not host:port; write smtp.example.com:587"])
    tls = "implicit" if port == 465 or found["scheme"] == "smtps" else "starttls" if port == 587 else "none"
    return Relay(found["host"].strip("[]"), port, tls)


def likely(catalogue: Mapping[str, MachineType], named: Collection[str], vcpus: int | None) -> list[MachineType]:
    """The machine types that it may be: one whose name was seen, else those with as many vCPUs, else all."""
    seen = {each.lower() for each in named}
    by_name = [each for key, each in catalogue.items() if {key.lower(), key.partition(":")[2].lower()} & seen]
    by_size = [each for each in catalogue.values() if each.vcpus == vcpus]
    return by_name or by_size or list(catalogue.values())


def machine(text: str, catalogue: Mapping[str, MachineType], among: Collection[MachineType]) -> MachineType:
    """The type that a person means: its name, or words that only one has, ``among`` the likely ones first.

    Raises InvalidInput that lists what fits.
    """
    words = text.lower().split()
    if not words:
        raise InvalidInput(["write the machine's type, or a part of its name, such as t3 or lightsail small"])
    exact = [each for each in catalogue.values() if text.strip().lower() in _names(each)]
    if len(exact) == 1:
        return exact[0]
    # who does not take the only proposal is looking for something else
    for choice in (among if len(among) > 1 else (), catalogue.values()):
        fits = [each for each in choice if all(word in each.key.lower() for word in words)]
        if len(fits) == 1:
            return fits[0]
        if fits:
            listed = "\n".join(f"  {line(each)}" for each in fits[:_SHOWN])
            more = f"\n  ... and {len(fits) - _SHOWN} more" if len(fits) > _SHOWN else ""
            raise InvalidInput([f"{len(fits)} types fit {text.strip()!r}; write more of the name:\n{listed}{more}"])
    providers = ", ".join(sorted({key.partition(":")[0] for key in catalogue}))
    raise InvalidInput(
        [f"there is no machine type like {text.strip()!r}; search for a provider ({providers}) or a size"]
    )


def line(each: MachineType) -> str:
    """A machine type for a list."""
    size = f"{each.vcpus} vCPU{'s' * (each.vcpus != 1)}"
    return f"{each.key:<28} {size:<8} baseline {each.baseline:>4.0%}  {each.cap:g} credits at most"


def _names(each: MachineType) -> tuple[str, str]:
    return each.key.lower(), each.key.partition(":")[2].lower()
