"""The judge of a drill: what was recorded decides, and each expectation can fail."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bongsu.core.drill import Verdict, verdict
from bongsu.core.timescale import Timescale
from bongsu.lab.drill import figures
from bongsu.lab.drill.evening import ON_CALL, Evening
from bongsu.lab.drill.judge import judge
from bongsu.lab.drill.responder import Forms, link_in, read_lines
from bongsu.lab.drill.scenarios import ACK_ONLY, FLASH_SALE, NOBODY
from bongsu.lab.latency import Sample

ORIGIN = datetime(2026, 1, 5, 20, 0, tzinfo=UTC)
SCALE = Timescale(ORIGIN, 60.0)
T0 = ORIGIN.timestamp()
SALE = T0 + 5


def wall(minutes: float) -> float:
    """Minutes after the sale began."""
    return SALE + minutes


def service(minutes: float) -> str:
    return SCALE.to_service(datetime.fromtimestamp(wall(minutes), UTC)).isoformat()


def mail(kind: str, level: int, to: str, minutes: float, **facts: Any) -> dict[str, Any]:
    at = datetime.fromtimestamp(wall(minutes), UTC)
    return {
        "kind": kind,
        "level": level,
        "occurrence": 1,
        "state": "accepted",
        "message_id": f"<{kind}{level}>",
        "recipient": {"address": to, "name": to},
        "facts": {"elapsed_s": minutes * 60, **facts},
        "decided_at": service(minutes),
        "written_at": at.isoformat(),
        "accepted_at": (at + timedelta(seconds=0.05)).isoformat(),
    }


def evening(run: str, deliveries: list[dict[str, Any]], cpu: dict[str, list[tuple[float, float]]]) -> Evening:
    return Evening(
        run=run,
        scenario=FLASH_SALE,
        timescale=SCALE,
        began_at=T0,
        sale_at=SALE,
        ended_at=wall(60),
        incident={"status": "triggered", "timeline": [], "deliveries": deliveries},
        report=None,
        report_file="",
        inbox=[
            {"message_id": each["message_id"], "to": each["recipient"]["address"], "headers": {}} for each in deliveries
        ],
        governor=[],
        samples=[Sample(T0 + n / 10, 0.01, 200, "list", True, n) for n in range(40)],
        scraped=cpu,
        acknowledged_at=None,
        scaled_at=None,
    )


def over_from(minutes: float, until: float = 60) -> dict[str, list[tuple[float, float]]]:
    return {"m1": [(wall(m), 0.42 if m >= minutes else 0.08) for m in range(-5, int(until) + 1)]}


def outcome(found: Evening, name: str) -> bool:
    (each,) = [each for each in judge([found]) if each.name == name]
    return each.passed


ALL = [
    mail("ceiling", 0, ON_CALL, 3),
    mail("tier", 1, ON_CALL, 6),
    mail("tier", 2, "commerce@example.com", 21),
    mail("tier", 3, "headquarters@example.com", 41),
]


def test_a_breach_is_counted_from_the_samples_alone() -> None:
    found = evening(NOBODY, [], over_from(1))
    assert figures.breach_minutes(found, wall(21)) == pytest.approx(20)
    assert figures.breach_minutes(found, wall(0.5)) is None


def test_an_interruption_of_settle_starts_the_count_anew() -> None:
    cpu = {"m1": [(wall(m), 0.42 if m < 10 or m > 13 else 0.05) for m in range(31)]}
    assert figures.breach_minutes(evening(NOBODY, [], cpu), wall(30)) == pytest.approx(16)


@pytest.mark.parametrize(("decided", "good"), [(5.9, False), (6, True), (7.9, True), (8.1, True), (9, False)])
def test_a_tier_must_be_told_neither_early_nor_late(decided: float, good: bool) -> None:
    mails = [mail("tier", 1, ON_CALL, decided), *ALL[:1]]
    assert outcome(evening(NOBODY, mails, over_from(1)), "tier 1 told in its time") is good


def test_a_missing_tier_fails_the_drill_by_its_name() -> None:
    mails = [each for each in ALL if each["level"] != 2]
    found = evening(NOBODY, mails, over_from(1))
    assert not outcome(found, "tier 2 told in its time")
    assert outcome(found, "tier 3 told in its time")
    assert verdict(judge([found])) is Verdict.FAIL


def test_no_mail_at_all_is_noticed() -> None:
    found = judge([evening(NOBODY, [], over_from(1))])
    failed = {each.name for each in found if not each.passed}
    assert {"tier 1 told in its time", "decided to accepted", "no mail twice"} <= failed


def test_the_same_mail_twice_is_noticed() -> None:
    found = evening(NOBODY, ALL, over_from(1))
    found.inbox.append(dict(found.inbox[0]))
    assert not outcome(found, "no mail twice")


def test_a_late_relay_is_noticed_unless_the_computer_stood_still() -> None:
    late = {**ALL[1], "accepted_at": datetime.fromtimestamp(wall(6) + 3, UTC).isoformat()}
    found = evening(NOBODY, [late], over_from(1))
    assert not outcome(found, "decided to accepted")
    found.governor.append({"at": wall(7), "machines": {}, "steal": 0.0, "stall": 2.5})
    assert outcome(found, "decided to accepted")


@pytest.mark.parametrize(
    ("minutes", "who", "good"),
    [(22.5, "Kim Jimin", True), (20.5, "Kim Jimin", False), (22.5, None, False), (30, "Kim Jimin", False)],
)
def test_the_department_hears_when_the_hold_expires_and_from_whom(minutes: float, who: str | None, good: bool) -> None:
    mails = [*ALL[:2], mail("tier", 2, "commerce@example.com", minutes, ack_by=who)]
    found = replace(evening(ACK_ONLY, mails, over_from(1)), acknowledged_at=wall(7))
    assert outcome(found, "the department is told when the hold expires") is good


def test_the_robot_reads_forms_links_and_half_written_lines(tmp_path: Path) -> None:
    (form,) = Forms('<form action="/a/x?lang=ko"><input name="confirm" value="yes"><button>go</button></form>').found
    assert (form.action, form.fields) == ("/a/x?lang=ko", {"confirm": "yes"})
    letter = tmp_path / "1.eml"
    letter.write_bytes(b"Subject: x\r\n\r\nopen http://127.0.0.1:8080/a/abc.DEF-1_2 now\r\n")
    assert link_in(letter) == "http://127.0.0.1:8080/a/abc.DEF-1_2"
    lines = tmp_path / "inbox.jsonl"
    lines.write_text('{"a": 1}\n{"a": ')
    assert read_lines(lines) == [{"a": 1}]
