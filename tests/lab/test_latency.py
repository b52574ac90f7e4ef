"""Percentiles over windows, and samples on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from bongsu.lab.latency import Sample, percentile, read_samples, window


def sample(at: float, latency: float, status: int = 200, person: int = 1) -> Sample:
    return Sample(at, latency, status, "detail", True, person)


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([], 0.5, None), ([7], 0.99, 7), ([1, 2, 3, 4], 0.5, 2), (list(range(1, 101)), 0.95, 95), ([3, 1, 2], 1.0, 3)],
)
def test_nearest_rank(values: list[float], share: float, expected: float | None) -> None:
    assert percentile(values, share) == expected


def test_a_window_takes_its_begin_and_not_its_end() -> None:
    samples = [sample(float(at), at / 10, person=at) for at in range(10)]
    found = window(samples, 2.0, 5.0)
    assert (found.requests, found.p50, found.p99, found.people) == (3, 0.3, 0.4, 3)
    assert window(samples, 20.0, 30.0).p50 is None


def test_failures_are_server_errors_and_silence_but_not_refusals() -> None:
    samples = [sample(0, 0.1, 500, 1), sample(0, 5.0, 0, 1), sample(0, 0.1, 409, 2), sample(0, 0.1, 200, 3)]
    found = window(samples, 0, 1)
    assert (found.failed, found.people_failed, found.people) == (2, 1, 3)


def test_samples_survive_the_disk_and_half_a_sample_does_not(tmp_path: Path) -> None:
    kept = [sample(1795382544.64, 0.25), Sample(1795382545.0, 5.0, 0, "charge", False, 499)]
    path = tmp_path / "samples.bin"
    path.write_bytes(b"".join(each.pack() for each in kept) + b"half")
    assert read_samples(path) == kept
