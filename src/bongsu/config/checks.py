"""What is wrong with one value: an address that mail cannot be sent to, a time zone that does not exist, a pattern."""

from __future__ import annotations

import re
from datetime import UTC, timedelta, tzinfo
from zoneinfo import ZoneInfo, available_timezones

from bongsu.config.sections import DataSection, ImpactSection

_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_LITERAL = re.compile(r"\[[0-9A-Fa-f:.]+\]")
_LONGEST_LOCAL, _LONGEST_DOMAIN = 64, 253


def address_fault(address: str) -> str | None:
    """Why mail cannot be sent to an address, and what to write instead; None when it can.

    Only ASCII: few relays carry anything else (SMTPUTF8), and one that does not refuses the mail when it is needed.
    """
    local, at, domain = address.rpartition("@")
    if not at or not local or not domain or "@" in local or any(sign.isspace() for sign in address):
        return f"{address!r} is not an address; write name@host"
    if not local.isascii():
        return (
            f"{address!r} has letters before the @ that many mail servers refuse; "
            "write an address in plain letters (a-z, 0-9), most mail services give one as an alias"
        )
    if not domain.isascii():
        return f"{address!r}: write the domain in its ASCII form{_ascii_form(local, domain)}"
    if not _LOCAL.fullmatch(local) or len(local) > _LONGEST_LOCAL:
        return f"{address!r} is not an address: {local!r} cannot stand before the @"
    if _LITERAL.fullmatch(domain):
        return None
    if len(domain) > _LONGEST_DOMAIN or not all(_LABEL.fullmatch(label) for label in domain.split(".")):
        return f"{address!r} is not an address: {domain!r} is no name of a host"
    return None


def _ascii_form(local: str, domain: str) -> str:
    """The hint that spares looking it up; nothing where the domain has no such form."""
    try:
        return f": {local}@{domain.encode('idna').decode('ascii')}"
    except UnicodeError:
        return ' (it begins with "xn--")'


def zone_fault(name: str) -> str | None:
    """Why there is no such time zone; None when there is."""
    try:
        zone(name)
    except (KeyError, ValueError, OSError):  # not found, a path that leads out, a folder such as "Asia"
        if not available_timezones():
            return f"{name!r} is not known, for this system has no time zones at all; apt-get install tzdata"
        return f"there is no {name!r}; write a name like Asia/Seoul or UTC"
    return None


def zone(name: str) -> tzinfo:
    """A time zone by its name; UTC also where the system knows no zones. Raises KeyError, ValueError or OSError."""
    return UTC if name == "UTC" else ZoneInfo(name)


def data_faults(at: str, section: DataSection) -> list[str]:
    """What is wrong with a ``[data.NAME]``."""
    problems = []
    if not re.fullmatch(r"[a-z0-9_-]+", at.partition(".")[2]):
        problems.append(f"{at}: a name has small letters, digits, _ and - alone, for it is part of files' names")
    if (section.dsn is None) == (section.dsn_file is None):
        problems.append(f"{at}: give either dsn or dsn_file (a file that holds it, readable by Bongsu alone)")
    if section.keep < 1:
        problems.append(f"{at}.keep: must be at least 1")
    if section.timeout <= 0:
        problems.append(f"{at}.timeout: must be above 0 seconds")
    for key, span in (("every", section.every), ("verify_every", section.verify_every)):
        if span is not None and span < timedelta(minutes=1):
            problems.append(f"{at}.{key}: must be at least PT1M")
    return problems


def impact_problems(at: str, impact: ImpactSection) -> list[str]:
    """What is wrong with how affected users are counted."""
    problems: list[str] = []
    limits = impact.slow_over if isinstance(impact.slow_over, dict) else {"": impact.slow_over}
    problems += [
        f"{at}.slow_over: must be longer than nothing; write PT1.5S"
        for limit in limits.values()
        if limit is not None and limit <= timedelta(0)
    ]
    if impact.grace < timedelta(0):
        problems.append(f"{at}.grace: must not be negative; write PT10M")
    problems += [
        f"{at}.goals: {goal!r} is not a method and a route; write POST /orders"
        for goal in impact.goals
        if not re.fullmatch(r"[A-Za-z]+ /\S*", goal)
    ]
    for key, patterns in (("bots", impact.bots), ("synthetic", impact.synthetic)):
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                problems.append(f"{at}.{key}: {pattern!r} is not a regular expression: {error}")
    if impact.revenue and not impact.orders:
        problems.append(f"{at}.revenue: needs orders too, for it is estimated by the mean value of an order")
    return problems
