"""Matchers in Prometheus' form: what they mean, and that none of them takes long."""

from __future__ import annotations

import time

import pytest

from bongsu.core.errors import InvalidInput
from bongsu.core.matcher import LONGEST_PATTERN, Matcher, parse


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ('severity="page"', Matcher("severity", "page")),
        (' severity != "page" ', Matcher("severity", "page", is_equal=False)),
        ("severity=~page|ticket", Matcher("severity", "page|ticket", is_regex=True)),
        ('a!~"b.*"', Matcher("a", "b.*", is_regex=True, is_equal=False)),
        ('a="say \\"no\\"\\n"', Matcher("a", 'say "no"\n')),
        ("a=", Matcher("a", "")),
        ('a=""', Matcher("a", "")),
        ("a= x y ", Matcher("a", "x y")),
    ],
)
def test_a_matcher_is_read_as_alertmanager_reads_it(text: str, meant: Matcher) -> None:
    assert parse(text) == meant
    assert parse(str(meant)) == meant


@pytest.mark.parametrize(
    "text",
    ["", "a", '="b"', "1a=b", 'a="b', 'a=b"', 'a="b"c"', "a=~(", "a=~(?=b)", "a=~" + "x" * (LONGEST_PATTERN + 1)],
)
def test_what_is_no_matcher_is_told(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse(text)


def test_regular_expressions_match_the_whole_value() -> None:
    pages = parse('severity=~"(?i)page|tick.t"')
    assert [pages.matches({"severity": each}) for each in ("PAGE", "ticket", "pages", "")] == [True, True, False, False]
    assert parse('a=~".*"').matches({})
    assert parse('a=~"x.y"').matches({"a": "x\ny"}), "a dot is any character, as in Prometheus"
    assert parse('a!~"x+"').matches({"a": "y" * 1000})


def test_no_pattern_and_no_text_takes_long() -> None:
    began = time.process_time()
    for text in ("a=" + " " * 60_000 + '"', " " * 60_000 + "a", 'a="' + "\\" * 60_001, "a" * 60_000):
        with pytest.raises(InvalidInput):
            parse(text)
    for pattern in ("(a+)+b", "(a|a)*b", "(a?){100}" * 2 + "a{100}b", ".*.*.*.*.*x"):
        assert not parse(f'a=~"{pattern}"').matches({"a": "a" * 50_000})
    assert time.process_time() - began < 2, "milliseconds; Python's own expressions take hours"
