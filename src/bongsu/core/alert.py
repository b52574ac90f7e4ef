"""An alert: a labelled signal that somebody else has judged, firing or resolved."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

SERVICE_LABEL = "bongsu_service"
POLICY_LABEL = "bongsu_policy"
HEARTBEAT_LABEL = "bongsu_heartbeat"
"""What makes an alert a heartbeat; its value is the heartbeat's name."""
RESOLVES_AFTER = timedelta(minutes=5)
"""How long an alert fires that came without an end and is not sent again."""


def label_name(text: str) -> bool:
    """Whether a label may have this name: a letter or ``_``, then letters, digits and ``_``, all of ASCII."""
    return text.isascii() and text.isidentifier()


def label_names(texts: Collection[str]) -> bool:
    """Whether labels may have these names. Asked of every alert."""
    return all(map(str.isidentifier, texts)) and "".join(texts).isascii()


class Alert(NamedTuple):
    """A labelled signal; ``ends_at`` in the past means resolved. Times are service time.

    A tuple, because a storm makes many thousand a second, and a frozen dataclass takes three times as long to make.
    """

    labels: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime
    annotations: Mapping[str, str] = {}
    generator_url: str = ""

    @property
    def name(self) -> str:
        """The ``alertname`` label, or a word for its absence."""
        return self.labels.get("alertname", "unnamed")

    def firing(self, now: datetime) -> bool:
        """Whether it has not ended yet."""
        return self.ends_at > now
