"""A lab with the real shop: what visitors do works, and both logs name the same people and requests."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path

from bongsu.lab.latency import read_samples, window
from bongsu.lab.loopback import fetch
from bongsu.lab.plan import LabPlan
from bongsu.lab.programs import shop_command
from bongsu.lab.running import RunningLab, start_lab, start_load
from bongsu.lab.traffic import Population, Segment


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def served(lab: RunningLab) -> dict[object, dict[str, object]]:
    folder = Path(lab.endpoints["machines_log_dir"])
    found = [line for name in ("m1", "m2") for line in lines(folder / name / "access.jsonl")]
    return {line["request_id"]: line for line in found if line["event"] == "request"}


def test_visitors_are_served_and_both_logs_agree(root: Path) -> None:
    assert Path(shop_command()[0]).exists(), "make the shop's environment first: sh bin/install"
    with start_lab(LabPlan(machines=2, bongsu=False, opening_balance=60.0, boot_delay=0), root, state="up") as lab:
        with start_load(lab, (Segment(4.0, 25, "calm"), Segment(2.0, 25, "sale")), root / "load" / "mine") as load:
            assert load.wait(30) == 0
        samples = read_samples(load.samples)
        found = window(samples, 0, 1e12)
        assert found.requests > 100
        assert found.failed == 0
        assert all(sample.status < 300 for sample in samples), "the shop refused what the driver sent"
        assert {sample.route for sample in samples} == {"list", "detail", "top", "order", "pay", "charge"}

        at_shop, at_edge = served(lab), lines(Path(lab.endpoints["edge_log"]))
        key = bytes.fromhex(lab.directory.secret("user_hash_key").read_text().strip())
        people = {hashed(key, str(person + 1)) for person in range(500)} | {""}
        visitors = {hashed(key, Population(500, 200, 1).cookie(person)) for person in range(500)}
        for line in at_edge:
            same = at_shop[line["request_id"]]
            assert (same["machine"], same["status"], same["path"]) == (line["server"], line["status"], line["path"])
            assert (same["user"] or "", same["visitor"]) == (line["user"], line["visitor"])
            assert line["user"] in people
            assert line["visitor"] in visitors
        assert "http_server_requests_seconds" in fetch(
            f"http://{lab.machines()[0]['metrics_address']}/actuator/prometheus"
        )


def hashed(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
