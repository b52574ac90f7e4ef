"""Draws the README's picture of the terminal from a drill that was played: ``python docs/pictures/make.py [FOLDER]``.

FOLDER is a drill's folder (var/drills/latest without it). Needs Chromium for the PNG.
"""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console

from bongsu.core.timescale import Timescale
from bongsu.lab.drill.evening import Glance
from bongsu.lab.drill.responder import read_lines
from bongsu.lab.drill.screen import Screen

HERE = Path(__file__).parent
WIDTH = 112
RUN, MINUTE = "nobody-acts", 47


def glance(folder: Path) -> Glance:
    """How run A stood at a certain minute of its sale."""
    lab = folder / RUN / "lab"
    seconds = read_lines(folder / RUN / "load" / "seconds.jsonl")
    sale = next(row["at"] for row in seconds if row["mix"] == "sale")
    now = sale + MINUTE
    record = next(row for row in read_lines(lab / "governor.jsonl") if row["at"] >= now)
    second = next(row for row in seconds if row["at"] >= now - 1)
    mails = [row for row in read_lines(lab / "inbox" / "inbox.jsonl") if _at(row) <= now]
    scale = Timescale(datetime.fromtimestamp(seconds[0]["at"], UTC), 60.0)
    return Glance(
        run=RUN,
        service_time=scale.to_service(datetime.fromtimestamp(now, UTC)),
        minutes=MINUTE,
        phase="plateau",
        machines=record["machines"],
        second=second,
        mails=mails,
        status="triggered",
        elapsed_s=(MINUTE - 1) * 60.0,
    )


def _at(row: dict[str, Any]) -> float:
    return datetime.fromisoformat(row["at"]).timestamp()


def main(folder: Path) -> None:
    """Draw the screen and the end of the drill, and have Chromium make a PNG of it."""
    from bongsu.lab.drill.result import show

    console = Console(record=True, width=WIDTH, file=StringIO(), force_terminal=True)
    console.print(Screen(console).draw(glance(folder)))
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    for run in result["runs"]:
        run["report"] = f"var/drills/latest/{run['name']}/report.html"
    shown = {**result, "expectations": []}
    show(shown, console)
    svg = HERE / "terminal.svg"
    console.save_svg(str(svg), title="sh bin/drill")
    head = svg.read_text(encoding="utf-8")
    wide, high = (float(each) for each in head.partition('viewBox="0 0 ')[2].partition('"')[0].split())
    chromium = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-sync"]
    size = f"--window-size={round(wide)},{round(high)}"
    subprocess.run(
        [*chromium, size, f"--screenshot={HERE / 'terminal.png'}", svg.as_uri()], check=True, capture_output=True
    )
    svg.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "var/drills/latest").resolve())
