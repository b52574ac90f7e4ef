"""What people read at night: short, in their language, threaded, and the same however often it is tried."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bongsu.core.incident import Facts
from tests.render.letters import INCIDENT, LINK, NOW, PAGE, body, message, parsed, sent, text

ACK = {"ack_by": "Kim Jimin", "ack_at": "2026-01-05T20:20:00+00:00"}
FLAT = {"cause": "flat", "throttled": True, "cpu": 0.196, "balance": 0.4, "runway_s": 10.0}
EVERY = [
    ("tier", 1, {}),
    ("tier", 2, ACK),
    ("tier", 3, FLAT),
    ("ceiling", 0, {"cpu": 0.97}),
    ("runway", 0, {}),
    ("throttled", 0, FLAT),
    ("blind", 0, {"blind_since": "2026-01-05T20:30:00+00:00", "cpu": 0.0}),
    ("blind", 0, {"service": "prometheus", "policy": "blind", "machines": "", "machine": None}),
    ("tier", 1, {"policy": "alerts", "alertname": "HighErrorRate", "summary": "5 % of requests fail"}),
    ("resolved", 0, {"since": None, "machines": ""}),
    ("over", 0, {"until": "2026-01-05T20:33:00+00:00"}),
]


@pytest.mark.parametrize("locale", ["en", "ko"])
@pytest.mark.parametrize(("kind", "level", "facts"), EVERY)
def test_every_kind_reads_back_in_every_language(kind: str, level: int, facts: Facts, locale: str) -> None:
    mail = parsed(message(kind, level, locale=locale, **facts))
    assert mail["Subject"].startswith(f"[{facts.get('service', 'shop')}] ")
    assert mail["To"].addresses[0].addr_spec == "jimin@example.com"
    assert mail["To"].addresses[0].display_name == "Kim Jimin"
    assert (mail["X-Bongsu-Kind"], mail["X-Bongsu-Tier"]) == (kind, str(level) if kind == "tier" else None)
    assert mail["X-Bongsu-Incident"] == INCIDENT
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"].datetime == NOW
    for part in ("plain", "html"):
        said = body(mail, part)
        assert "None" not in said
        assert "%(" not in said
        assert (LINK in said) == (kind not in ("resolved", "over"))
        assert ("/report" in said) == (kind in ("resolved", "over"))


def test_mails_of_an_incident_are_one_thread() -> None:
    first, second = parsed(message("tier", 1)), parsed(message("tier", 2))
    assert first["Message-ID"] != second["Message-ID"]
    assert first["References"] == second["References"] == first["In-Reply-To"] == f"<{INCIDENT}@example.com>"


@pytest.mark.parametrize("host", ["example.com", f"{'a-very-long-name.' * 12}example.com"])
def test_ids_survive_however_long_the_host_is(host: str) -> None:
    from bongsu.render.mails import letter

    given = letter(message(), sender="bongsu@example.com", host=host, link=LINK, page=PAGE)
    assert f"References: <{INCIDENT}@{host}>\r\n".encode() in given


def test_a_retry_has_the_same_bytes() -> None:
    once = sent(message(locale="ko"))
    again = replace(message(locale="ko"), attempts=7, fence=9, state="pending", id=4)
    assert sent(again) == once


def test_every_line_is_seven_bit_and_ends_in_crlf() -> None:
    given = sent(message("throttled", 0, locale="ko", name="김지민 (당직, 커머스 개발 2팀)", **FLAT))
    assert given.isascii()
    assert given.count(b"\n") == given.count(b"\r\n")
    assert max(len(line) for line in given.split(b"\r\n")) < 998
    read = parsed(message("throttled", 0, locale="ko", name="김지민 (당직, 커머스 개발 2팀)", **FLAT))
    assert read["To"].addresses[0].display_name == "김지민 (당직, 커머스 개발 2팀)"
    assert read["Subject"] == "[shop] 성능 제한 중: 크레딧 고갈, 그래프만 정상으로 보임"


@pytest.mark.parametrize("evil", ["\r\nBcc: all@example.com", "\nX-A: 1", "\u2028X-A: 1", "\x0bX-A: 1", "\x85X-A: 1"])
def test_no_value_writes_a_header_or_a_line(evil: str) -> None:
    facts = dict.fromkeys(("service", "machine", "machines", "alertname", "summary", "ack_by"), f"x{evil}")
    given = message("tier", 1, name=f"Kim{evil}", address=f"jimin{evil}@example.com", policy="alerts", **facts)
    given = replace(given, incident_id=f"i{evil}", message_id=f"<m{evil}@x>")
    head = sent(given).split(b"\r\n\r\n")[0].decode()
    names = [line.partition(":")[0] for line in head.split("\r\n") if not line.startswith((" ", "\t"))]
    assert "Bcc" not in names
    assert "X-A" not in names
    assert not [line for line in text(given).splitlines() if line.startswith(("Bcc", "X-A"))]


def test_labels_are_escaped_in_html() -> None:
    said = text(message(policy="alerts", alertname="<script>x</script>", summary="<img src=x>"), "html")
    assert "<script>" not in said
    assert "<img" not in said
    assert "&lt;script&gt;" in said


def test_a_machine_name_does_not_become_a_command() -> None:
    said = text(message(machine="x; rm -rf /"))
    assert "--instance-name INSTANCE" in said


def test_the_first_lines_say_what_since_when_and_what_to_do() -> None:
    what, since, first = text(message()).splitlines()[:3]
    assert what == "machine-1 of shop has been over its CPU baseline of 20 % for 20 min."
    assert since == "Since 20:14 UTC."
    assert first.startswith("First: Acknowledge")
    what, since, first = text(message(locale="ko")).splitlines()[:3]
    assert what == "shop 서비스의 machine-1 CPU가 20분째 기준선 20%를 넘고 있습니다."
    assert since == "시작 시각: 20:14 UTC."
    assert first.startswith("먼저 할 일: 확인을 누른 뒤")


def test_another_day_is_named() -> None:
    assert "Since 2026-01-04 23:50 UTC." in text(message(since="2026-01-04T23:50:00+00:00"))


def test_the_next_tier_hears_who_acknowledged_and_when() -> None:
    said = text(message("tier", 2, **ACK))
    assert "First: Call Kim Jimin, who acknowledged at 20:20 UTC." in said
    assert "Nobody has acknowledged" in text(message("tier", 2))


def test_the_flat_line_is_explained() -> None:
    said = text(message("throttled", 0, **FLAT))
    assert "Do not trust the CPU graph: it is flat at 20 % and looks healthy" in said
    assert "믿지 마세요" in text(message("throttled", 0, locale="ko", **FLAT))


def test_blind_never_says_zero_percent() -> None:
    said = text(message("blind", 0, blind_since="2026-01-05T20:30:00+00:00", cpu=0.0, machine="machine-1"))
    assert "0 %" not in said
    assert "unknown" in said
    tier = text(message("tier", 2, blind_since="2026-01-05T20:30:00+00:00", cpu=0.61))
    assert "Blind since 20:30 UTC" in tier
    assert "CPU: unknown now; last seen: 61 % on machine-1" in tier


def test_the_tier_above_hears_why_it_is_told() -> None:
    said = text(message("tier", 2, unreachable="nobody: on-call:shop"))
    assert "those before you could not be: there is no address for on-call:shop." in said


def test_the_resolved_mail_leads_to_the_report() -> None:
    mail = parsed(message("resolved", 0, elapsed_s=4320.0, done="machine-3 added"))
    assert mail["Subject"] == "[shop] Resolved after 1 h 12 min"
    said = body(mail)
    assert f"{PAGE}/report?lang=en" in said
    assert "Done: machine-3 added" in said
    assert "aws lightsail" not in said


def test_alarms_carry_the_steps_by_hand() -> None:
    said = text(message("tier", 1))
    for step in ("create-instance-snapshot", "create-instances-from-snapshot", "attach-instances-to-load-balancer"):
        assert f"aws lightsail {step}" in said
    assert "--instance-name machine-1" in said
    assert "socat" in said


def test_a_lab_says_that_it_is_one() -> None:
    assert "60 times as fast" in body(parsed(message(), speed=60.0))
    assert "This is a lab" not in text(message())


@given(
    st.dictionaries(st.sampled_from(["service", "machine", "machines", "alertname", "summary", "ack_by"]), st.text())
)
def test_whatever_a_label_says_the_head_of_a_mail_is_ours(facts: dict[str, str]) -> None:
    given = replace(message("tier", 1, policy="alerts", **facts), message_id="<m@example.com>")
    head = sent(given).split(b"\r\n\r\n")[0].decode("ascii")
    names = [line.partition(":")[0] for line in head.split("\r\n") if not line.startswith((" ", "\t"))]
    assert names == [
        "From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Auto-Submitted",
        "X-Bongsu-Incident", "X-Bongsu-Kind", "X-Bongsu-Tier", "MIME-Version", "Content-Type",
    ]  # fmt: skip
    assert not parsed(given).defects


@given(name=st.text(), address=st.text())
def test_whatever_a_name_says_the_head_of_a_mail_is_ours(name: str, address: str) -> None:
    head = sent(message("tier", 1, name=name, address=address)).split(b"\r\n\r\n")[0]
    assert head.isascii()
    assert [line.partition(b":")[0] for line in head.split(b"\r\n") if line[:1] not in b" \t"].count(b"To") == 1
