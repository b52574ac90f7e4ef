"""The section that names who sells a service's machines."""

from __future__ import annotations

from typing import Literal

import msgspec


class ProviderSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who knows a service's burst credits. ``instances``: the provider's name of each machine by Prometheus' name.

    ``endpoint``: where its API is, if not where it usually is.
    """

    kind: Literal["lightsail", "ec2"]
    region: str
    instances: dict[str, str]
    endpoint: str | None = None
