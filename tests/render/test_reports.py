"""The report: every figure, and where it comes from."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from bongsu.core.incident import Entry, Facts
from bongsu.render.reports import report_html, report_md, timeline_words
from tests.render.letters import START, report

FIGURES = (
    "112", "241", "1,204", "31", "60", "81", "181", "20,412", "388", "1,620",
    "1 h 12 min", "97 %", "0 credits", "3.0 s", "lightsail:small-2GB", "20 %",
    "12.3/s", "88.1/s", "7.2 times", "71 %", "51.0/s",
    "20:14:00 UTC", "20:19:00 UTC", "20:20:30 UTC", "21:26:00 UTC",
    "machine-3", "10.0.0.3:8080", "250 queued as 4F1", "550 no such user", "5 min", "21 min",
    "Incident opened: over the baseline since 20:14:00 UTC on machine-1.",
    "The next tiers wait until 20:35 UTC.", "a_code_of_tomorrow (x=1)",
    'system_cpu_usage{job="application"}', "SELECT count(DISTINCT who) FROM v", "edge.jsonl", "prometheus",
    "19:44:00 UTC", "requests that never reached the load balancer", "Lessons", "Action items",
    "did not reach their goal", "Orders missed: about 50 (30 to 70", "Revenue missed, in KRW", "3 lines are half",
    "never reached us: about 3,588", "200 synthetic requests, 40 of health checks", "18,011", "10.0.0.9",
    "12 of 13 invariants hold", "stock-is-its-history: 2 damaged rows", "144 credits, then 0 credits",
)  # fmt: skip


class Text(HTMLParser):
    """The words of a page, and whether it is self-contained."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.outside: list[str] = []
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        asks = [
            value
            for name, value in attrs
            if name in ("src", "href", "srcset") and not (value or "").startswith("data:")
        ]
        if asks or tag == "script":
            self.outside.append(tag)


def test_the_page_holds_every_figure_and_its_source() -> None:
    page = Text(report_html(report(), "en"))
    said = " ".join(page.words)
    assert [figure for figure in FIGURES if figure not in said] == []
    assert page.outside == []


def test_the_markdown_holds_every_figure_and_its_source() -> None:
    said = report_md(report(), "en")
    assert [figure for figure in FIGURES if figure not in said] == []


def test_the_summary_says_at_least_and_at_most() -> None:
    said = report_md(report(), "en")
    assert "At least 112 users (identified) and at most 241 (with visitors who never signed in) of 1,204 active" in said
    assert "1 machine was added: machine-3." in said
    korean = report_md(report(), "ko")
    assert "# 장애 보고서: shop" in korean
    assert "최소 112명" in korean
    assert "서버 1대를 늘렸습니다: machine-3." in korean


def test_what_is_not_known_is_said() -> None:
    said = report_md(report(), "en")
    assert "Not known, because the source did not answer: Credits." in said
    bare = replace(report(), measured=None, sources=(), cpu={}, balance={}, p95={}, cpu_top=None, ended_at=None)
    said = report_md(bare, "en")
    assert "How many users were affected is not known: there is no access log." in said
    assert "| End | goes on |" in said
    assert "Highest CPU" not in said


def test_names_do_not_break_a_table_or_a_page() -> None:
    assert "`/sale\\|&lt;b>`" in report_md(report(), "en")
    assert "/sale|&lt;b&gt;" in report_html(report(), "en")


@pytest.mark.parametrize("locale", ["en", "ko"])
@pytest.mark.parametrize(
    ("what", "facts"),
    [
        ("opened", {"since": START.isoformat()}),
        ("opened", {"alertname": "HighErrorRate"}),
        ("told", {"kind": "runway", "level": 2, "to": "Sora", "elapsed_s": 300.0, "unreachable": "refused: a@b (550)"}),
        ("unreachable", {"kind": "tier", "level": 1, "why": "nobody: on-call:shop"}),
        ("exhausted", {"kind": "tier"}),
        ("acknowledged", {"by": "Sora", "holds": True, "until": START.isoformat()}),
        ("acknowledged", {"by": "Sora", "holds": False}),
        ("acknowledged_late", {"by": "Sora"}),
        ("ack_void", {"why": "machine", "by": "Sora"}),
        ("again", {}),
        ("mitigated", {"elapsed_s": 4320.0}),
        ("resolved", {"elapsed_s": 4320.0}),
        ("resolved_by_hand", {"by": "Sora"}),
        ("reopened", {}),
        ("was_over", {}),
        ("scale_out_requested", {"by": "Sora", "count": 2, "machines": "machine-3, machine-4"}),
        ("scale_out_requested", {"by": "Sora", "count": 0, "machines": ""}),
        ("machine_added", {"machine": "machine-3"}),
        ("machine_failed", {"machine": "machine-3", "why": "no quota"}),
        ("machine_removed", {"machine": "machine-3"}),
        ("machine_draining", {"machine": "machine-3"}),
        ("machine_kept", {"machine": "machine-3"}),
        ("alert_joined", {"alertname": "HighErrorRate"}),
        ("reviewed", {"by": "Sora"}),
    ],
)
def test_every_code_of_the_timeline_has_words(what: str, facts: Facts, locale: str) -> None:
    said = timeline_words(Entry(START, what, facts), locale)
    assert not said.startswith(what)
    assert "?" not in said
    assert said.endswith(".")
    named = [facts[name] for name in ("by", "machine", "to") if name in facts]
    assert all(str(name) in said for name in named)
