"""Tables on a narrow terminal lose nothing of what is typed into the next command."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from bongsu.cli.tables import table

ID = "20260105-2012-k3f9a2b1"


def test_the_first_column_stays_whole_and_nothing_is_cut_off() -> None:
    shown = table("id", "service", "policy", "status", "since", "over the limit", "taken by", title="Incidents")
    shown.add_row(ID, "prometheus", "burst-at-night", "acknowledged", "2026-01-05 20:12", "1:24:05", "Kim Jimin")
    out = StringIO()
    Console(file=out, width=80).print(shown)
    assert ID in out.getvalue()
    assert "…" not in out.getvalue()
    assert max(map(len, out.getvalue().splitlines())) <= 80
