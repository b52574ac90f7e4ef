"""A machine's credits in words: how long they last, what that rests on, and why the machine is as fast as it is."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta

from markupsafe import Markup

from bongsu.core.balance import Balance
from bongsu.core.burst import MachineType
from bongsu.core.outlook import Outlook
from bongsu.core.report import Series
from bongsu.core.throttle import Cause, Diagnosis, Witness
from bongsu.render.charts import Chart, Line, draw
from bongsu.render.words import N_, Words

_CAUSES = {
    Cause.CREDITS_GONE: N_("The credits are gone: the machine is held down to its baseline."),
    Cause.NEIGHBOUR: N_("Others on the same host take its CPU; credits are left."),
    Cause.BUSY: N_("It is simply busy: all its CPU is in use, and it gets all of it."),
    Cause.WELL: N_("It is well: nothing holds it back."),
    Cause.UNKNOWN: N_("It is held back or not seen, and nothing says why."),
}
_WITNESSES = {
    Witness.BALANCE_EMPTY: N_("the balance is empty: %(figure)s"),
    Witness.CREDITS_LEFT: N_("%(figure)s are left"),
    Witness.NO_BALANCE: N_("the balance is not known"),
    Witness.CPU_AT_BASELINE: N_("CPU at the baseline: %(figure)s"),
    Witness.CPU_BELOW_BASELINE: N_("CPU below the baseline: %(figure)s"),
    Witness.CPU_ABOVE_BASELINE: N_("CPU above the baseline: %(figure)s"),
    Witness.CPU_FULL: N_("CPU is full: %(figure)s"),
    Witness.STEAL: N_("%(figure)s of the time is stolen by the host"),
    Witness.THROTTLED: N_("%(figure)s of the time it is throttled"),
    Witness.LATENCY: N_("requests are slow: p95 %(figure)s"),
    Witness.WANTS: N_("its requests want %(figure)s of the CPU"),
}
_METHODS = {
    "analogue": N_("From %(n)s similar moments of its own past."),
    "rate": N_("From the pace of the last hour alone: its history is shorter than two days (%(hours)s h)."),
    "out_of_reach": N_("Even at full burn the credits last more than six hours."),
    "blind": N_("No fresh sample, or no balance to go by: no figure is given."),
}


def sentence(balance: Balance, machine: MachineType, outlook: Outlook, w: Words) -> str:
    """The one line that people need."""
    if outlook.method == "blind":
        if not balance.known(machine):
            low, high = w.number(balance.low.balance), w.credits(balance.high.balance)
            return w.gettext("the balance is not known yet: between %(low)s and %(high)s", low=low, high=high)
        return w.gettext("nothing fresh is known of this machine")
    if balance.credits <= machine.empty_below:
        return w.gettext("the credits are gone")
    if outlook.pace is None:
        parts = [w.gettext("at this pace the credits never run out")]
    else:
        parts = [w.gettext("at this pace the credits last %(time)s", time=w.duration(outlook.pace * 60))]
    if outlook.p10 is not None:
        parts.append(w.gettext("in one of ten similar hours %(time)s", time=w.duration(outlook.p10 * 60)))
    if outlook.full_burn is not None:
        parts.append(w.gettext("at full burn %(time)s", time=w.duration(outlook.full_burn * 60)))
    return "; ".join(parts)


def rests_on(outlook: Outlook, w: Words) -> str:
    """What the forecast rests on."""
    text = _METHODS.get(outlook.method, _METHODS["blind"])
    return w.gettext(text, n=w.number(outlook.similar), hours=w.number(outlook.hours, 1))


def why(diagnosis: Diagnosis, w: Words) -> tuple[str, ...]:
    """The cause, then each witness."""
    return (w.gettext(_CAUSES[diagnosis.cause]), *(_witness(each, value, w) for each, value in diagnosis.witnesses))


def _witness(witness: Witness, value: float | None, w: Words) -> str:
    figure = ""
    if value is not None:
        if witness in (Witness.BALANCE_EMPTY, Witness.CREDITS_LEFT):
            figure = w.credits(value)
        else:
            figure = w.latency(value) if witness is Witness.LATENCY else w.percent(value)
    return w.gettext(_WITNESSES[witness], figure=figure)


def fan(balance: Balance, machine: MachineType, outlook: Outlook, alarm: timedelta | None, w: Words) -> Markup | None:
    """The chart of the balance's next six hours: its fan, and where it went if the machine rested; None without one.

    ``alarm``: the full-burn runway under which the policy calls.
    """
    if not outlook.fan:
        return None
    start, longest = balance.credits, max(outlook.fan)
    rested = [(n, min(machine.cap, start + machine.earn_per_minute * n)) for n in range(0, longest + 1, 5)]
    told = sorted(outlook.fan.items())
    low, middle, high = (
        _even(outlook.at, [(0, start), *((minutes, shares[number] * machine.cap) for minutes, shares in told)])
        for number in range(3)
    )
    series = {
        w.gettext("in the middle"): middle,
        w.gettext("if it rested"): _even(outlook.at, rested),
        w.gettext("lower in nine of ten"): high,
        w.gettext("lower in one of ten"): low,
    }
    lines = [Line(w.gettext("counts as empty"), machine.empty_below)]
    if alarm is not None:
        level = alarm.total_seconds() / 60 * (machine.vcpus - machine.earn_per_minute)
        called = w.gettext("an alarm from here on: %(time)s at full burn", time=w.duration(alarm))
        lines.append(Line(called, min(level, machine.cap)))
    return draw(Chart(w.gettext("Balance in the next hours"), series, w.credits, tuple(lines)), w)


def _even(at: datetime, told: list[tuple[int, float]]) -> Series:
    """Even steps of five minutes, for a line is broken where some are missing."""
    between = (
        (at + timedelta(minutes=minutes), low + (high - low) * (minutes - begin) / (end - begin))
        for (begin, low), (end, high) in itertools.pairwise(told)
        for minutes in range(begin, end, 5)
    )
    return (*between, (at + timedelta(minutes=told[-1][0]), told[-1][1]))


def ahead(outlook: Outlook, w: Words) -> Markup | None:
    """The chart of the next six hours: how likely the credits are gone by then; None where that is not foreseen."""
    if not any(outlook.curve.values()):
        return None
    course = _even(outlook.at, [(0, 0.0), *sorted(outlook.curve.items())])
    title = w.gettext("Credits are gone by then, with this probability")
    return draw(Chart(title, {"": course}, w.percent, top=1.0), w)
