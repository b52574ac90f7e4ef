"""What did not come: the expected by comparable times, minus what was seen. An estimate with a range, never a count."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

_T = (0.0, 12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26)
"""Two-sided 95 % quantiles of Student's t, by degrees of freedom."""
_NORMAL = 1.96


class Method(StrEnum):
    """What the expectation is made of."""

    SAME_HOURS = "same_hours"
    """The same hours of earlier days."""
    CALM_RATE = "calm_rate"
    """The calm time just before, as if it had gone on."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """``seen`` of something, ``expected`` with its 95 % range from ``compared`` samples, and what is missing."""

    method: Method
    seen: float
    expected: float
    expected_low: float
    expected_high: float
    compared: int

    @property
    def missing(self) -> float:
        """How much less came than expected; 0 when as much or more came."""
        return max(0.0, self.expected - self.seen)

    @property
    def missing_low(self) -> float:
        """At least, with 95 % confidence."""
        return max(0.0, self.expected_low - self.seen)

    @property
    def missing_high(self) -> float:
        """At most, with 95 % confidence."""
        return max(0.0, self.expected_high - self.seen)

    def times(self, factor: float) -> Estimate:
        """The same in another unit, such as money by the mean value of an order."""
        return replace(
            self,
            seen=self.seen * factor,
            expected=self.expected * factor,
            expected_low=self.expected_low * factor,
            expected_high=self.expected_high * factor,
        )


def estimate(method: Method, samples: Sequence[float], seen: float, spans: float = 1.0) -> Estimate | None:
    """What ``samples`` (counts of equal times) let expect of a time ``spans`` as long; None without a sample.

    The range is that of a prediction: the scatter of what is to come, and the doubt about the mean. The scatter is at
    least that of chance (Poisson), which is all that one sample alone can tell.
    """
    if not samples or spans <= 0:
        return None
    count = len(samples)
    mean = statistics.fmean(samples)
    scatter = max(mean, statistics.variance(samples) if count > 1 else 0.0)
    width = (_T[count - 1] if 1 < count <= len(_T) else _NORMAL) * math.sqrt(scatter * spans * (1.0 + spans / count))
    expected = mean * spans
    return Estimate(method, seen, expected, max(0.0, expected - width), expected + width, count)
