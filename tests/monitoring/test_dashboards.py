"""Every panel, variable and mark of the dashboards, asked of a real Prometheus; and what their files must be."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.monitoring.boards import FILES, FOLDER, RATE_INTERVAL, board, filled, metric_names, panels, queries
from tests.monitoring.documents import DASHBOARDS_PAGE, dashboards_page
from tests.monitoring.environment import LOG4J2, OTEL, PYTHON, SPRING, Environment
from tests.monitoring.rightly_empty import empty_for
from tools.dashboards import __main__ as tool

LANGUAGES = ("en", "ko")
UIDS = {"service-in-trouble": "bongsu-service", "burst-credits": "bongsu-burst", "bongsu-itself": "bongsu-itself"}
JOBS = {file: ("bongsu",) if file == "bongsu-itself" else (PYTHON, *SPRING) for file in FILES}


NOT_YET = {"bongsu_job_failures_total"}
"""What nobody exports until it happens for the first time: a job of Bongsu's fails."""


def found(environment: Environment, file: str, job: str) -> dict[str, int]:
    """Series by the name of each query."""
    ask, course = environment.store.ask, environment.store.course
    return {q.name: len((ask if q.instant else course)(q.filled(job))) for q in queries(file)}


@pytest.mark.parametrize(("file", "job"), [(file, job) for file, jobs in JOBS.items() for job in jobs])
def test_no_panel_is_empty_but_those_that_must_be(environment: Environment, file: str, job: str) -> None:
    empty = {name for name, series in found(environment, file, job).items() if not series}
    assert empty == empty_for(file, job)


def test_log4j2_counts_where_logback_does(environment: Environment) -> None:
    shown = found(environment, "service-in-trouble", LOG4J2)
    assert shown["Log events by level/A"] == 5
    assert shown["Errors and warnings per minute/A"] == 1


def test_an_opentelemetry_service_shows_its_traffic(environment: Environment) -> None:
    shown = found(environment, "service-in-trouble", OTEL)
    for name in ("Requests/A", "Failed/A", "p95 (histogram)/A", "Mean duration/A", "Requests by outcome/A"):
        assert shown[name], name


@pytest.mark.parametrize("file", FILES)
def test_variables_offer_services_and_machines(environment: Environment, file: str) -> None:
    for variable in board(file)["templating"]["list"]:
        if variable["type"] != "query":
            continue
        selector, label = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"]).groups()  # type: ignore[union-attr]
        for job in JOBS[file]:
            offered = environment.store.values_of(label, filled(selector, job))
            pattern = variable["regex"].strip("/")
            offered = [each for each in offered if re.search(pattern, each)]
            if label == "job":
                # A group would be taken for the value by Grafana.
                assert re.compile(pattern).groups == 0
                assert job in offered
                assert not {"node", "lab", "haproxy"} & set(offered)
                assert ("bongsu" in offered) == (file == "bongsu-itself")
            else:
                assert offered == (["m1", "m2"] if job == PYTHON else ["bongsu"] if job == "bongsu" else [f"{job}-1"])


@pytest.mark.parametrize("file", FILES)
def test_marks_show_starts_and_incidents(environment: Environment, file: str) -> None:
    for job in JOBS[file]:
        for mark in board(file)["annotations"]["list"]:
            if mark["datasource"]["uid"] == "prometheus":
                assert mark["target"]["expr"] == mark["expr"]  # old versions read the one, new ones the other
                rows = environment.store.course(filled(mark["expr"], job))
                assert rows, (mark["name"], job)
                wanted = re.findall(r"\{\{(\w+)\}\}", mark["titleFormat"] + mark["textFormat"])
                assert all(set(wanted) <= row["metric"].keys() for row in rows)
            else:
                assert mark["target"]["tags"] == ["deployment"]


def test_every_metric_is_one_that_somebody_exports(environment: Environment) -> None:
    known = set(environment.store.values_of("__name__"))
    used = {name for file in FILES for query in queries(file) for name in metric_names(query.filled(PYTHON))}
    assert used - known == NOT_YET
    assert {"http_server_requests_active_seconds_gcount", "bongsu:credits_estimate", "log4j2_events_total"} <= used


def test_a_recorded_figure_means_what_the_lab_measures(environment: Environment) -> None:
    """The dashboards take whichever is there: both must be the same figure."""
    (of_the_cap,) = {
        round(float(row["value"][1]), 3)
        for row in environment.store.ask("burst_credit_cap / (1440 * system_cpu_count)")
    }
    recorded = {float(row["value"][1]) for row in environment.store.ask('bongsu:baseline{job="application"}')}
    assert recorded == {of_the_cap} == {0.2}


def test_promtool_takes_every_expression(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:query{number}", "expr": query.filled(PYTHON)}
        for number, query in enumerate(q for file in FILES for q in queries(file))
    ]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    told = subprocess.run(["promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    assert f"{len(rules)} rules found" in told.stdout


FORBIDDEN = {
    "missing must stay missing": r"vector\(0\)|absent",
    "a guarded divisor understates": r"/\s*(on \(\w+\) )?\(?clamp_min",
    "two samples are no rate": r"\birate\(|\bidelta\(",
    "a window follows the screen": r"\[(?!\$__rate_interval\]|\$__range:\])",
    "the old way to write an interval": r"\$__interval|\$interval",
}


@pytest.mark.parametrize("reason", FORBIDDEN)
def test_no_query_has_a_known_trap(reason: str) -> None:
    texts = {q.name: re.sub(r'"[^"]*"', '""', q.text) for file in FILES for q in queries(file)}
    guilty = [name for name, text in texts.items() if re.search(FORBIDDEN[reason], text)]
    assert guilty == [], reason


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("file", FILES)
def test_a_dashboard_is_whole(file: str, language: str) -> None:
    loaded = board(file, language)
    assert (loaded["uid"], loaded["schemaVersion"]) == (UIDS[file], 42)
    ids = [panel["id"] for panel in loaded["panels"]] + [
        p["id"] for each in loaded["panels"] for p in each.get("panels", ())
    ]
    assert len(ids) == len(set(ids))
    for _, panel in panels(loaded):
        assert panel["datasource"] == {"type": "prometheus", "uid": "prometheus"}
        question, _, means = panel["description"].partition("\n\n")
        assert re.fullmatch(r"\*\*.+\?\*\*", question), panel["title"]
        assert len(means) > 15, panel["title"]
        assert panel["gridPos"]["w"] >= 4
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "prometheus"
            assert target["legendFormat"]
    for row in _by_line(loaded):
        assert sum(panel["gridPos"]["w"] for panel in row) == 24, [panel["title"] for panel in row]


def _by_line(loaded: dict[str, Any]) -> list[list[dict[str, Any]]]:
    lines: dict[int, list[dict[str, Any]]] = {}
    for _, panel in panels(loaded):
        lines.setdefault(panel["gridPos"]["y"], []).append(panel)
    return list(lines.values())


TEXTS = {"title", "description", "legendFormat", "name", "titleFormat", "label", "text", "displayName"}


def without_texts(value: Any, key: str = "") -> Any:
    """A dashboard's skeleton: the same in every language."""
    if isinstance(value, Mapping):
        if key == "renameByName":
            return sorted(value)
        if key == "matcher" and value.get("id") == "byName":
            return "byName"
        return {k: None if k in TEXTS else without_texts(v, k) for k, v in value.items() if k != "indexByName"}
    return [without_texts(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("file", FILES)
def test_languages_differ_in_their_words_alone(file: str) -> None:
    english, korean = (board(file, language) for language in LANGUAGES)
    assert without_texts(english) == without_texts(korean)
    for (_, one), (_, other) in zip(panels(english), panels(korean), strict=True):
        assert re.search(r"[가-힣]", other["description"]), one["title"]
        assert not re.search(r"[가-힣]", one["description"] + one["title"])


def test_the_committed_files_are_what_the_tool_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tool.main(["--check"]) == 0
    copy = tmp_path / "src/bongsu/generate/dashboards"
    shutil.copytree(FOLDER, copy)
    monkeypatch.setattr(tool, "FOLDER", copy)
    edited = copy / "ko" / "burst-credits.json"
    edited.write_text(
        edited.read_text(encoding="utf-8").replace('"refresh": "10s"', '"refresh": "1s"'), encoding="utf-8"
    )
    assert tool.main(["--check"]) == 1
    assert "ko/burst-credits.json" in capsys.readouterr().err
    assert tool.main([]) == 0
    assert edited.read_bytes() == (FOLDER / "ko" / "burst-credits.json").read_bytes()


def test_the_page_about_the_dashboards_is_up_to_date(request: pytest.FixtureRequest) -> None:
    printed = dashboards_page()
    if request.config.getoption("--write-docs"):
        DASHBOARDS_PAGE.write_text(printed, encoding="utf-8")
    assert DASHBOARDS_PAGE.read_text(encoding="utf-8") == printed, "run this test with --write-docs"
    assert RATE_INTERVAL not in printed
