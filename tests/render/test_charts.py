"""Charts: a gap stays a gap, and who cannot see them can read them."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree
from datetime import timedelta

from bongsu.render.charts import Chart, Line, charts_of, draw, runs, spark_of, sparkline
from bongsu.render.words import Words
from tests.render.letters import START, report, wave

W = Words("en")
STEP = timedelta(seconds=30)


def lines(svg: str) -> list[str]:
    """The drawn lines' paths."""
    return re.findall(r'class="line s\d" d="([^"]*)"', svg)


def test_a_line_is_not_drawn_across_a_gap() -> None:
    (drawn,) = lines(draw(Chart("CPU", {"machine-1": wave(0.1, 0.9, gap=(60, 70))}, W.percent), W))
    assert drawn.count("M") == 2
    (whole,) = lines(draw(Chart("CPU", {"machine-1": wave(0.1, 0.9, gap=(60, 60))}, W.percent), W))
    assert whole.count("M") == 1


def test_three_missing_steps_are_bridged_and_four_are_not() -> None:
    samples = [(START + number * STEP, 0.5) for number in range(40)]
    assert len(runs([*samples[:20], *samples[22:]])) == 1
    assert len(runs([*samples[:20], *samples[23:]])) == 2


def test_what_is_not_a_number_is_a_gap_too() -> None:
    samples = tuple((START + n * STEP, math.nan if 10 <= n < 20 else 0.5) for n in range(40))
    assert len(runs(samples)) == 2


def test_a_lone_sample_is_seen() -> None:
    (drawn,) = lines(draw(Chart("CPU", {"machine-1": ((START, 0.5),)}, W.percent), W))
    assert drawn.endswith("h0")


def test_charts_are_well_formed_described_and_labelled() -> None:
    cpu, balance, p95 = charts_of(report(), W)
    for chart in (cpu, balance, p95):
        figure = ElementTree.fromstring(chart)
        assert figure.find(".//{*}title") is not None
        assert "highest" in (figure.findtext(".//{*}desc") or "")
        assert "<script" not in chart
        assert "style=" not in chart
    assert ">100 %<" in cpu
    assert ">baseline 20 %<" in cpu
    assert ">20:30<" in cpu
    assert "2026-01-05 19:44 UTC" in cpu
    assert ">5.0 s<" in p95
    assert "machine-2" in cpu


def test_the_names_of_near_levels_do_not_lie_on_each_other() -> None:
    levels = (Line("an alarm", 0.04), Line("empty", 0.03), Line("half", 0.5))
    drawn = draw(Chart("CPU", {"": wave(0.1, 0.9)}, W.percent, levels, top=1.0), W)
    places = {said: float(y) for y, said in re.findall(r'y="([\d.]+)" text-anchor="end">([^<]+)<', drawn)}
    assert places["empty"] - places["an alarm"] >= 12
    assert places["half"] == 18 + 75 - 4


def test_lines_are_drawn_in_the_order_given() -> None:
    drawn = draw(Chart("CPU", {"middle": wave(0.1, 0.5), "best": wave(0.1, 0.9)}, W.percent), W)
    assert re.findall(r'key s(\d)"></span>(\w+)', drawn) == [("0", "middle"), ("1", "best")]


def test_names_are_escaped() -> None:
    drawn = draw(Chart("<b>", {"<script>": wave(0.1, 0.9)}, W.percent), W)
    assert "<script>" not in drawn
    assert "<b><b>" not in drawn


def test_nothing_measured_draws_nothing() -> None:
    from dataclasses import replace

    assert charts_of(replace(report(), cpu={}, balance={"machine-1": ()}, p95={}), W) == ()


def test_sparklines() -> None:
    assert sparkline([0, 0.5, math.nan, 1.0], top=1.0) == "▁▅ █"
    spark = spark_of(wave(0.08, 0.97), 1.0)
    assert spark.startswith("▁")
    assert " " in spark
    assert len(spark) <= 40
