"""Line charts as SVG made on the server: gaps stay gaps, nothing is drawn where nothing was measured.

The plot stretches with the page while its words keep their size: lines live in a nested drawing that is scaled, words
stand beside it at percentages. So a chart reads alike on a phone, on a desk and on paper. Colours are in charts.css.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from markupsafe import Markup

from bongsu.core.report import Report, Series
from bongsu.render.words import Words

GAP = 3
"""A line is broken where more than so many steps are missing."""
_WIDTH, _HEIGHT = 1000, 150
_ABOVE, _BELOW, _LINE = 18, 22, 14
_COLOURS = 6
_STEPS = tuple(timedelta(minutes=m) for m in (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10080))
_TICKS = 5
_BARS = "▁▂▃▄▅▆▇█"

Unit = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Line:
    """A level that is drawn across: its name and its value."""

    label: str
    value: float


@dataclass(frozen=True, slots=True)
class Chart:
    """What to draw, in this order. ``top``: the axis's upper end, None for a round one; ``band``: the time to shade."""

    title: str
    series: Mapping[str, Series]
    unit: Unit
    lines: tuple[Line, ...] = ()
    top: float | None = None
    band: tuple[datetime, datetime] | None = None


def charts_of(report: Report, w: Words) -> tuple[Markup, ...]:
    """The charts of a report: CPU, credits and p95, those that have data."""
    until = report.ended_at or report.made_at
    band = (report.started_at, until)
    baseline = (Line(w.gettext("baseline %(limit)s", limit=w.percent(report.baseline)), report.baseline),)
    drawn = (
        Chart(w.gettext("CPU"), report.cpu, w.percent, baseline if report.baseline else (), 1.0, band),
        Chart(w.gettext("Credits (vCPU-minutes)"), report.balance, w.number, band=band),
        Chart(w.gettext("95 %% of requests are faster than"), report.p95, w.latency, band=band),
    )
    ordered = (replace(chart, series=dict(sorted(chart.series.items()))) for chart in drawn)
    return tuple(draw(chart, w) for chart in ordered if any(_finite(s) for s in chart.series.values()))


def draw(chart: Chart, w: Words) -> Markup:
    """A figure with its drawing, legend and a description for those who cannot see it."""
    series = {name: _finite(samples) for name, samples in chart.series.items()}
    times = [at for samples in series.values() for at, _ in samples]
    since, until = min(times), max(times)
    span = (until - since).total_seconds() or 1.0
    highest = [value for samples in series.values() for _, value in samples] + [line.value for line in chart.lines]
    top = chart.top or _round_up(max(highest))

    def x(at: datetime) -> float:
        return min(1.0, max(0.0, (at - since).total_seconds() / span)) * _WIDTH

    def y(value: float) -> float:
        return _HEIGHT * (1 - min(max(value, 0.0), top) / top)

    plot = [_band(chart.band, x)] if chart.band else []
    plot += [_rule("grid", y(top * share)) for share in (0.0, 0.5, 1.0)]
    plot += [_rule("level", y(line.value)) for line in chart.lines]
    for number, samples in enumerate(series.values()):
        plot.append(_path(samples, x, y, f"line s{number % _COLOURS}"))
    words = [_label(y(top * share), chart.unit(top * share)) for share in (0.5, 1.0)]
    words += _levels([(y(line.value), line.label) for line in chart.lines])
    words += [_tick(x(at), w.clock(at)) for at in _ticks(since, until, w)]
    described = _described(series, chart.unit, w)
    return Markup(
        '<figure class="chart"><figcaption><b>{title}</b> <span class="when">{when}</span></figcaption>'
        '<svg role="img" width="100%" height="{height}" xmlns="http://www.w3.org/2000/svg">'
        "<title>{title}</title><desc>{described}</desc>"
        '<svg x="0" y="{above}" width="100%" height="{plot_height}" viewBox="0 0 {width} {plot_height}" '
        'preserveAspectRatio="none">{plot}</svg>{words}</svg>{legend}</figure>'
    ).format(
        title=chart.title,
        when=f"{w.time(since)} – {w.time(until, near=since)}",
        described=described,
        height=_ABOVE + _HEIGHT + _BELOW,
        above=_ABOVE,
        plot_height=_HEIGHT,
        width=_WIDTH,
        plot=Markup("").join(plot),
        words=Markup("").join(words),
        legend=_legend(series, chart.unit, w),
    )


def runs(samples: Sequence[tuple[datetime, float]], step: timedelta | None = None) -> list[Series]:
    """The stretches without a gap. ``step``: the usual distance of samples; None: their median."""
    samples = _finite(samples)
    usual = step or usual_step(samples)
    found: list[list[tuple[datetime, float]]] = []
    for at, value in samples:
        if found and at - found[-1][-1][0] <= GAP * usual:
            found[-1].append((at, value))
        else:
            found.append([(at, value)])
    return [tuple(run) for run in found]


def usual_step(samples: Sequence[tuple[datetime, float]]) -> timedelta:
    """The median distance of samples; a day when there is none."""
    steps = [(after[0] - before[0]).total_seconds() for before, after in itertools.pairwise(samples)]
    return timedelta(seconds=statistics.median(steps)) if steps else timedelta(days=1)


def sparkline(values: Iterable[float], top: float | None = None, width: int = 40) -> str:
    """Values as a line of blocks, for places where only text goes; a space where there is none."""
    given = list(values)
    size = max(1, math.ceil(len(given) / width))
    means = [_mean(given[at : at + size]) for at in range(0, len(given), size)]
    high = top or max((value for value in means if not math.isnan(value)), default=0.0) or 1.0
    return "".join(" " if math.isnan(v) else _BARS[min(7, int(8 * max(0.0, v) / high))] for v in means)


def spark_of(samples: Series, top: float | None = None) -> str:
    """A series as a line of blocks, with spaces where data is missing."""
    step = usual_step(samples)
    values: list[float] = []
    ended: datetime | None = None
    for run in runs(samples):
        if ended is not None:
            values += [math.nan] * min(1000, max(1, round((run[0][0] - ended) / step) - 1))
        values += [value for _, value in run]
        ended = run[-1][0]
    return sparkline(values, top)


def _finite(samples: Sequence[tuple[datetime, float]]) -> Series:
    return tuple((at, value) for at, value in samples if math.isfinite(value))


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def _round_up(value: float) -> float:
    """The next of 1, 2, 3, 5 or 8 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 3, 5, 8, 10) if step * power >= value * 0.999)


def _ticks(since: datetime, until: datetime, w: Words) -> list[datetime]:
    """Round times of the zone's day."""
    step = next((s for s in _STEPS if (until - since) / s <= _TICKS), _STEPS[-1])
    day = since.astimezone(w.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    at = day + math.ceil((since - day) / step) * step
    found = []
    while at <= until:
        found.append(at)
        at += step
    return found


def _path(samples: Series, x: Callable[[datetime], float], y: Unit | Callable[[float], float], kind: str) -> Markup:
    parts: list[str] = []
    for run in runs(samples):
        parts += [f"{'M' if n == 0 else 'L'}{x(at):.1f} {float(y(value)):.1f}" for n, (at, value) in enumerate(run)]
        if len(run) == 1:
            parts.append("h0")
    return Markup('<path class="{}" d="{}" vector-effect="non-scaling-stroke"/>').format(kind, "".join(parts))


def _rule(kind: str, y: float) -> Markup:
    line = '<path class="{}" d="M0 {:.1f}H{}" vector-effect="non-scaling-stroke"/>'
    return Markup(line.format(kind, y, _WIDTH))  # noqa: S704 - numbers and our own words


def _band(band: tuple[datetime, datetime], x: Callable[[datetime], float]) -> Markup:
    left, right = x(band[0]), x(band[1])
    rect = f'<rect class="band" x="{left:.1f}" y="0" width="{max(0.0, right - left):.1f}" height="{_HEIGHT}"/>'
    return Markup(rect)  # noqa: S704 - numbers


def _label(y: float, said: str) -> Markup:
    return Markup('<text x="0" y="{}">{}</text>').format(f"{_ABOVE + y - 4:.0f}", said)


def _levels(levels: Sequence[tuple[float, str]]) -> list[Markup]:
    """The levels' names at the right, where no axis stands; one that would lie on another goes above it."""
    text = Markup('<text x="100%" y="{}" text-anchor="end">{}</text>')
    found, free = [], math.inf
    for y, said in sorted(levels, reverse=True):
        free = min(_ABOVE + y - 4, free)
        found.append(text.format(f"{free:.0f}", said))
        free -= _LINE
    return found


def _tick(x: float, said: str) -> Markup:
    """A time below the plot, kept inside it at its ends."""
    anchor = "start" if x < 0.06 * _WIDTH else "end" if x > 0.94 * _WIDTH else "middle"
    return Markup('<text class="tick" x="{}%" y="{}" text-anchor="{}">{}</text>').format(
        f"{x / _WIDTH * 100:.1f}", _ABOVE + _HEIGHT + 16, anchor, said
    )


def _legend(series: Mapping[str, Series], unit: Unit, w: Words) -> Markup:
    if len(series) == 1 and "" in series:
        return Markup("")
    keys = [
        Markup('<li><span class="key s{}"></span>{} <span class="when">{}</span></li>').format(
            number % _COLOURS, name or w.gettext("whole service"), unit(samples[-1][1]) if samples else ""
        )
        for number, (name, samples) in enumerate(series.items())
    ]
    return Markup('<ul class="legend">{}</ul>').format(Markup("").join(keys))


def _described(series: Mapping[str, Series], unit: Unit, w: Words) -> str:
    said = []
    for name, samples in series.items():
        values = [value for _, value in samples]
        if values:
            who = name or w.gettext("whole service")
            low, high, last = unit(min(values)), unit(max(values)), unit(values[-1])
            said.append(
                w.gettext(
                    "%(name)s: lowest %(low)s, highest %(high)s, last %(last)s.",
                    name=who,
                    low=low,
                    high=high,
                    last=last,
                )
            )
    return " ".join(said)
