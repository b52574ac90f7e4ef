"""Bongsu itself is killed with -9, again and again, while a breach runs in a real lab: no tier lost, none told anew."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

from bongsu.lab.plan import LabPlan
from bongsu.lab.policy import PolicyText
from bongsu.lab.running import start_lab, start_load
from bongsu.lab.traffic import Segment
from tests.support import wait_for

TIERS = (5.0, 10.0, 15.0)


def test_no_tier_is_lost_or_told_anew(tmp_path: Path) -> None:
    plan = LabPlan(machines=1, size=0.2, opening_balance=200.0, policy=PolicyText(tiers=TIERS, runway_under=1.0))
    with start_lab(plan, tmp_path / "lab") as lab, start_load(lab, (Segment(60, 40, "sale"),), tmp_path / "load"):
        inbox = lab.directory.inbox / "inbox.jsonl"

        def mails() -> list[dict[str, Any]]:
            lines = inbox.read_text().splitlines() if inbox.exists() else []
            return [json.loads(line) for line in lines]

        def tiers() -> set[str]:
            return {mail["headers"]["X-Bongsu-Tier"] for mail in mails() if "X-Bongsu-Tier" in mail["headers"]}

        def pid() -> int:
            return next(int(part["pid"] or 0) for part in lab.status()["parts"] if part["name"] == "bongsu")

        for tier in ("1", "2", "3"):
            before = pid()
            os.kill(before, signal.SIGKILL)
            gone: tuple[int, ...] = (0, before)
            wait_for("the supervisor to start Bongsu again", lambda gone=gone: pid() not in gone)  # type: ignore[misc]
            wait_for(f"tier {tier}", lambda tier=tier: tier in tiers(), 40)  # type: ignore[misc]
        told = Counter(mail["message_id"] for mail in mails())
        last = {mail["message_id"]: mail["headers"].get("X-Bongsu-Tier") for mail in mails()}
    # killed between the relay's answer and writing it down, a mail goes out once more, under the same Message-ID
    assert max(told.values()) <= 2, told
    assert sorted(tier for tier in last.values() if tier) == ["1", "2", "3"], last
