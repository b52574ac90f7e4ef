"""Service time and wall time: in the lab one wall second stands for ``speed`` service seconds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True)
class Timescale:
    """Translates between the wall's time and the time that policies, buckets and schedules live in.

    At ``origin`` both agree; from there service time runs ``speed`` times as fast.
    Latencies, request rates, time-outs and link expiry stay in wall time.
    """

    origin: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    speed: float = 1.0

    def to_service(self, wall: datetime) -> datetime:
        """The service time of a wall time."""
        if self.speed == 1.0:
            return wall
        return self.origin + (wall - self.origin) * self.speed

    def to_wall(self, service: datetime) -> datetime:
        """The wall time of a service time."""
        if self.speed == 1.0:
            return service
        return self.origin + (service - self.origin) / self.speed

    def wall_span(self, span: timedelta) -> timedelta:
        """How long a span of service time takes on the wall."""
        return span / self.speed

    def service_span(self, span: timedelta) -> timedelta:
        """How much service time passes in a span of wall time."""
        return span * self.speed
