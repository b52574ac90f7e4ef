"""Decoders are made one at a time: two threads that meet a type together would end the process."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest

import bongsu
from bongsu.core.incident import Incident
from bongsu.core.report import Report
from bongsu.store import columns

SOURCE = Path(bongsu.__file__).parent
ALONE = {"adapters/counting.py", "store/audit.py"}
"""A child process of one thread, and a type without fields."""


def test_threads_that_meet_types_together_make_each_decoder_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "_DECODERS", {})
    making, most, made = [0], [0], list[Any]()
    real, together = msgspec.json.Decoder, threading.Barrier(8)

    def slowly(kind: Any) -> Any:
        making[0] += 1
        most[0] = max(most[0], making[0])
        found = real(kind)
        made.append(kind)
        making[0] -= 1
        return found

    monkeypatch.setattr(msgspec.json, "Decoder", slowly)

    def meet(kinds: list[type]) -> None:
        together.wait(10)
        for kind in kinds:
            columns.decoder(kind)

    threads = [threading.Thread(target=meet, args=([Report, Incident][:: 1 if n % 2 else -1],)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert set(made) == {Report, Incident}
    assert columns.decoder(Report) is columns.decoder(Report)


def test_no_module_makes_a_decoder_of_a_type_while_threads_run() -> None:
    hasty = re.compile(r"json\.decode\([^\n]*type=")
    found = {str(file.relative_to(SOURCE)) for file in SOURCE.rglob("*.py") if hasty.search(file.read_text())}
    assert found <= ALONE
