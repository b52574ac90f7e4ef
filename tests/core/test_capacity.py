"""Capacity advice: held against the bucket played step by step, and what must hold for any demand."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bongsu.catalogue import load_catalogue
from bongsu.core import capacity
from bongsu.core.burst import MachineType, Mode
from bongsu.core.capacity import DAY, HOURS_A_MONTH, STEP, Load, break_even, carries, load_of, option, ranked, used
from bongsu.core.credits import Credits, spend
from bongsu.core.lateness import Habit, Late, scaled_late

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
CATALOGUE = load_catalogue()
TYPES = [CATALOGUE[key] for key in ("lightsail:nano-0.5GB", "lightsail:large-8GB", "ec2:t2.xlarge", "azure:B16ms")]
STRETCH = st.tuples(st.floats(0, 6), st.integers(1, 120))


@st.composite
def loads(draw: st.DrawFn) -> Load:
    """Demand in stretches of up to ten hours, on one machine or unevenly on many."""
    stretches = draw(st.lists(STRETCH, min_size=1, max_size=6))
    return Load(
        np.repeat([cores for cores, _ in stretches], [steps for _, steps in stretches]), draw(st.floats(1, 1.5))
    )


def lowest(load: Load, machine: MachineType, count: int, account: Credits, times: int) -> float:
    """The lowest balance of the busiest machine while the course comes ``times`` times; -1 when a CPU is too small."""
    least = account.balance
    for _ in range(times):
        for share in used(load, machine, count).tolist():
            if share > 1:
                return -1.0
            account = spend(account, machine, share, 5, Mode.STANDARD)
            least = min(least, account.balance)
    return least


@settings(max_examples=60, deadline=None)
@given(load=loads(), machine=st.sampled_from(TYPES))
def test_a_plan_never_runs_dry_and_one_machine_less_does(load: Load, machine: MachineType) -> None:
    found = option(load, machine)
    assert found.count is not None
    full = Credits(earned=machine.cap)
    least = lowest(load, machine, found.count, full, 3)
    assert least >= machine.empty_below - 1e-6
    assert found.lowest == pytest.approx(least, abs=1e-6)
    if found.count > 1:
        fewer = used(load, machine, found.count - 1)
        runs_dry = lowest(load, machine, found.count - 1, full, 3) < machine.empty_below
        assert runs_dry or fewer.mean() * machine.vcpus > machine.earn_per_minute


@settings(max_examples=60, deadline=None)
@given(load=loads(), machine=st.sampled_from(TYPES), more=st.floats(1, 3))
def test_more_demand_never_needs_fewer_machines(load: Load, machine: MachineType, more: float) -> None:
    before, after = option(load, machine), option(replace(load, cores=load.cores * more), machine)
    assert before.count is not None
    assert after.count is None or after.count >= before.count


@settings(max_examples=40, deadline=None)
@given(load=loads(), machine=st.sampled_from(TYPES))
def test_a_newcomer_that_waited_as_told_runs_dry_at_no_moment(load: Load, machine: MachineType) -> None:
    found = option(load, machine)
    assert found.count is not None
    waited = machine.earn_per_minute * found.wait.total_seconds() / 60
    account = Credits(earned=min(machine.cap, waited), launch=machine.launch_credits)
    steps = len(load.cores)
    for begin in range(0, steps, max(1, steps // 12)):
        turned = replace(load, cores=np.roll(load.cores, -begin))
        course_falls = (used(turned, machine, found.count) * machine.vcpus > machine.earn_per_minute).any()
        least = lowest(turned, machine, found.count, account, 1)
        assert not course_falls or least >= min(machine.empty_below, account.balance) - 1e-6


@settings(max_examples=40, deadline=None)
@given(load=loads(), machine=st.sampled_from([CATALOGUE["ec2:t3.nano"], CATALOGUE["ec2:t3.large"]]))
def test_what_unlimited_mode_is_billed_is_what_the_account_says(load: Load, machine: MachineType) -> None:
    found = option(load, machine)
    assert found.count is not None
    for each in found.surplus:
        account, charged = Credits(), [0.0]
        for _ in range(2):
            for share in used(load, machine, each.count).tolist():
                account = spend(account, machine, share, 5, Mode.UNLIMITED)
            charged.append(account.charged)
        price = machine.surplus_price
        assert price is not None
        billed = each.count * (charged[2] - charged[1]) / 60 * price * HOURS_A_MONTH / 24 / load.days
        assert each.bill == pytest.approx(billed, abs=1e-6)


def test_an_evening_sale_on_lightsail() -> None:
    """0.8 of two vCPUs for 6 h 40 min a day: 480 credits more than are earned; a cap of 576 holds them, a day does
    not earn them back."""
    hours = np.where((np.arange(DAY) >= 200) & (np.arange(DAY) < 280), 0.8, 0.05)
    load = load_of([(BEGIN, hours)], 2)
    small, large = CATALOGUE["lightsail:small-2GB"], CATALOGUE["lightsail:large-8GB"]
    assert not carries(load, small, 1)
    two = option(load, small)
    assert (two.count, two.price) == (2, 24.0)
    assert two.lowest == pytest.approx(576 - 80 * 5 * 2 * 0.2)
    assert ranked([option(load, large), two])[0] is two
    assert two.wait == timedelta(minutes=math.ceil((5.76 + 160) / 0.4))


def test_a_gap_is_filled_and_never_zero() -> None:
    course = np.tile(np.linspace(0.1, 0.5, DAY), 3)
    course[DAY : DAY + 12] = np.nan
    load = load_of([(BEGIN, course)], 2)
    assert load.cores[DAY : DAY + 12] == pytest.approx(course[:12] * 2)
    assert load.filled == pytest.approx(12 / (3 * DAY))


def test_machines_that_come_and_go_add_up_and_an_uneven_balancer_is_seen() -> None:
    one, two = np.full(DAY, 0.3), np.full(DAY // 2, 0.1)
    load = load_of([(BEGIN, one), (BEGIN + STEP * (DAY // 2), two)], 2, growth=0.5)
    assert load.cores[0] == pytest.approx(0.9)
    assert load.cores[-1] == pytest.approx(1.2)
    assert load.skew == pytest.approx(1.5)


def test_where_unlimited_breaks_even_amazon_says_so_too() -> None:
    """Amazon's table: a t3.large in unlimited mode costs what an m5.large does at 42.5 % ($0.0832 against $0.096)."""
    at = break_even(CATALOGUE["ec2:t3.large"], (0.096 - 0.0832) * HOURS_A_MONTH)
    assert at == pytest.approx(0.425, abs=0.005)


def test_what_no_number_of_machines_carries_is_said() -> None:
    nobody = option(Load(np.full(DAY, 500.0)), CATALOGUE["lightsail:nano-0.5GB"])
    assert nobody.count is None
    assert ranked([nobody, option(Load(np.full(DAY, 0.1)), TYPES[1])])[-1] is nobody


def test_newcomers_of_lightsail_bring_their_baseline_alone() -> None:
    """0.8 of two vCPUs must fall to 20 % each, for nobody who comes late has credits: four machines."""
    load = load_of([(BEGIN, np.where(np.arange(DAY) % DAY < 80, 0.8, 0.02))], 2)
    late = scaled_late(load, CATALOGUE["lightsail:small-2GB"], 1, Habit())
    assert (late.stay, late.added, late.times) == (1, 3, 1)
    rich = replace(CATALOGUE["lightsail:small-2GB"], launch_credits=300.0)
    assert scaled_late(load, rich, 1, Habit()).added == 1


def test_newcomers_that_boot_for_too_long_are_too_late() -> None:
    load = load_of([(BEGIN, np.where(np.arange(DAY) % DAY < 80, 0.95, 0.02))], 2)
    slow = scaled_late(load, CATALOGUE["lightsail:small-2GB"], 1, Habit(boot=timedelta(minutes=50)))
    assert slow.added is None
    assert slow.starved > 0


def test_nobody_is_added_where_the_credits_last() -> None:
    load = load_of([(BEGIN, np.full(DAY, 0.1))], 2)
    assert scaled_late(load, CATALOGUE["lightsail:small-2GB"], 1, Habit()) == Late(1, 0)


def test_the_deepest_fall_may_span_two_courses() -> None:
    """A burst over the end of the course: its two halves follow each other when it comes again."""
    course = np.full(DAY, 0.02)
    course[:40] = course[-40:] = 0.6
    machine = CATALOGUE["ec2:t3.small"]
    halves, whole = load_of([(BEGIN, course)], 2), load_of([(BEGIN, np.roll(course, 40))], 2)
    assert option(halves, machine).lowest == pytest.approx(option(whole, machine).lowest)
    assert capacity.needed(halves, machine) == capacity.needed(whole, machine)
