"""Who is warned that a watcher runs on a machine that it watches."""

from __future__ import annotations

import socket
from datetime import timedelta

import pytest

from bongsu.adapters import hosts
from bongsu.core.checkup import Level
from bongsu.core.placement import Places, of_heartbeat, of_placement

HERE = "10.0.0.5"


def places(prometheus: str) -> Places:
    known = {
        "localhost": frozenset({"127.0.0.1", "::1"}),
        "prometheus": frozenset({"10.0.0.9"}),
        "shop-1": frozenset({"10.0.0.1"}),
        "shop-2": frozenset({"10.0.0.2"}),
        "here": frozenset({HERE}),
        "metrics-on-shop-2": frozenset({"10.0.0.2"}),
    }
    return Places(known, frozenset({HERE}), prometheus)


@pytest.mark.parametrize(
    ("prometheus", "machines", "expected"),
    [
        ("prometheus", ("shop-1", "shop-2"), []),
        ("localhost", ("shop-1", "shop-2"), []),
        ("metrics-on-shop-2", ("shop-1", "shop-2"), ["Prometheus shop-2"]),
        ("prometheus", ("here",), ["Bongsu here"]),
        ("localhost", ("here",), ["Bongsu here", "Prometheus here"]),
        ("localhost", ("localhost",), ["Bongsu localhost", "Prometheus localhost"]),
        ("prometheus", ("localhost",), ["Prometheus localhost"]),
        ("prometheus", ("a-name-only-prometheus-knows",), []),
    ],
)
def test_who_runs_where(prometheus: str, machines: tuple[str, ...], expected: list[str]) -> None:
    found = of_placement("shop", {each: each for each in machines}, places(prometheus))
    assert [f"{each.what.split()[0]} {each.what.rpartition(': ')[2]}" for each in found] == expected


def test_our_own_addresses_are_known_and_others_are_not() -> None:
    assert hosts.ours(["127.0.0.1", "203.0.113.7"]) == {"127.0.0.1"}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("203.0.113.7", 9))  # sends nothing; the kernel chooses our address on the way there
        address = probe.getsockname()[0]
    assert hosts.ours([address, "203.0.113.8"]) == {address}


def test_names_become_addresses_and_unknown_ones_are_left_out() -> None:
    known = hosts.addresses(["localhost", "no-such-host.invalid", "a..b", "10.0.0.1"])
    assert "127.0.0.1" in known["localhost"]
    assert known["10.0.0.1"] == {"10.0.0.1"}
    assert known.keys() == {"localhost", "10.0.0.1"}
    assert hosts.addresses([]) == {}


def test_a_heartbeat_that_nobody_hears_is_said_honestly() -> None:
    unheard = of_heartbeat("bongsu", {"application"}, None, sent=False)
    assert "nobody outside notices" in unheard.what
    assert "bongsu generate" in unheard.do
    heard = of_heartbeat("bongsu", {"application", "bongsu"}, timedelta(seconds=2), sent=False)
    assert "2 s ago" in heard.what
    assert "nobody outside notices" in heard.what
    assert "[heartbeat_out]" in heard.do
    sent = of_heartbeat("bongsu", {"application", "bongsu"}, timedelta(seconds=2), sent=True)
    assert (sent.level, sent.do) == (Level.OK, "")
