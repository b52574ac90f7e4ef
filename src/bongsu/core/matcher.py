"""Matchers: conditions on labels in Prometheus' and Alertmanager's form, such as ``severity=~"page|ticket"``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from bongsu.core.errors import InvalidInput

_FORM = re.compile(r"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)\s*(?P<op>=~|!~|!=|=)(?P<value>.*)", re.DOTALL)
_QUOTED = re.compile(r'"(?P<inside>(?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)")
_MEANS = {"n": "\n", "t": "\t"}
LONGEST_PATTERN = 4096
_SHORT = 200
"""Results for texts up to this length are remembered; most labels have few values."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """A condition on one label; a label that is absent counts as empty. Regular expressions match the whole value."""

    name: str
    value: str
    is_regex: bool = False
    is_equal: bool = True

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether it holds for these labels."""
        found = labels.get(self.name, "")
        hit = hits(self.value, found) if self.is_regex else found == self.value
        return hit is self.is_equal

    def __str__(self) -> str:
        """Its usual form."""
        op = {(False, True): "=", (False, False): "!=", (True, True): "=~", (True, False): "!~"}
        value = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{self.name}{op[self.is_regex, self.is_equal]}"{value}"'


def parse(text: str) -> Matcher:
    """A matcher from its usual form; the quotation marks may be left out. Raises InvalidInput."""
    found = _FORM.fullmatch(text.strip())
    value = found["value"].strip() if found is not None else '"'
    quoted = _QUOTED.fullmatch(value)
    if found is None or ('"' in value and quoted is None):
        raise InvalidInput([f'{text!r} is not a matcher; write name="value", with =, !=, =~ or !~'])
    if quoted is not None:
        value = _ESCAPED.sub(lambda each: _MEANS.get(each[1], each[1]), quoted["inside"])
    return checked(Matcher(found["name"], value, "~" in found["op"], not found["op"].startswith("!")))


def checked(matcher: Matcher) -> Matcher:
    """The matcher itself. Raises InvalidInput when its regular expression is none."""
    if matcher.is_regex:
        try:
            hits(matcher.value, "")
        except ValueError as error:
            raise InvalidInput([f"{matcher.name}: {error}"]) from None
    return matcher


def all_match(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether every condition holds; no condition at all holds for everything."""
    return all(matcher.matches(labels) for matcher in matchers)


def hits(pattern: str, text: str) -> bool:
    """Whether a regular expression matches the whole text. Raises ValueError when it is none.

    It is RE2's, as in Prometheus and Alertmanager: its time grows with the text alone. With Python's own, whoever may
    ask for alerts could stop the whole server by one pattern such as ``(a+)+b``.
    """
    if len(text) > _SHORT:
        return _compiled(pattern).fullmatch(text) is not None
    return _remembered(pattern, text)


@lru_cache(maxsize=4096)
def _remembered(pattern: str, text: str) -> bool:
    return _compiled(pattern).fullmatch(text) is not None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    import re2  # late: most servers never meet a regular expression

    if len(pattern) > LONGEST_PATTERN:
        raise ValueError(f"a regular expression of {len(pattern)} characters; write at most {LONGEST_PATTERN}")
    options = re2.Options()
    options.dot_nl = True
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        said = error.args[0].decode(errors="replace") if error.args else "unknown"
        raise ValueError(f"{pattern!r} is not a regular expression of RE2: {said}") from None
