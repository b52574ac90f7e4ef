"""CPU cgroups: found in every layout, really limiting, swept without touching other labs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bongsu.lab.cgroup import CpuGroup, Hierarchy, Mounts, find_mounts, usable_hierarchy
from tests.lab.labtools import busy, settles_at
from tests.support import wait_for

SEPARATE = """\
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
33 31 0:30 / /sys/fs/cgroup/cpuacct rw,relatime - cgroup cgroup rw,cpuacct
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""
TOGETHER = """\
30 25 0:26 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct
31 25 0:27 /docker/abc /sys/fs/cgroup/memory ro,nosuid - cgroup cgroup rw,memory
"""
UNIFIED = "29 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n"


def test_version_1_with_two_mounts() -> None:
    mounts = find_mounts(SEPARATE, "2:cpuacct:/\n1:cpu:/\n0::/\n")
    assert mounts == Mounts(1, (Path("/sys/fs/cgroup/cpu"),), (Path("/sys/fs/cgroup/cpuacct"),))


def test_version_1_with_one_mount_and_a_group_of_our_own() -> None:
    both = Path("/sys/fs/cgroup/cpu,cpuacct")
    mounts = find_mounts(TOGETHER, "4:memory:/docker/abc\n3:cpu,cpuacct:/user.slice/mine\n0::/x\n")
    candidates = (both / "user.slice/mine", both / "user.slice", both)
    assert mounts == Mounts(1, candidates, candidates)


def test_version_2_offers_our_group_and_its_ancestors() -> None:
    mounts = find_mounts(UNIFIED, "0::/user.slice/user-1000.slice/session-2.scope\n")
    assert mounts is not None
    assert mounts.version == 2
    assert mounts.cpu[0] == Path("/sys/fs/cgroup/user.slice/user-1000.slice/session-2.scope")
    assert mounts.cpu[-1] == Path("/sys/fs/cgroup")


def test_a_container_sees_its_part_of_the_tree() -> None:
    text = UNIFIED.replace(" / /sys", " /docker/abc /sys")
    mounts = find_mounts(text, "0::/docker/abc/inner\n")
    assert mounts is not None
    assert mounts.cpu == (Path("/sys/fs/cgroup/inner"), Path("/sys/fs/cgroup"))


def test_a_group_outside_the_mount_falls_back_to_the_mount_point() -> None:
    mounts = find_mounts(UNIFIED, "0::/../elsewhere\n")
    assert mounts is not None
    assert mounts.cpu == (Path("/sys/fs/cgroup"),)


def test_no_cgroups_at_all() -> None:
    assert find_mounts("29 23 0:26 / /proc rw - proc proc rw\n", "") is None


def test_version_2_files(tmp_path: Path) -> None:
    group = CpuGroup(2, tmp_path, tmp_path)
    group.limit(0.4)
    assert (tmp_path / "cpu.max").read_text() == "40000 100000"
    group.close()
    assert (tmp_path / "cpu.max").read_text() == "max 100000"
    (tmp_path / "cpu.stat").write_text(
        "usage_usec 2500000\nuser_usec 1\nsystem_usec 1\nnr_periods 40\nnr_throttled 10\nthrottled_usec 750000\n"
    )
    usage = group.usage()
    assert (usage.cpu_seconds, usage.periods, usage.throttled_periods, usage.throttled_seconds) == (2.5, 40, 10, 0.75)


def test_version_2_needs_the_controller_in_the_children(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("memory pids\n")
    (tmp_path / "cgroup.subtree_control").write_text("memory\n")
    assert usable_hierarchy("feed", Mounts(2, (tmp_path,), (tmp_path,))) is None


@pytest.fixture
def hierarchy() -> Hierarchy:
    found = usable_hierarchy(f"{os.getpid():010x}")
    if found is None:
        pytest.skip("no right to make CPU cgroups here")
    return found


def test_a_group_really_limits(hierarchy: Hierarchy) -> None:
    group = hierarchy.create("limited")
    enter = ("sh", "-c", 'for f in "$0" "$1"; do echo $$ > "$f"; done; shift 1; exec "$@"')
    entrances = (str(group.cpu / "cgroup.procs"), str(group.accounting / "cgroup.procs"))
    try:
        group.limit(0.2)
        with busy((*enter, *entrances)):
            wait_for("throttling", lambda: group.usage().throttled_periods > 2)
            assert settles_at(0.2, 0.02, lambda: group.usage().cpu_seconds)
            assert group.usage().throttled_seconds > 0.5
    finally:
        group.remove()
    assert not group.cpu.exists()
    assert not group.accounting.exists()


def test_sweeping_takes_our_own_groups_and_their_processes_alone(hierarchy: Hierarchy) -> None:
    other = Hierarchy(hierarchy.version, hierarchy.cpu, hierarchy.accounting, "ffffffffff")
    ours, theirs = hierarchy.create("m1"), other.create("m1")
    try:
        with busy() as process:
            (ours.cpu / "cgroup.procs").write_text(str(process.pid))
            assert hierarchy.sweep() == [ours.cpu.name]
            wait_for("its end", lambda: process.poll() is not None)
        assert not ours.cpu.exists()
        assert theirs.cpu.exists()
    finally:
        theirs.remove()
