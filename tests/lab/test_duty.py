"""The duty cycle: capping CPU without any right."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bongsu.lab.duty import DutyCycle, cpu_seconds, members
from tests.lab.labtools import busy, settles_at
from tests.support import wait_for


def test_the_cpu_clock_of_another_process_agrees_with_proc() -> None:
    with busy() as process:
        wait_for("CPU use", lambda: cpu_seconds(process.pid) > 0.3)
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        ticks = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        assert cpu_seconds(process.pid) == pytest.approx(ticks, abs=0.1)
        assert members(process.pid) == [process.pid]


def test_a_busy_process_gets_its_share_and_runs_free_in_the_end() -> None:
    with busy() as process:
        duty = DutyCycle(process.pid)
        duty.limit(0.2)
        wait_for("throttling", lambda: duty.usage().throttled_periods > 3)
        assert settles_at(0.2, 0.03, lambda: duty.usage().cpu_seconds)
        assert duty.usage().throttled_seconds > 0.5
        duty.close()
        before = cpu_seconds(process.pid)
        wait_for("CPU use", lambda: cpu_seconds(process.pid) > before + 0.2)


def test_a_process_that_is_gone_is_an_error() -> None:
    with busy() as process:
        duty = DutyCycle(process.pid)
        assert duty.usage().cpu_seconds >= 0
    with pytest.raises(ProcessLookupError):
        duty.usage()
