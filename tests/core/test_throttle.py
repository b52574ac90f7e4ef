"""The flat line, the noisy neighbour and the healthy machine look alike; the witnesses tell them apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bongsu.catalogue import load_catalogue
from bongsu.core.throttle import Cause, Seen, Witness, diagnose

SMALL = load_catalogue()["lightsail:small-2GB"]
NANO = load_catalogue()["ec2:t3.nano"]


@pytest.mark.parametrize(
    ("seen", "cause"),
    [
        (Seen(cpu=0.2, balance=0.5, steal=0.6), Cause.CREDITS_GONE),
        (Seen(cpu=0.2, balance=5.7), Cause.CREDITS_GONE),  # 1 % of the cap: balances hover a little above 0
        (Seen(cpu=0.175, balance=0.0), Cause.CREDITS_GONE),
        (Seen(cpu=0.2, steal=0.6), Cause.CREDITS_GONE),  # no balance known, the line is flat and time is stolen
        (Seen(cpu=0.2, throttled=0.9), Cause.CREDITS_GONE),
        (Seen(cpu=0.2, balance=300.0, steal=0.6), Cause.NEIGHBOUR),
        (Seen(cpu=0.5, balance=300.0, throttled=0.3), Cause.NEIGHBOUR),
        (Seen(cpu=0.4, steal=0.6), Cause.UNKNOWN),  # held back, but not at the baseline, and no balance
        (Seen(cpu=0.2, balance=300.0, steal=0.01), Cause.WELL),
        (Seen(cpu=0.2), Cause.WELL),  # a flat line alone is no proof
        (Seen(cpu=0.05, balance=0.0), Cause.WELL),  # empty, but nothing is wanted of it
        (Seen(cpu=0.99, balance=300.0, steal=0.01), Cause.BUSY),
        (Seen(cpu=None, balance=0.0, steal=0.9), Cause.UNKNOWN),
    ],
)
def test_which_it_is(seen: Seen, cause: Cause) -> None:
    assert diagnose(SMALL, seen).cause is cause


def test_it_says_why() -> None:
    found = diagnose(SMALL, Seen(cpu=0.2, balance=0.5, steal=0.6, p95=2.5, usual_p95=0.05))
    assert found.witnesses == (
        (Witness.BALANCE_EMPTY, 0.5), (Witness.CPU_AT_BASELINE, 0.2), (Witness.STEAL, 0.6), (Witness.LATENCY, 2.5),
    )  # fmt: skip
    near = diagnose(SMALL, Seen(cpu=0.2, balance=300.0, p95=0.06, usual_p95=0.05))
    assert Witness.LATENCY not in dict(near.witnesses), "a little slower is no witness"


readings = st.one_of(st.none(), st.floats(0, 1))


@given(cpu=readings, balance=st.one_of(st.none(), st.floats(0, 144)), steal=readings, throttled=readings)
def test_credits_are_never_gone_while_there_are_some(
    cpu: float | None, balance: float | None, steal: float | None, throttled: float | None
) -> None:
    found = diagnose(NANO, Seen(cpu, balance, steal, throttled))
    if balance is not None and balance > NANO.empty_below:
        assert found.cause is not Cause.CREDITS_GONE
    if found.cause in (Cause.WELL, Cause.BUSY):
        assert not {Witness.STEAL, Witness.THROTTLED} & dict(found.witnesses).keys()
    if cpu is not None:
        assert found.witnesses
