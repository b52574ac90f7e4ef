"""A whole lab with the stand-in shop: up, orders, one machine more, down; crashes; kills; a second start."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from bongsu.adapters.haproxy import HAProxy
from bongsu.core.errors import BongsuError, InvalidInput, NotFound
from bongsu.lab.haproxy import SERVER
from bongsu.lab.loopback import call, fetch
from bongsu.lab.processes import leftovers
from bongsu.lab.running import LabFailed, RunningLab, open_lab, start_lab, supervisor_log
from tests.lab.labtools import nothing_left, plan
from tests.support import wait_for


@pytest.fixture
def lab(root: Path) -> Iterator[RunningLab]:
    with start_lab(plan(machines=2, opening_balance=30.0), root, state="up") as running:
        yield running


def haproxy(lab: RunningLab, command: str) -> str:
    return HAProxy(lab.endpoints["haproxy_socket"], "shop")._ask(command)


def edge(lab: RunningLab) -> list[dict[str, object]]:
    whole = Path(lab.endpoints["edge_log"]).read_text().rpartition("\n")[0]  # the last line may be under way
    return [json.loads(line) for line in whole.splitlines()]


def instances(lab: RunningLab, query: str) -> set[str]:
    found = json.loads(fetch(f"{lab.endpoints['prometheus']}/api/v1/query?query={quote(query)}"))
    return {row["metric"].get("instance", "") for row in found["data"]["result"]}


def state_of(lab: RunningLab, machine: str) -> str:
    return next((str(each["state"]) for each in lab.machines() if each["name"] == machine), "gone")


def test_a_lab_sells_grows_and_goes(root: Path) -> None:
    with start_lab(plan(machines=2, opening_balance=30.0), root) as lab:
        call("POST", f"{lab.endpoints['shop']}/orders", {"lines": []})
        line = wait_for("the order in the edge log", lambda: edge(lab))[-1]
        assert (line["method"], line["path"], line["status"]) == ("POST", "/orders", 201)
        assert (line["backend"], line["server"]) in (("shop", "m1"), ("shop", "m2"))
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", str(line["ts"]))
        assert (line["user"], line["synthetic"]) == ("", "")

        # What the shop itself says of its CPU is dropped; the governor speaks for the machine.
        assert instances(lab, 'up{job="application"} == 1') == {"m1", "m2"}
        assert instances(lab, 'system_cpu_usage{job="application"} < 0.9') == {"m1", "m2"}
        assert instances(lab, 'system_cpu_usage{job="application"} > 0.9') == set()
        assert instances(lab, "standin_up") == {"m1", "m2"}

        ordered = lab.add_machine("m9", balance=5.0)
        assert ordered["state"] == "booting"
        assert lab.add_machine("m9")["address"] == ordered["address"]  # asked twice, made once
        wait_for("the new machine", lambda: state_of(lab, "m9") == "running")
        haproxy(lab, f"add server shop/m9 {ordered['address']} {SERVER}")
        haproxy(lab, "enable health shop/m9")
        haproxy(lab, "set server shop/m9 state ready")
        wait_for("its first request", lambda: fetch(f"{lab.endpoints['shop']}/products/1") and served_by(lab, "m9"))
        wait_for("the governor's first window of it", lambda: "m9" in lab.gauges())
        assert lab.gauges()["m9"]["burst_credit_balance"] < 10
        wait_for("its first scrape", lambda: "m9" in instances(lab, 'up{job="application"} == 1'))

        haproxy(lab, "set server shop/m9 state maint")
        lab.remove_machine("m9")
        assert state_of(lab, "m9") == "gone"
        wait_for("the governor to forget it", lambda: "m9" not in lab.gauges())
        with pytest.raises(BongsuError, match="there is no machine 'm9'"):
            lab.remove_machine("m9")
        with pytest.raises(BongsuError, match="small letters"):
            lab.add_machine("../evil")
        assert leftovers(root)
    assert nothing_left(root)
    with pytest.raises(NotFound):
        open_lab(root)


def served_by(lab: RunningLab, machine: str) -> bool:
    return any(line["server"] == machine for line in edge(lab))


def test_a_directory_in_use_says_by_whom_and_the_command_line_ends_it(lab: RunningLab, root: Path) -> None:
    with pytest.raises(InvalidInput, match=rf"in use by a running lab \(pid {lab.pid}\)"):
        start_lab(plan(), root)
    bongsu = [sys.executable, "-m", "bongsu", "lab"]
    again = subprocess.run([*bongsu, "up", "--dir", str(root)], capture_output=True, text=True, check=False)
    assert (again.returncode, f"pid {lab.pid}" in again.stderr) == (2, True), again.stderr
    shown = subprocess.run([*bongsu, "status", "--json", "--dir", str(root)], capture_output=True, check=True)
    status = json.loads(shown.stdout)
    assert {machine["name"] for machine in status["machines"]} == {"m1", "m2"}
    assert {part["name"] for part in status["parts"]} >= {"postgres", "haproxy", "prometheus", "governor", "inbox"}
    # A page in a browser that resolves its own name to 127.0.0.1 must not steer the lab.
    with socket.create_connection(("127.0.0.1", int(lab.endpoints["control"].rpartition(":")[2]))) as client:
        client.sendall(b"POST /down HTTP/1.1\r\nHost: evil.example:80\r\nConnection: close\r\n\r\n")
        assert b" 403 " in client.recv(200)
    subprocess.run([*bongsu, "down", "--dir", str(root)], check=True, capture_output=True)
    assert nothing_left(root)


def test_a_dead_machine_is_an_event_and_a_dead_part_is_the_end(lab: RunningLab, root: Path) -> None:
    victim = lab.machines()[0]
    os.kill(victim["pid"], signal.SIGKILL)
    wait_for("the death to be seen", lambda: state_of(lab, victim["name"]) == "stopped")
    assert lab.status()["state"] in ("up", "ready")

    governor = next(part for part in lab.status()["parts"] if part["name"] == "governor")
    os.kill(governor["pid"], signal.SIGKILL)
    wait_for("the end", lambda: lab.directory.holder() is None)
    said = supervisor_log(lab.directory).read_text()
    assert "error: governor died (signal SIGKILL), its last lines:" in said
    assert nothing_left(root)


def test_a_shop_that_cannot_start_ends_the_start_with_its_words(root: Path) -> None:
    broken = (sys.executable, "-c", "import sys; sys.exit('no such table: products')")
    with pytest.raises(LabFailed, match=r"(machine m\d|migrate) died \(exit 1\), its last lines:\n.*no such table"):
        start_lab(plan(shop_command=broken), root)
    assert nothing_left(root)


def test_a_killed_supervisor_takes_everything_with_it_and_the_next_start_works(root: Path) -> None:
    lab = start_lab(plan(machines=1, load_rate=20.0), root, state="up")
    assert len(leftovers(root)) >= 10
    os.kill(lab.pid, signal.SIGKILL)
    wait_for("all processes to end", lambda: not leftovers(root))
    lab.down()
    with start_lab(plan(machines=1, throttle="duty"), root, state="up") as second:
        assert second.pid != lab.pid
        assert "duty cycle" in second.status()["throttle"]
        assert second.machines()[0]["state"] == "running"


def test_ctrl_c_ends_a_lab_in_the_foreground(root: Path) -> None:
    command = [sys.executable, "-m", "bongsu.lab.supervisor", "--directory", str(root), "--plan", plan().to_json()]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        for line in process.stderr:
            if line.startswith("postgres"):
                break
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(20) == 0
    assert "down; logs stay in" in rest
    assert nothing_left(root)
