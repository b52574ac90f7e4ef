"""How broad a silence is: what it would mute, whom that concerns, and what must be confirmed first."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from bongsu.core.matcher import Matcher, all_match

_SERVICE = "bongsu_service"
_ANY = "\u2713 any value at all \u2713"


def mutes_anything(matchers: Sequence[Matcher]) -> bool:
    """Whether these hold for values that nobody has ever seen, such as ``alertname=~".+"``."""
    return all_match(matchers, {matcher.name: _ANY for matcher in matchers})


def services_of(matchers: Sequence[Matcher], services: Iterable[str]) -> tuple[str, ...]:
    """The services whose alerts these may mute; all of them when no matcher speaks of a service."""
    naming = [matcher for matcher in matchers if matcher.name == _SERVICE]
    return tuple(name for name in services if all_match(naming, {_SERVICE: name}))


def to_confirm(matchers: Sequence[Matcher], muted: Collection[str], shown: Collection[str]) -> list[str]:
    """Why a silence needs a confirmation; empty when it does not. ``muted`` and ``shown`` are fingerprints."""
    found = []
    if mutes_anything(matchers):
        found.append("matchers: they hold for any alert there may ever be; name an alert or a service")
    more = len(set(muted) - set(shown))
    if more:
        found.append(f"it would mute {more} firing alert(s) that the preview did not show; look at the preview again")
    return found
