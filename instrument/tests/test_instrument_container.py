"""A container's CPU is counted against its own limit. In a real control group, seen as a container sees it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bongsu_instrument.container import cpu_limit, cpu_seconds

BUSY = """
import json, time
from bongsu_instrument.system import CpuShare, cores, cpu_count
share, until = CpuShare(), time.monotonic() + 1.5
while time.monotonic() < until:
    pass
print(json.dumps([*share.read(), cores(), cpu_count()]))
"""


def test_version_2(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("40000 100000\n")
    (tmp_path / "cpu.stat").write_text("usage_usec 2500000\nuser_usec 1\n")
    assert (cpu_limit(tmp_path), cpu_seconds(tmp_path)) == (0.4, 2.5)
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert cpu_limit(tmp_path) is None


def test_a_machine_without_control_groups_has_no_limit(tmp_path: Path) -> None:
    assert (cpu_limit(tmp_path), cpu_seconds(tmp_path)) == (None, None)


@pytest.fixture
def group() -> Iterator[tuple[Path, Path]]:
    """A control group of 0.3 core, of version 1 or 2; (its CPU folder, its accounting folder)."""
    root = Path("/sys/fs/cgroup")
    one = (root / "cpu" / "cpu.cfs_quota_us").exists()
    folders = [root / each / "instrument-test" for each in (("cpu", "cpuacct") if one else ("",))]
    try:
        for folder in folders:
            folder.mkdir(exist_ok=True)
        if one:
            (folders[0] / "cpu.cfs_quota_us").write_text("30000")
        else:
            (folders[0] / "cpu.max").write_text("30000 100000")
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    yield folders[0], folders[-1]
    for folder in dict.fromkeys(folders):
        folder.rmdir()


def test_a_busy_container_uses_all_of_its_limit(group: tuple[Path, Path]) -> None:
    cpu, accounting = group
    mount = "; ".join(
        f"mount --bind {folder} {point}" for folder, point in {cpu: cpu.parent, accounting: accounting.parent}.items()
    )
    join = "; ".join(f"echo $$ > {folder}/cgroup.procs" for folder in {cpu, accounting})
    script = f'{join}; {mount}; exec "$0" -c "$1"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-euc", script, sys.executable, BUSY], capture_output=True, text=True, check=False
    )
    if "ermitted" in done.stderr:
        pytest.skip(f"no mount of one's own here: {done.stderr}")
    assert done.returncode == 0, done.stderr
    machine, process, cores, count = (float(each) for each in done.stdout.strip("[]\n").split(","))
    assert (cores, count) == (0.3, 1.0)
    assert machine == pytest.approx(1.0, abs=0.25)
    assert process == pytest.approx(1.0, abs=0.25)
