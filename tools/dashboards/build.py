"""From a board to Grafana's JSON, the Classic kind that Grafana 10 to 13 read."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from typing import Any

with warnings.catch_warnings():
    # The SDK would rather have the new schema, which Grafana 12 calls experimental and Grafana 10 cannot read.
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.builders import common as c
    from grafana_foundation_sdk.builders import dashboard as d
    from grafana_foundation_sdk.builders import prometheus, stat, statetimeline, table, timeseries
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models import common as cm
    from grafana_foundation_sdk.models import dashboard as dm
    from grafana_foundation_sdk.models.prometheus import PromQueryFormat, QueryEditorMode

from tools.dashboards.model import Board, Choice, Line, Mark, Panel
from tools.dashboards.words import Say

SOURCE = cm.DataSourceRef(type_val="prometheus", uid="prometheus")
GRAFANA = cm.DataSourceRef(type_val="grafana", uid="-- Grafana --")
Builder = timeseries.Panel | stat.Panel | table.Panel | statetimeline.Panel


def build(board: Board, say: Say, others: Sequence[Board]) -> str:
    """The text of a dashboard's file; ``others`` are linked to, keeping the time and the chosen service."""
    made = (
        d.Dashboard(say(board.title))
        .uid(board.uid)
        .description(say(board.about))
        .tags(["bongsu"])
        .readonly()
        .refresh("10s")
        .time(board.span, "now")
        .timezone("browser")
        .tooltip(dm.DashboardCursorSync.CROSSHAIR)
        .timepicker(d.TimePicker().refresh_intervals(["5s", "10s", "30s", "1m", "5m"]))
    )
    for other in others:
        link = d.DashboardLink(say(other.title)).type(dm.DashboardLinkType.LINK).url(f"/d/{other.uid}")
        made.link(link.keep_time(True).include_vars(_same_choices(board, other)))
    for choice in board.choices:
        made.with_variable(_choice(choice, say))
    for mark in board.marks:
        made.annotation(_mark(mark, say))
    number = 0
    for row in board.rows:
        number += 1
        headline = d.Row(say(row.title)).id(number).collapsed(row.folded)
        panels = []
        for panel in row.panels:
            number += 1
            panels.append(_panel(panel, say).id(number))
        if row.folded:
            for each in panels:
                headline.with_panel(each)
        made.with_row(headline)
        if not row.folded:
            for each in panels:
                made.with_panel(each)
    data = json.loads(json.dumps(made.build(), cls=JSONEncoder))
    for each in (*data["links"], *data["annotations"]["list"]):
        del each["placement"]  # the SDK puts them into a menu, where nobody would find them in trouble
    return json.dumps(data, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def _same_choices(board: Board, other: Board) -> bool:
    """The job of one dashboard means nothing to another that has jobs of its own."""
    return board.choices[0] == other.choices[0]


def _choice(choice: Choice, say: Say) -> d.QueryVariable | d.TextBoxVariable:
    if not choice.query:
        box = d.TextBoxVariable(choice.name).label(say(choice.label)).default_value(choice.default)
        current = dm.VariableOption(text=choice.default, value=choice.default, selected=True)
        box = box.current(current).options([current])
        return box.description(say(choice.about)) if choice.about else box
    made = (
        d.QueryVariable(choice.name)
        .label(say(choice.label))
        .datasource(SOURCE)
        .query({"query": choice.query, "refId": "PrometheusVariableQueryEditor-VariableQuery"})
        .definition(choice.query)
        .refresh(dm.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dm.VariableSort.ALPHABETICAL_ASC)
        .regex(choice.pattern)
        .multi(choice.several)
        .include_all(choice.several)
    )
    if choice.several:
        all_of_them = dm.VariableOption(text=["All"], value=["$__all"], selected=True)
        return made.all_value(".*").current(all_of_them)
    return made.current(dm.VariableOption(text=choice.default, value=choice.default, selected=True))


def _mark(mark: Mark, say: Say) -> d.AnnotationQuery:
    made = d.AnnotationQuery().name(say(mark.name)).enable(True).icon_color(mark.colour)
    if not mark.query:
        # Grafana keeps these itself: somebody, or the deployment, posts them to /api/annotations.
        made = made.datasource(GRAFANA)
        made.target(_Tagged(mark.tag))
        return made
    # Older versions read `expr`, newer ones `target`.
    query = prometheus.Dataquery().expr(mark.query).ref_id("Anno").interval("15s")
    made = made.datasource(SOURCE).expr(mark.query).step("15s").target(query)
    made = made.title_format(say(mark.title)).text_format(mark.text)
    return made.use_value_for_time(True) if mark.at_value else made


class _Tagged(prometheus.Dataquery):
    """Grafana's own annotations with a tag; the SDK has no builder for that query."""

    def __init__(self, tag: str) -> None:
        super().__init__()
        self._tag = tag

    def build(self) -> Any:
        return {"limit": 100, "matchAny": False, "tags": [self._tag], "type": "tags"}


def _panel(panel: Panel, say: Say) -> Builder:
    made: Builder
    if panel.kind == "lines":
        made = _lines(panel)
    elif panel.kind == "stat":
        made = _stat()
    elif panel.kind == "states":
        made = _states()
    else:
        made = _table(panel, say)
    said = f"**{say(panel.asks)}**\n\n{say(panel.means)}"
    made.title(say(panel.title)).description(said).datasource(SOURCE)
    made.span(panel.width).height(panel.height).unit(panel.unit)
    made.thresholds(_thresholds(panel))
    for index, line in enumerate(panel.lines):
        made.with_target(_target(line, say, index, instant=panel.kind == "table"))
    if panel.least is not None:
        made.min(panel.least)
    if panel.most is not None:
        made.max(panel.most)
    if panel.decimals is not None:
        made.decimals(panel.decimals)
    if panel.words:
        results = {
            value: dm.ValueMappingResult(text=say(text), color=colour, index=index)
            for index, (value, text, colour) in enumerate(panel.words)
        }
        made.mappings([dm.ValueMap(options=results)])
    return made


def _target(line: Line, say: Say, index: int, instant: bool) -> prometheus.Dataquery:
    made = prometheus.Dataquery().expr(line.query).ref_id(chr(ord("A") + index)).datasource(SOURCE)
    made = made.legend_format(say(line.legend)).editor_mode(QueryEditorMode.CODE)
    return made.instant().format(PromQueryFormat.TABLE) if instant else made.range()


def _thresholds(panel: Panel) -> d.ThresholdsConfig:
    steps = [dm.Threshold(value=None, color=panel.calm)]
    steps += [dm.Threshold(value=value, color=colour) for value, colour in panel.steps]
    return d.ThresholdsConfig().mode(dm.ThresholdsMode.ABSOLUTE).steps(steps)


def _lines(panel: Panel) -> timeseries.Panel:
    legend = c.VizLegendOptions().display_mode(cm.LegendDisplayMode.LIST).placement(cm.LegendPlacement.BOTTOM)
    made = (
        timeseries.Panel()
        .legend(legend.show_legend(True))
        .tooltip(c.VizTooltipOptions().mode(cm.TooltipDisplayMode.MULTI).sort(cm.SortOrder.DESCENDING))
        .line_width(2)
        .fill_opacity(20 if panel.stacked else 0)
        .show_points(cm.VisibilityMode.AUTO)
        .span_nulls(False)  # a gap is a gap
    )
    if panel.steps:
        made.thresholds_style(c.GraphThresholdsStyleConfig().mode(cm.GraphThresholdsStyleMode.DASHED))
    if panel.stacked:
        made.stacking(c.StackingConfig().mode(cm.StackingMode.NORMAL).group("A"))
    for name in panel.hidden:
        hidden = {"legend": False, "tooltip": True, "viz": True}
        made.override_by_name(name, [dm.DynamicConfigValue(id_val="custom.hideFrom", value=hidden)])
    return made


def _stat() -> stat.Panel:
    reduce = c.ReduceDataOptions().calcs(["lastNotNull"]).values(False).fields("")
    return (
        stat.Panel()
        .reduce_options(reduce)
        .color_mode(cm.BigValueColorMode.VALUE)
        .graph_mode(cm.BigValueGraphMode.AREA)
        .text_mode(cm.BigValueTextMode.VALUE)
    )


def _states() -> statetimeline.Panel:
    legend = c.VizLegendOptions().display_mode(cm.LegendDisplayMode.LIST).placement(cm.LegendPlacement.BOTTOM)
    return statetimeline.Panel().legend(legend.show_legend(False)).show_value(cm.VisibilityMode.NEVER).fill_opacity(80)


def _table(panel: Panel, say: Say) -> table.Panel:
    """One row for each set of the labels in ``rows``, one column for each query."""
    columns = {f"Value #{chr(ord('A') + index)}": line for index, line in enumerate(panel.lines)}
    named = {label: say(text) for label, text in panel.rows}
    named |= {column: say(line.legend) for column, line in columns.items()}
    tidy = {"excludeByName": {"Time": True}, "indexByName": _order(named), "renameByName": named}
    made = table.Panel().with_transformation(dm.DataTransformerConfig(id_val="merge", options={}))
    made.with_transformation(dm.DataTransformerConfig(id_val="organize", options=tidy))
    if panel.sorted_by:
        made.sort_by([c.TableSortByFieldState().display_name(say(panel.sorted_by)).desc(True)])
    for line in columns.values():
        made.override_by_name(say(line.legend), [dm.DynamicConfigValue(id_val="unit", value=line.unit)])
    return made


def _order(names: dict[str, str]) -> dict[str, int]:
    return {name: index for index, name in enumerate(names)}
