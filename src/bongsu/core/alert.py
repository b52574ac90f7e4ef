"""An alert: a labelled signal that somebody else has judged, firing or resolved."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

SERVICE_LABEL = "bongsu_service"
POLICY_LABEL = "bongsu_policy"
HEARTBEAT_LABEL = "bongsu_heartbeat"
"""What makes an alert a heartbeat; its value is the heartbeat's name."""
RESOLVES_AFTER = timedelta(minutes=5)
"""How long an alert fires that came without an end and is not sent again."""


_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def label_name(text: str) -> bool:
    """Whether a label may have this name."""
    return _LABEL.fullmatch(text) is not None


@lru_cache(maxsize=1024)
def label_names(texts: tuple[str, ...]) -> bool:
    """Whether labels may have these names: asked of every alert, and few differ."""
    return all(map(label_name, texts))


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
