"""What each run must show, held against what was recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from bongsu.catalogue import load_catalogue
from bongsu.core.drill import Expectation
from bongsu.lab.drill import figures, foresight
from bongsu.lab.drill.evening import DEPARTMENT, ON_CALL, UPPER, Evening, minutes, wall
from bongsu.lab.drill.scenarios import ACK_ONLY, NOBODY, RESPONDED

LATE_AT_MOST = 1.0
"""Real seconds from a decision to the relay's answer, on top of measured stalls."""


STEP = 3
"""Records (one per real second) over which a balance must have risen."""


class Judge:
    """Collects expectations about one evening."""

    def __init__(self, evening: Evening) -> None:
        self._evening = evening
        self.found: list[Expectation] = []

    def expect(
        self,
        name: str,
        expected: str,
        seen: str,
        passed: bool,
        window: tuple[float, float] | None = None,
        beside: Evening | None = None,
    ) -> None:
        """Note one expectation, with the host's steal in its window (the whole evening without one).

        ``beside``: another evening that it compares with, whose steal counts too.
        """
        each = self._evening
        begin, end = window or (each.began_at, each.ended_at)
        steal = figures.steal(each, begin, end)
        if beside is not None:
            steal = max(steal, figures.steal(beside, beside.began_at, beside.ended_at))
        self.found.append(Expectation(each.run, name, expected, seen, passed, steal))


def judge(evenings: Sequence[Evening]) -> list[Expectation]:
    """Every expectation about every evening, and those that compare them."""
    by_run = {each.run: each for each in evenings}
    found: list[Expectation] = []
    asks: dict[str, Callable[[Judge, Evening], None]] = {
        NOBODY: nobody_acts,
        RESPONDED: responded,
        ACK_ONLY: acknowledged_only,
    }
    for run, evening in by_run.items():
        judging = Judge(evening)
        common(judging, evening)
        asks[run](judging, evening)
        found += judging.found
    if NOBODY in by_run and RESPONDED in by_run:
        judging = Judge(by_run[NOBODY])
        compare(judging, by_run[NOBODY], by_run[RESPONDED])
        found += judging.found
    return found


def common(judging: Judge, evening: Evening) -> None:
    """What holds for every evening."""
    usual = figures.calm(evening)
    p95 = (usual.p95 or 0) * 1000
    judging.expect(
        "calm before the sale",
        "no failed request, p95 under 1 s",
        f"{usual.failed} failed, p95 {p95:.0f} ms",
        usual.requests > 0 and usual.failed == 0 and p95 < 1000,
        (evening.began_at, evening.sale_at),
    )
    ceiling = [each for each in evening.deliveries("ceiling") if each["state"] == "accepted"]
    told = [each["recipient"]["address"] for each in ceiling]
    judging.expect(
        "the ceiling calls the on-call developer at once, once",
        f"one mail to {ON_CALL}",
        ", ".join(told) or "none",
        told == [ON_CALL],
        (evening.sale_at, evening.ended_at),
    )
    tier(judging, evening, 1, ON_CALL)
    late = [(each, _lateness(evening, each)) for each in evening.deliveries() if each["state"] == "accepted"]
    worst = max((seconds for _, seconds in late), default=0.0)
    judging.expect(
        "decided to accepted",
        f"at most {LATE_AT_MOST:g} s beside stalls",
        f"{worst:.2f} s at worst of {len(late)} mails",
        bool(late) and worst <= LATE_AT_MOST,
    )
    ids = [line["message_id"] for line in evening.inbox]
    twice = len(ids) - len(set(ids))
    judging.expect(
        "no mail twice", "every Message-ID once", f"{twice} of {len(ids)} repeated", twice == 0 and bool(ids)
    )


def _lateness(evening: Evening, message: dict[str, Any]) -> float:
    """Real seconds from decision to acceptance beyond what the computer itself stood still."""
    written = datetime.fromisoformat(message["written_at"]).timestamp()
    accepted = datetime.fromisoformat(message["accepted_at"]).timestamp()
    return max(0.0, accepted - written - figures.stall(evening, written, accepted))


def tier(judging: Judge, evening: Evening, number: int, address: str, held_until: float | None = None) -> None:
    """A tier is told in its time, by the samples' own timestamps: not before, and at most a scrape and a look later."""
    after = evening.scenario.tiers[number - 1]
    name = f"tier {number} told in its time"
    slack = 2 * evening.scenario.speed / 60  # a scrape and a look, of one real second each, in lab minutes
    mails = [
        each
        for each in evening.deliveries("tier")
        if each["level"] == number and each["recipient"]["address"] == address and each["state"] == "accepted"
    ]
    expected = f"{address} at {after:g} to {after + slack:g} min"
    if not mails:
        judging.expect(name, expected, "never", False)
        return
    decided = wall(evening, mails[0]["decided_at"])
    breach = figures.breach_minutes(evening, decided)
    seen = "no breach in the samples" if breach is None else f"{breach:.2f} min"
    good = breach is not None and after <= breach + 1e-6 and breach <= after + slack
    judging.expect(name, expected, seen, good or held_until is not None, (evening.sale_at, decided))


def nobody_acts(judging: Judge, evening: Evening) -> None:
    """Run A: every tier, the credits run out, the flat line, and the alarm stays on."""
    tier(judging, evening, 2, DEPARTMENT)
    tier(judging, evening, 3, UPPER)
    _exhaustion(judging, evening)
    gone = figures.empty_at(evening)
    if gone is None:
        return
    after = (gone, evening.ended_at)
    machine = load_catalogue()[evening.scenario.machine_type]
    cpu = figures.cpu_while_empty(evening)
    judging.expect(
        "CPU looks healthy after exhaustion",
        f"within 10 % of {machine.baseline:.0%}",
        "unknown" if cpu is None else f"{cpu:.1%}",
        cpu is not None and abs(cpu - machine.baseline) <= 0.1 * machine.baseline,
        after,
    )
    told = [each["recipient"]["address"] for each in evening.deliveries("throttled") if each["state"] == "accepted"]
    judging.expect("throttling is told", f"one mail to {ON_CALL}", ", ".join(told) or "none", told == [ON_CALL], after)
    status = (evening.incident or {}).get("status", "none")
    lines = [line["what"] for line in (evening.incident or {}).get("timeline", [])]
    on = status == "triggered" and "mitigated" not in lines
    judging.expect(
        "the alarm stays on while throttled", "triggered throughout", f"{status}, {len(lines)} lines", on, after
    )
    before, then = figures.calm(evening).p50 or 0.0, figures.starved(evening).p50 or 0.0
    judging.expect(
        "users wait while throttled",
        "p50 at least 10 x calm",
        f"{before * 1000:.0f} to {then * 1000:.0f} ms",
        before > 0 and then >= 10 * before,
        after,
    )


def _exhaustion(judging: Judge, evening: Evening) -> None:
    measured = figures.measured_s(evening, figures.empty_at(evening))
    predicted = figures.predicted_s(evening)
    integrated = figures.measured_s(evening, figures.integrated_exhaustion(evening))
    window = (evening.sale_at, figures.empty_at(evening) or evening.ended_at)
    for name, figure, within in (
        ("exhaustion as the scenario's bucket says", predicted, 0.15),
        ("exhaustion as the recorded samples integrate", integrated, 0.05),
    ):
        off = abs(measured - figure) / figure if measured and figure else None
        seen = f"measured {_min(measured)}" + ("" if off is None else f", {off:.1%} off")
        judging.expect(name, f"{_min(figure)} within {within:.0%}", seen, off is not None and off <= within, window)
    for each in foresight.foresights(evening):
        if each.judged:
            seen = f"said {_min(each.predicted)}" + ("" if each.off is None else f", {abs(each.off):.1%} off")
            judging.expect(
                f"exhaustion as predicted at minute {each.at:g}", f"{_min(measured)} within {foresight.WITHIN:.0%}",
                seen, each.off is not None and abs(each.off) <= foresight.WITHIN, window,
            )  # fmt: skip


def _min(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds / 60:.1f} min"


def responded(judging: Judge, evening: Evening) -> None:
    """Run B: scaled out, over before the department's time, everyone told hears that it is over."""
    judging.expect(
        "the responder could act",
        "link opened, button pressed, scale-out confirmed",
        evening.responder_error or ("done" if evening.scaled_at else "nothing to act on"),
        evening.scaled_at is not None,
    )
    incident = evening.incident or {}
    higher = [each["recipient"]["address"] for each in evening.deliveries("tier") if each["level"] > 1]
    judging.expect("the upper tiers stay quiet", "no mail", ", ".join(higher) or "no mail", not higher)
    ended = wall(evening, incident["mitigated_at"]) if incident.get("mitigated_at") else None
    breach = figures.breach_minutes(evening, ended) if ended else None
    tier2 = evening.scenario.tiers[1]
    judging.expect(
        "the breach ends before the department's time",
        f"before minute {tier2:g}",
        "never" if breach is None else f"after {breach:.1f} min",
        breach is not None and breach < tier2,
    )
    added = [line for line in incident.get("timeline", []) if line["what"] == "machine_added"]
    first = min((wall(evening, line["at"]) for line in added), default=None)
    because = first is not None and ended is not None and first < ended
    judging.expect("... because machines were added", "added before the end", f"{len(added)} machines", because)
    if ended is not None:
        _recovery(judging, evening, ended)
    _resolved_mail(judging, evening)


def _recovery(judging: Judge, evening: Evening, ended: float) -> None:
    until = ended + evening.scenario.rises_for * 60 / evening.scenario.speed
    found = figures.balances(evening, ended, until)
    # seconds scatter, so each record is held against the one three later
    rises = {
        name: len(values) > STEP and all(later > earlier for earlier, later in zip(values, values[STEP:], strict=False))
        for name, values in found.items()
    }
    gained = {name: values[-1] - values[0] for name, values in found.items() if values}
    seen = ", ".join(f"{name} {gain:+.1f}" for name, gain in gained.items()) or "no record"
    enough = (
        until <= evening.ended_at and bool(rises) and all(rises.values()) and len(rises) > evening.scenario.machines
    )
    judging.expect(
        f"credits rise on every machine for {evening.scenario.rises_for:g} min",
        "every balance rises",
        seen,
        enough,
        (ended, until),
    )


def _resolved_mail(judging: Judge, evening: Evening) -> None:
    told = {each["to"] for each in evening.inbox if _kind(each) != "resolved"}
    heard = [each["to"] for each in evening.inbox if _kind(each) == "resolved"]
    judging.expect(
        "the resolved mail reaches exactly those who were told",
        ", ".join(sorted(told)) or "somebody",
        ", ".join(sorted(heard)) or "nobody",
        bool(told) and sorted(heard) == sorted(told),
    )


def _kind(line: dict[str, Any]) -> str:
    return str({key.lower(): value for key, value in line["headers"].items()}.get("x-bongsu-kind", ""))


def acknowledged_only(judging: Judge, evening: Evening) -> None:
    """Run C: the hold ends, and the department hears who acknowledged and when."""
    name = "the department is told when the hold expires"
    scenario, acked = evening.scenario, evening.acknowledged_at
    mails = [each for each in evening.deliveries("tier") if each["level"] == 2 and each["state"] == "accepted"]
    if acked is None:
        judging.expect(name, "an acknowledgement", evening.responder_error or "none", False)
        return
    slack = 2 * scenario.speed / 60
    expected = (
        f"{scenario.ack_holds:g} to {scenario.ack_holds + slack:g} min after the acknowledgement, naming Kim Jimin"
    )
    if not mails:
        judging.expect(name, expected, "never", False)
        return
    decided = wall(evening, mails[0]["decided_at"])
    waited = minutes(evening, acked, decided)
    who = str(mails[0]["facts"].get("ack_by") or "nobody")
    stalled = figures.stall(evening, acked, decided) * scenario.speed / 60
    good = scenario.ack_holds - slack / 4 <= waited <= scenario.ack_holds + slack + stalled and "Jimin" in who
    judging.expect(name, expected, f"after {waited:.2f} min, naming {who}", good, (evening.sale_at, decided))
    quiet = [each for each in evening.deliveries("tier") if each["level"] > 2]
    judging.expect("the upper department is not told early", "no mail", f"{len(quiet)} mails", not quiet)


def compare(judging: Judge, alone: Evening, helped: Evening) -> None:
    """Doing nothing against doing what Bongsu says."""
    worse, better = figures.sale(alone).p95 or 0.0, figures.sale(helped).p95 or 0.0
    judging.expect(
        "p95 against the responded run",
        "at least 5 x",
        f"{worse * 1000:.0f} against {better * 1000:.0f} ms",
        better > 0 and worse >= 5 * better,
        beside=helped,
    )
    hurt, spared = figures.affected(alone)["upper"], figures.affected(helped)["upper"]
    judging.expect(
        "affected users against the responded run",
        "at least 10 x, and somebody",
        f"{hurt} against {spared}",
        hurt > 0 and hurt >= 10 * spared,
        beside=helped,
    )
