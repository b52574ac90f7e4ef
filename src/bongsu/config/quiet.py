"""Quiet hours as ``bongsu.toml`` has them."""

from __future__ import annotations

import msgspec

from bongsu.core.severity import Severity


class QuietSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hours of the week, such as "22:00-07:00" or "sat,sun", in which only what is as grave as ``unless`` wakes.

    What may wait is then written at their end. Never the first tier, the ceiling, low or empty credits, or blindness.
    """

    hours: list[str]
    unless: Severity = Severity.CRITICAL
