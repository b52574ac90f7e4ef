"""The account of credits: the vendors' own worked examples to the digit, and what holds for any machine and any day."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bongsu.catalogue import load_catalogue
from bongsu.core.burst import MachineType, Mode, OnStop, runway
from bongsu.core.credits import (
    Credits,
    allowed,
    cost,
    cost_per_hour,
    launched,
    spend,
    starts_costing,
    stopped,
)

CATALOGUE = load_catalogue()
NANO = CATALOGUE["ec2:t3.nano"]


def play(
    machine: MachineType, course: list[tuple[float, float]], mode: Mode = Mode.STANDARD, begin: Credits | None = None
) -> list[Credits]:
    """The account after each (hours, CPU in percent)."""
    account = begin or launched(machine, mode)
    found = []
    for hours, percent in course:
        account = spend(account, machine, percent / 100, hours * 60, mode)
        found.append(account)
    return found


def shown(accounts: list[Credits]) -> list[float]:
    return [round(each.balance, 6) for each in accounts]


def test_amazons_t3_nano_unlimited() -> None:
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/unlimited-mode-examples.html, example 1, P1 to P7."""
    course = [(24, 0), (12, 2.5), (24, 7), (12, 2.5), (5, 100), (13, 5), (24, 0)]
    played = play(NANO, course, Mode.UNLIMITED)
    assert shown(played) == [144, 144, 86.4, 122.4, 0, 0, 0]
    assert [round(each.surplus, 6) for each in played] == [0, 0, 0, 0, 144, 144, 0]
    # The guide counts with 122 credits, not 122.4, and so comes to 304.
    assert [round(each.charged, 6) for each in played] == [0, 0, 0, 0, 303.6, 303.6, 303.6]
    assert cost(played[-1], NANO) == pytest.approx(303.6 / 60 * 0.05)


def test_amazons_t3_nano_standard() -> None:
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/standard-mode-examples.html, example 1, P1 to P7."""
    course = [(24, 0), (12, 2.5), (24, 7), (12, 2.5), (2, 100), (14, 5), (24, 0)]
    assert shown(play(NANO, course)) == [144, 144, 86.4, 122.4, 0, 0, 144]


def test_amazons_t2_nano_with_launch_credits() -> None:
    """The same page, example 2: launch credits are spent first and do not count towards the limit."""
    course = [(24, 0), (12, 0), (25, 2), (11, 2), (3, 20), (15, 2), (6, 0)]
    assert shown(play(CATALOGUE["ec2:t2.nano"], course)) == [102, 102, 72, 72, 45, 72, 72]


def test_alibabas_t6_standard() -> None:
    """https://www.alibabacloud.com/help/doc-detail/90635.htm, phases A to J."""
    course = [(24, 0), (5, 10), (10, 5), (9, 10), (2, 100), (4, 0), (8, 5), (2, 80), (5, 10), (3, 0)]
    machine = CATALOGUE["alibaba:ecs.t6-c2m1.large"]
    assert shown(play(machine, course)) == [348, 288, 288, 288, 72, 120, 168, 0, 0, 36]


def test_azures_day_of_a_b16ms() -> None:
    """https://learn.microsoft.com/azure/virtual-machines/sizes-b-series-burstable, workload example: a row an hour."""
    # CPU there is the sum over 16 vCPUs; the table's 270 % baseline is what earns 162 an hour.
    traffic = [0] * 6 + [270, 1280, 1280, 270, 100, 50, 100, 100, 50, 100, 100, 1600, 270, 270, 50, 50, 0, 0]
    expected = [
        642, 804, 966, 1128, 1290, 1452, 1452, 846, 240, 240, 342, 474,
        576, 678, 810, 912, 1014, 216, 216, 216, 348, 480, 642, 804,
    ]  # fmt: skip
    machine = CATALOGUE["azure:B16ms"]
    assert launched(machine).balance == 480
    assert shown(play(machine, [(1, each / 16) for each in traffic])) == expected


machines = st.sampled_from(list(CATALOGUE.values()))
courses = st.lists(st.tuples(st.floats(0, 48), st.floats(0, 100)), max_size=12)
modes = st.sampled_from(Mode)
ramps = st.sampled_from([0.0, 15.0])


@given(machine=machines, course=courses, mode=modes)
def test_the_balance_stays_within_its_bounds(
    machine: MachineType, course: list[tuple[float, float]], mode: Mode
) -> None:
    before = 0.0
    for account in play(machine, course, mode):
        assert 0 <= account.earned <= machine.cap
        assert 0 <= account.surplus <= machine.cap
        assert 0 <= account.launch <= machine.launch_credits
        assert account.earned == 0 or account.surplus == 0, "nobody owes credits and has some"
        assert account.charged >= before, "a bill never shrinks"
        assert mode is Mode.UNLIMITED or account.charged == 0
        before = account.charged


@given(
    machine=machines, demand=st.floats(0, 1), minutes=st.floats(0, 3000), cut=st.floats(0, 1), mode=modes, ramp=ramps,
    share=st.floats(0, 1), fresh=st.booleans(),
)  # fmt: skip
def test_time_may_be_cut_anywhere(
    machine: MachineType, demand: float, minutes: float, cut: float, mode: Mode, ramp: float, share: float, fresh: bool
) -> None:
    begin = (launched(machine) if fresh else Credits())._replace(earned=share * machine.cap)
    whole = spend(begin, machine, demand, minutes, mode, ramp)
    half = spend(begin, machine, demand, minutes * cut, mode, ramp)
    pieces = spend(half, machine, demand, minutes * (1 - cut), mode, ramp)
    for name in ("earned", "launch", "surplus", "charged"):
        assert getattr(pieces, name) == pytest.approx(getattr(whole, name), abs=1e-5 * machine.cap), name


@given(
    machine=machines, low=st.floats(0, 1), high=st.floats(0, 1), minutes=st.floats(0, 3000), mode=modes, ramp=ramps,
    share=st.floats(0, 1),
)  # fmt: skip
def test_more_cpu_never_leaves_more_credits(
    machine: MachineType, low: float, high: float, minutes: float, mode: Mode, ramp: float, share: float
) -> None:
    low, high = sorted((low, high))
    begin = launched(machine)._replace(earned=share * machine.cap)
    less, more = (spend(begin, machine, demand, minutes, mode, ramp) for demand in (low, high))
    slack = 1e-7 * machine.cap
    assert more.balance <= less.balance + slack
    assert more.surplus >= less.surplus - slack
    assert more.charged >= less.charged - slack


@given(machine=machines, share=st.floats(0, 1), ramp=ramps, minutes=st.floats(0.01, 500))
def test_the_ramp_slows_and_never_spends_more(machine: MachineType, share: float, ramp: float, minutes: float) -> None:
    begin = Credits(earned=share * machine.cap)
    free, slowed = spend(begin, machine, 1.0, minutes), spend(begin, machine, 1.0, minutes, Mode.STANDARD, ramp)
    assert free.earned - 1e-9 * machine.cap <= slowed.earned <= begin.earned
    speed = allowed(slowed.earned, machine, ramp)
    assert machine.earn_per_minute / machine.vcpus - 1e-9 <= speed <= 1


def test_a_machine_at_full_burn_declines_within_the_vendors_quarter_of_an_hour() -> None:
    machine = CATALOGUE["alibaba:ecs.t6-c2m1.large"]
    assert machine.ramp_minutes == 15
    ramp_credits = (machine.vcpus - machine.earn_per_minute) * 7.5
    at = [spend(Credits(earned=ramp_credits), machine, 1.0, t, ramp=15).earned for t in (0, 5, 10, 14.999, 15.001)]
    assert [allowed(each, machine, 15) for each in at] == pytest.approx([1.0, 0.7, 0.4, 0.1, 0.1], abs=1e-4)
    assert at[-1] == 0


@pytest.mark.parametrize(
    ("key", "days", "same_node", "balance"),
    [
        ("ec2:t2.small", 0.1, True, 30),  # lost, and launch credits anew
        ("ec2:t3.small", 6.9, True, 100),
        ("ec2:t3.small", 7.1, True, 0),
        ("azure:B2s", 30, True, 100),
        ("azure:B2s", 30, False, 60),
        ("alibaba:ecs.t6-c1m1.large", 0.1, True, 0),  # unknown: nothing is counted on
    ],
)
def test_what_a_stop_leaves(key: str, days: float, same_node: bool, balance: float) -> None:
    left = stopped(Credits(earned=100), CATALOGUE[key], timedelta(days=days), same_node)
    if CATALOGUE[key].mode is Mode.UNLIMITED or balance != 30:
        assert left.balance == balance
    else:
        assert left == Credits(launch=30)


def test_a_stop_bills_what_was_owed() -> None:
    left = stopped(Credits(surplus=60.0, charged=10.0), NANO, timedelta(hours=1))
    assert (left.surplus, left.charged) == (0, 70)


def test_the_meter_of_unlimited_mode() -> None:
    owed = Credits(surplus=NANO.cap)
    assert cost_per_hour(owed, NANO, 1.0) == pytest.approx((2 - 0.1) * 0.05)
    assert cost_per_hour(Credits(earned=1), NANO, 1.0) == 0
    assert cost_per_hour(owed, NANO, 0.05) == 0
    assert cost_per_hour(owed, CATALOGUE["lightsail:small-2GB"], 1.0) is None
    begins = starts_costing(Credits(earned=122.4), NANO, 1.0)
    assert begins is not None
    assert begins.total_seconds() / 60 == pytest.approx((122.4 + 144) / 1.9)
    assert starts_costing(Credits(), NANO, 0.05) is None
    assert math.isclose(spend(Credits(earned=122.4), NANO, 1.0, 300, Mode.UNLIMITED).charged, 303.6)


def test_every_policy_is_known_to_the_catalogue() -> None:
    assert {each.on_stop for each in CATALOGUE.values()} == set(OnStop)


def test_a_hair_above_the_baseline_is_never() -> None:
    """As a mean of many samples at the baseline comes out: no length of time holds what that takes."""
    hair = NANO.baseline + 1e-16 * 8
    assert runway(35.0, NANO, hair) is None
    assert starts_costing(Credits(earned=35.0), NANO, hair) is None
