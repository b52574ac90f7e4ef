"""What the lab's tests share: a busy process, the stand-in shop."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bongsu.lab.plan import LabPlan
from bongsu.lab.processes import leftovers

STANDIN = (sys.executable, str(Path(__file__).with_name("standin_shop.py")))


def plan(**changes: object) -> LabPlan:
    """A lab with the stand-in shop and without Bongsu."""
    return replace(LabPlan(bongsu=False, shop_command=STANDIN), **changes)


@contextmanager
def busy(before: tuple[str, ...] = ()) -> Iterator[subprocess.Popen[bytes]]:
    """A process group that uses all the CPU it gets; ``before`` wraps its command."""
    code = "while True: pass"
    with subprocess.Popen([*before, sys.executable, "-c", code], process_group=0) as process:
        try:
            yield process
        finally:
            process.kill()


def settles_at(cores: float, within: float, cpu_seconds: Callable[[], float]) -> bool:
    """Whether one of several short windows shows this CPU use, in cores.

    Time that the host steals from this computer is billed to whoever ran, so single windows may lie; an uncapped
    process uses a whole core in all of them.
    """
    for _ in range(12):
        before, began = cpu_seconds(), time.monotonic()
        time.sleep(0.8)
        if abs((cpu_seconds() - before) / (time.monotonic() - began) - cores) <= within:
            return True
    return False


def nothing_left(lab: Path) -> bool:
    """Whether neither a process nor a cgroup of a lab is left."""
    from bongsu.lab.directory import LabDirectory

    mark = LabDirectory(lab.resolve()).mark
    groups = [path for path in Path("/sys/fs/cgroup").glob(f"**/bongsu-{mark}-*") if path.is_dir()]
    return not leftovers(lab.resolve()) and not groups
