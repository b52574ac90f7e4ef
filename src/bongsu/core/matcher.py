"""Matchers: conditions on labels in Prometheus' and Alertmanager's form, such as ``severity=~"page|ticket"``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from bongsu.core.errors import InvalidInput

_FORM = re.compile(
    r"""\s*(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)\s*(?P<op>=~|!~|!=|=)\s*(?P<value>"(?:[^"\\]|\\.)*"|[^"]*?)\s*"""
)
_ESCAPED = re.compile(r"\\(.)")
_MEANS = {"n": "\n", "t": "\t"}


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
        hit = bool(_compiled(self.value).fullmatch(found)) if self.is_regex else found == self.value
        return hit is self.is_equal

    def __str__(self) -> str:
        """Its usual form."""
        op = {(False, True): "=", (False, False): "!=", (True, True): "=~", (True, False): "!~"}
        value = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{self.name}{op[self.is_regex, self.is_equal]}"{value}"'


def parse(text: str) -> Matcher:
    """A matcher from its usual form; the quotation marks may be left out. Raises InvalidInput."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise InvalidInput([f'{text!r} is not a matcher; write name="value", with =, !=, =~ or !~'])
    value = found["value"]
    if value.startswith('"'):
        value = _ESCAPED.sub(lambda each: _MEANS.get(each[1], each[1]), value[1:-1])
    return checked(Matcher(found["name"], value, "~" in found["op"], not found["op"].startswith("!")))


def checked(matcher: Matcher) -> Matcher:
    """The matcher itself. Raises InvalidInput when its regular expression is none."""
    if matcher.is_regex:
        try:
            _compiled(matcher.value)
        except re.error as error:
            raise InvalidInput([f"{matcher.name}: {matcher.value!r} is not a regular expression: {error}"]) from None
    return matcher


def all_match(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether every condition holds; no condition at all holds for everything."""
    return all(matcher.matches(labels) for matcher in matchers)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.DOTALL)
