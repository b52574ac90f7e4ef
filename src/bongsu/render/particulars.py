"""What is known of a situation, as rows of a label and a value: beside its sentences in mails and on pages."""

from __future__ import annotations

import math
from collections.abc import Mapping

from bongsu.core.incident import Kind
from bongsu.render.charts import sparkline
from bongsu.render.situation import Form, Situation, acknowledged, machine_named
from bongsu.render.words import Words, number_of, text_of, time_of


def particulars(
    s: Situation, w: Words, *, acknowledged_too: bool = True, trace_too: bool = True
) -> tuple[tuple[str, str], ...]:
    """What is known, as label and value. A value that is not known is left out, or said to be unknown.

    ``trace_too``: the CPU as a line of blocks, for where no chart is.
    """
    facts, found = s.facts, list[tuple[str, str]]()
    over = s.form in (Form.OVER, Form.FLAT)
    if over and s.elapsed_s:
        found.append((w.gettext("Over baseline"), w.duration(s.elapsed_s)))
    if text_of(facts, "machines"):
        found.append((w.gettext("Machines"), text_of(facts, "machines")))
    if over:
        found += _measured(s, w, trace_too=trace_too)
    told = (
        (w.gettext("Acknowledged by"), acknowledged(s, w) if acknowledged_too else ""),
        (w.gettext("Told before you"), text_of(facts, "told_before")),
        (w.gettext("Also told now"), text_of(facts, "also")),
        (w.gettext("Told next"), text_of(facts, "next")),
        (w.gettext("Done"), text_of(facts, "done")),
    )
    found += [row for row in told if row[1]]
    return tuple(found)


def _measured(s: Situation, w: Words, *, trace_too: bool) -> list[tuple[str, str]]:
    facts: Mapping[str, object] = s.facts
    cpu, limit = number_of(facts, "cpu"), number_of(facts, "limit")
    found: list[tuple[str, str]] = []
    if cpu is not None:
        now = w.gettext("%(cpu)s on %(machine)s", cpu=w.percent(cpu), machine=machine_named(s, w))
        if time_of(facts, "blind_since"):
            now = w.gettext("unknown now; last seen: %(cpu)s", cpu=now)
        found.append((w.gettext("CPU"), now))
    if limit is not None:
        found.append((w.gettext("Baseline"), w.percent(limit)))
    trace = [math.nan if each == "-" else int(each) / 100 for each in text_of(facts, "trace").split()]
    if trace and trace_too:
        found.append((w.gettext("CPU until now"), f"{sparkline(trace, top=1.0)} ({w.duration(60 * len(trace))})"))
    balance, runway = number_of(facts, "balance"), number_of(facts, "runway_s")
    if balance is not None:
        found.append((w.gettext("Credits"), w.credits(balance)))
    elif s.kind is not Kind.RESOLVED:
        found.append((w.gettext("Credits"), w.gettext("unknown")))
    if runway is not None:
        found.append((w.gettext("Left at full CPU"), w.duration(runway)))
    return found
