"""An alert as it comes in from outside: labels, firing or resolved, identified by the labels' fingerprint."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

SERVICE_LABEL = "bongsu_service"
POLICY_LABEL = "bongsu_policy"


@dataclass(frozen=True, slots=True)
class Alert:
    """A labelled signal; ``ends_at`` in the past means resolved."""

    labels: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    generator_url: str = ""

    @property
    def fingerprint(self) -> str:
        """16 hex digits that depend on the labels alone, in any order."""
        digest = hashlib.blake2b(digest_size=8)
        for name, value in sorted(self.labels.items()):
            digest.update(name.encode() + b"\xff" + value.encode() + b"\xff")
        return digest.hexdigest()

    @property
    def name(self) -> str:
        """The ``alertname`` label, or a word for its absence."""
        return self.labels.get("alertname", "unnamed")

    def firing(self, now: datetime) -> bool:
        """Whether it has not ended yet."""
        return self.ends_at is None or self.ends_at > now
