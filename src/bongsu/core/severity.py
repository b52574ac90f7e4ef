"""How grave something is: what may wake whoever has quiet hours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

LABEL = "severity"


class Severity(StrEnum):
    """From what is good to know to what somebody must get up for."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    def reaches(self, other: Severity) -> bool:
        """Whether this is as grave as another, or graver."""
        return _ORDER[self] >= _ORDER[other]


_ORDER = {each: number for number, each in enumerate(Severity)}


def said_by(labels: Mapping[str, str], otherwise: Severity) -> Severity:
    """What an alert's label says; a word that is none of ours says nothing."""
    said = labels.get(LABEL, "").lower()
    return Severity(said) if said in _ORDER else otherwise


def gravest(those: Iterable[Severity], otherwise: Severity) -> Severity:
    """The gravest of several; ``otherwise`` when there is none."""
    return max(those, key=_ORDER.__getitem__, default=otherwise)
