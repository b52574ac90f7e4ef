"""Names of hosts, by the resolver of this computer, and which addresses are this computer's own."""

from __future__ import annotations

import socket
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor

_NOBODYS = ("192.0.2.1", "2001:db8::1")
"""Addresses for examples, which no computer has (RFC 5737, RFC 3849)."""


def addresses(hosts: Collection[str]) -> dict[str, frozenset[str]]:
    """The IP addresses of each host; a name that means nothing here is left out."""
    if not hosts:
        return {}
    with ThreadPoolExecutor(min(16, len(hosts))) as asking:
        found = asking.map(_addresses, hosts)
        return {host: known for host, known in zip(hosts, found, strict=True) if known}


def ours(candidates: Iterable[str]) -> frozenset[str]:
    """Those addresses that belong to this computer; none where the kernel lets us take any (ip_nonlocal_bind)."""
    if any(_can_have(each) for each in _NOBODYS):
        return frozenset()
    return frozenset(each for each in candidates if _can_have(each))


def _addresses(host: str) -> frozenset[str]:
    try:
        told = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return frozenset()
    return frozenset(str(sockaddr[0]).partition("%")[0] for *_, sockaddr in told)


def _can_have(address: str) -> bool:
    """Whether a socket may be bound to it: the kernel allows that for its own addresses alone."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True
