"""Messages and a report to make words of."""

from __future__ import annotations

import email
import email.policy
import math
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

from bongsu.core.delivery import message_id
from bongsu.core.diagnosis import Rise
from bongsu.core.impact import Business, Coverage, Impact, LeftOut, Measured, RouteImpact, Traffic, Users
from bongsu.core.incident import Entry, Facts
from bongsu.core.missed import Estimate, Method
from bongsu.core.recovery import Check
from bongsu.core.report import Act, Delivery, Report, Series, Source
from bongsu.core.schedule import Recipient
from bongsu.render.mails import letter
from bongsu.store.outbox import Message

START = datetime(2026, 1, 5, 20, 14, tzinfo=UTC)
NOW = START + timedelta(minutes=20)
INCIDENT = "20260105-2019-k3f9"
PAGE = f"https://bongsu.example.com/incidents/{INCIDENT}"
LINK = "https://bongsu.example.com/a/TOKEN"
OVER: Facts = {
    "service": "shop",
    "policy": "burst",
    "machines": "machine-1, machine-2",
    "machine": "machine-1",
    "cpu": 0.63,
    "balance": 41.2,
    "cause": "over",
    "limit": 0.2,
    "runway_s": 1545.0,
    "throttled": False,
    "stolen": False,
    "elapsed_s": 1205.0,
    "since": START.isoformat(),
    "blind_since": None,
    "ack_by": None,
    "ack_at": None,
    "ack_void": None,
}


def at(minutes: float) -> datetime:
    """So many minutes into the breach."""
    return START + timedelta(minutes=minutes)


def message(
    kind: str = "tier",
    level: int = 1,
    *,
    locale: str = "en",
    name: str = "Kim Jimin",
    address: str = "jimin@example.com",
    **facts: str | float | bool | None,
) -> Message:
    """A message as the outbox would hold it."""
    return Message(
        id=1,
        message_id=message_id(INCIDENT, kind, level, 1, "person:jimin", address, "example.com"),
        incident_id=INCIDENT,
        kind=kind,
        level=level,
        occurrence=1,
        recipient=Recipient("person:jimin", name, address, locale),
        facts={**OVER, **facts},
        decided_at=NOW,
        written_at=NOW,
        due_at=NOW,
        state="pending",
        attempts=0,
        fence=0,
    )


def sent(message: Message, speed: float = 1.0) -> bytes:
    """The mail's bytes."""
    return letter(message, sender="bongsu@example.com", host="example.com", link=LINK, page=PAGE, speed=speed)


def parsed(message: Message, speed: float = 1.0) -> EmailMessage:
    """The mail as a mail program reads it."""
    read = email.message_from_bytes(sent(message, speed), policy=email.policy.default)
    assert isinstance(read, EmailMessage)
    assert not read.defects
    return read


def body(mail: EmailMessage, kind: str = "plain") -> str:
    """One of a mail's two bodies."""
    part = mail.get_body((kind,))
    assert part is not None
    content: str = part.get_content()
    return content


def text(message: Message, kind: str = "plain") -> str:
    """One of the two bodies of a message's mail."""
    return body(parsed(message), kind)


def wave(low: float, high: float, gap: tuple[float, float] = (60.0, 70.0)) -> Series:
    """Half-minute samples that rise when the breach begins; nothing between the minutes of ``gap``."""
    minutes = [number / 2 for number in range(-60, 150)]
    return tuple((at(m), low + (high - low) / (1 + math.exp(-m))) for m in minutes if not gap[0] < m < gap[1])


def measured() -> Measured:
    """An impact of which every part is known."""
    hurt = Impact(
        Users(112, 241), Users(31, 60), Users(81, 181), Users(480, 1204), 20412, 388, 1620, 240, Users(12, 19),
        left_out_by=LeftOut(200, 40),
    )  # fmt: skip
    traffic = Traffic(
        hurt,
        (Rise("/products/{id}", 12.3, 88.1, 0.71), Rise("/sale|<b>", 0.0, 9.5, 0.09)),
        (Rise("machine-1", 7.0, 51.0, 0.52),),
        "SELECT count(DISTINCT who) FROM v",
        "edge.jsonl",
        clients=(Rise("10.0.0.9", 0.1, 12.0, 0.1),),
        by_route=(
            RouteImpact("/products/{id}", 1000.0, 40.0, 18011, 301, 1500, Users(90, 199), Users(22, 41)),
            RouteImpact("/orders", 1000.0, 62.0, 2401, 87, 120, Users(60, 88), Users(20, 31), Users(12, 19)),
        ),
        coverage=Coverage(("edge.jsonl",), 40100, 3, at(-30), at(84)),
        unseen=Estimate(Method.CALM_RATE, 20412, 24000, 22800, 25200, 6),
    )
    business = Business(
        Estimate(Method.CALM_RATE, 110, 160, 140, 180, 6),
        Estimate(Method.CALM_RATE, 2.2e6, 3.2e6, 2.8e6, 3.6e6, 6),
        "KRW",
    )
    return Measured("shop", (at(-32), at(-2)), (START, at(72)), timedelta(minutes=10), traffic, business, INCIDENT)


def report() -> Report:
    """A report in which every part has something to say."""
    return Report(
        incident_id=INCIDENT,
        service="shop",
        policy="burst",
        status="resolved",
        started_at=START,
        detected_at=at(5),
        ended_at=at(72),
        elapsed_s=4320.0,
        made_at=at(74),
        machine_type="lightsail:small-2GB",
        baseline=0.2,
        cause="flat",
        acknowledged_by="Kim Jimin",
        acknowledged_at=at(6.5),
        measured=measured(),
        data=Check("shop", at(73), 12, 13, {"stock-is-its-history": 2}),
        timeline=(
            Entry(at(5), "opened", {"since": START.isoformat(), "machines": "machine-1"}),
            Entry(at(5), "told", {"kind": "tier", "level": 1, "to": "Kim Jimin", "elapsed_s": 300.0}),
            Entry(at(6.5), "acknowledged", {"by": "Kim Jimin", "holds": True, "until": at(21.5).isoformat()}),
            Entry(at(74), "a_code_of_tomorrow", {"x": 1}),
        ),
        deliveries=(
            Delivery("Kim Jimin", "jimin@example.com", "tier", 1, at(5), 300.0, "accepted", "250 queued as 4F1"),
            Delivery("Commerce", "commerce@example.com", "tier", 2, at(21), 1260.0, "refused", "550 no such user"),
        ),
        actions=(
            Act("add", "machine-3", "Kim Jimin", at(7), at(9), "done", "10.0.0.3:8080"),
            Act("add", "machine-4", "Kim Jimin", at(7), None, "requested"),
        ),
        sources=(
            Source("cpu", 'system_cpu_usage{job="application"}', "prometheus", at(-30), at(72)),
            Source("users", "SELECT count(DISTINCT who) FROM v", "edge.jsonl", START, at(72), "never_reached"),
        ),
        cpu={"machine-1": wave(0.08, 0.97), "machine-2": wave(0.07, 0.63)},
        balance={"machine-1": wave(288.0, 0.0)},
        p95={"": wave(0.04, 3.04)},
        cpu_top=0.97,
        balance_low=0.0,
        p95_top_s=3.04,
        blind=("balance",),
    )
