"""Tables for people: no word is broken while there is room, and nothing is ever cut off."""

import re

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

from bongsu.cli.tables import table, widths

HEADS = ("id", "state", "what they said")
ROWS = (
    ("20260105-2012-k3f9", "acknowledged", "the relay answered with a sentence that nobody would read in a column"),
    ("20260106-0912-m2x1", "resolved", "well"),
)


def drawn(width: int) -> list[str]:
    shown = table(*HEADS)
    for row in ROWS:
        shown.add_row(*row)
    return lines_of(shown, width)


def lines_of(shown: Table, width: int) -> list[str]:
    console = Console(width=width, force_terminal=False)
    with console.capture() as capture:
        console.print(shown)
    return [line.rstrip() for line in capture.get().splitlines()]


def test_a_wide_terminal_has_a_line_for_each_row() -> None:
    lines = drawn(140)
    assert len(lines) == 2 + len(ROWS)
    assert (
        lines[2]
        == "20260105-2012-k3f9  acknowledged  the relay answered with a sentence that nobody would read in a column"
    )


def test_a_narrow_one_breaks_between_words() -> None:
    text = " ".join(drawn(50))
    for word in re.findall(r"\S+", " ".join((*HEADS, *(" ".join(row) for row in ROWS)))):
        assert word in text
    assert max(map(len, drawn(50))) <= 50


def test_what_is_typed_into_the_next_command_stays_whole() -> None:
    for length in (8, 24):  # there is room for the other words beside it, and there is not
        name = f"20260105-2012-{'k3f9a2b1' * 3}"[: 14 + length]
        shown = table("id", "service", "policy", "status", "since", "over the limit", "taken by", title="Incidents")
        shown.add_row(name, "prometheus", "burst-at-night", "acknowledged", "2026-01-05 20:12", "1:24:05", "Kim Jimin")
        lines = lines_of(shown, 80)
        assert name in "".join(lines)
        assert "…" not in "".join(lines)
        assert max(map(len, lines)) <= 80


def test_a_tiny_one_loses_no_letter_but_of_what_is_never_broken() -> None:
    shown = table("n", "said")
    shown.add_row("1", "unbreakable" * 3)
    assert "".join(line[3:] for line in lines_of(shown, 14)[2:]) == "unbreakable" * 3


@given(
    st.lists(
        st.tuples(st.integers(1, 30), st.integers(0, 80)).map(lambda of: (of[0], sum(of))), min_size=1, max_size=9
    ),
    st.integers(1, 200),
)
def test_columns_have_their_longest_word_and_never_more_than_their_longest_line(
    sizes: list[tuple[int, int]], room: int
) -> None:
    found = widths(sizes, room)
    if sum(word for word, _ in sizes) > room:
        assert found == [None] * len(sizes)
        return
    made = [width for width in found if width is not None]
    assert all(word <= width <= line for (word, line), width in zip(sizes, made, strict=True))
    assert sum(made) <= room
    short = [n for n, (_, line) in enumerate(sizes) if made[n] < line]
    assert not short or sum(made) > room - len(short), "no room is wasted while a line is broken"
