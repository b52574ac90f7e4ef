"""The drill on the terminal, live: clock, machines, traffic, mails as they go out."""

from __future__ import annotations

import sys
from collections import deque
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from bongsu.lab.drill.evening import Glance

BAR = 20
CEILING, BASELINE = 0.95, 0.20


class Screen:
    """Looks on in colour; on a pipe it prints a line whenever something happens."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lines: deque[str] = deque(maxlen=6)
        self._live = Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None
        self._mails: set[str] = set()

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, line: str) -> None:
        """A line of what happens."""
        self._lines.append(line)
        if self._live is None:
            print(line, file=sys.stderr, flush=True)  # noqa: T201 - progress

    def look(self, now: Glance) -> None:
        """Draw how things stand."""
        for mail in now.mails:
            if mail["message_id"] not in self._mails:
                self._mails.add(mail["message_id"])
                if self._live is None:
                    self.say(f"{now.run} {now.minutes:+6.1f} min  mail to {mail['to']}: {mail['subject']}")
        if self._live is not None:
            self._live.update(self.draw(now))

    def draw(self, now: Glance) -> Panel:
        """The whole picture of one moment."""
        mails = Table("to", "mail", expand=True, show_edge=False)
        for mail in now.mails[-7:]:
            mails.add_row(mail["to"].partition("@")[0], Text(mail["subject"], no_wrap=True, overflow="ellipsis"))
        said = Text("\n".join(self._lines), style="dim")
        title = f"{now.run}  {now.service_time:%H:%M} lab time  {now.minutes:+.0f} min from the sale"
        return Panel(Group(_headline(now), _machines(now), mails, said), title=title, border_style=_colour(now))


def _headline(now: Glance) -> Text:
    second = now.second
    p95 = second.get("p95_ms")
    parts = [
        f"{now.phase}",
        f"{second.get('sent', 0)} requests/s",
        f"p95 {p95:.0f} ms" if p95 is not None else "p95 -",
        f"{second.get('failed', 0)} failed/s",
        f"incident: {now.status}" + (f", {now.elapsed_s / 60:.0f} min over the baseline" if now.elapsed_s else ""),
    ]
    return Text("   ".join(parts), style="bold")


def _machines(now: Glance) -> Table:
    table = Table("machine", "CPU (| is the baseline)", "", "credits", "", expand=False, show_edge=False)
    for name, each in now.machines.items():
        used = each.get("u") or 0.0
        state = "[red]throttled[/red]" if each.get("empty") else ""
        table.add_row(name, _bar(used), f"{used:4.0%}", f"{each.get('balance', 0):6.1f}", state)
    return table


def _bar(used: float) -> Text:
    full, mark = round(min(1.0, used) * BAR), round(BASELINE * BAR)
    colour = "red" if used >= CEILING else "yellow" if used > BASELINE else "green"
    text = Text()
    for place in range(BAR):
        sign = "|" if place == mark else "█" if place < full else "·"
        text.append(sign, style=colour if place < full else "dim")
    return text


def _colour(now: Glance) -> str:
    if now.status == "triggered":
        return "red"
    return {"acknowledged": "yellow", "mitigated": "yellow"}.get(now.status, "green")
