"""Grafana's provisioning files: the keys that its types know, and references that lead somewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bongsu.generate.alerts import DASHBOARD
from bongsu.generate.output import DASHBOARDS
from tests.generate.conftest import BALANCE, SHOP, generated

REQUIRED, OPTIONAL = 0, 1
KEYS: dict[str, tuple[set[str], set[str]]] = {
    "group": ({"orgId", "name", "folder", "interval", "rules"}, set()),
    "rule": (
        {"uid", "title", "condition", "data"},
        {
            "dashboardUid", "panelId", "noDataState", "execErrState", "for", "keepFiringFor",
            "missing_series_evals_to_resolve", "annotations", "labels", "isPaused", "notification_settings", "record",
        },
    ),
    "query": ({"refId", "datasourceUid", "model"}, {"queryType", "relativeTimeRange"}),
    "contact": ({"name", "receivers"}, {"orgId"}),
    "receiver": ({"uid", "type", "settings"}, {"disableResolveMessage"}),
    "email": ({"addresses"}, {"singleEmail", "message", "subject"}),
    "policy": (
        {"receiver"},
        {
            "orgId", "group_by", "group_wait", "group_interval", "repeat_interval", "routes", "object_matchers",
            "matchers", "mute_time_intervals", "active_time_intervals", "continue",
        },
    ),
    "mute time": ({"name", "time_intervals"}, {"orgId"}),
    "interval": (set(), {"times", "weekdays", "days_of_month", "months", "years", "location"}),
    "alerting": ({"apiVersion"}, {"groups", "contactPoints", "policies", "muteTimes", "templates"}),
    "data source": (
        {"name", "type", "access"},
        {"uid", "orgId", "url", "isDefault", "editable", "jsonData", "secureJsonData"},
    ),
    "data sources": ({"apiVersion", "datasources"}, {"prune", "deleteDatasources"}),
    "provider": (
        {"name", "type", "options"},
        {"orgId", "folder", "folderUid", "disableDeletion", "updateIntervalSeconds", "allowUiUpdates"},
    ),
}  # fmt: skip
"""Keys of each object of a provisioning file: those it must have, and those it may have."""


def fits(kind: str, found: dict[str, Any]) -> None:
    required, optional = KEYS[kind]
    assert required <= found.keys() <= required | optional, (kind, found.keys() ^ (required | optional))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return generated(tmp_path_factory.mktemp("grafana"), SHOP + BALANCE)[0]


@pytest.fixture(scope="module")
def alerting(files: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = files["grafana/provisioning/alerting/bongsu.yaml"]
    return found


def rules_in(alerting: dict[str, Any]) -> list[dict[str, Any]]:
    return [rule for group in alerting["groups"] for rule in group["rules"]]


def every_policy(alerting: dict[str, Any]) -> Iterator[dict[str, Any]]:
    waiting = list(alerting["policies"])
    while waiting:
        each = waiting.pop()
        yield each
        waiting += each.get("routes", [])


def test_every_object_has_the_keys_that_its_type_knows(files: dict[str, Any], alerting: dict[str, Any]) -> None:
    fits("alerting", alerting)
    for group in alerting["groups"]:
        fits("group", group)
    for rule in rules_in(alerting):
        fits("rule", rule)
        for query in rule["data"]:
            fits("query", query)
    for contact in alerting["contactPoints"]:
        fits("contact", contact)
        for receiver in contact["receivers"]:
            fits("receiver", receiver)
            fits("email", receiver["settings"])
    for policy in every_policy(alerting):
        fits("policy", policy)
    for mute in alerting["muteTimes"]:
        fits("mute time", mute)
        for interval in mute["time_intervals"]:
            fits("interval", interval)
    sources = files["grafana/provisioning/datasources/bongsu.yaml"]
    fits("data sources", sources)
    fits("data source", sources["datasources"][0])
    fits("provider", files["grafana/provisioning/dashboards/bongsu.yaml"]["providers"][0])


def test_values_are_those_that_grafana_takes(alerting: dict[str, Any]) -> None:
    for group in alerting["groups"]:
        assert group["name"].strip()
        assert group["folder"].strip()
        assert int(group["interval"].removesuffix("s")) % 10 == 0, "Grafana evaluates in steps of ten seconds"
    for rule in rules_in(alerting):
        assert rule["condition"] in {query["refId"] for query in rule["data"]}
        assert rule["noDataState"] in {"Alerting", "NoData", "OK", "KeepLast"}
        assert rule["execErrState"] in {"Alerting", "Error", "OK", "KeepLast"}
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,40}", rule["uid"])
        assert re.fullmatch(r"(\d+(h|ms|m|s))+", rule["for"])
        assert all(isinstance(text, str) for text in (rule["annotations"] | rule["labels"]).values())


def test_ids_and_titles_are_unique(alerting: dict[str, Any]) -> None:
    rules = rules_in(alerting)
    receivers = [each for contact in alerting["contactPoints"] for each in contact["receivers"]]
    for names in (
        [rule["uid"] for rule in rules],
        [rule["title"] for rule in rules],
        [each["uid"] for each in receivers],
        [contact["name"] for contact in alerting["contactPoints"]],
    ):
        assert len(names) == len(set(names))


def test_every_reference_leads_somewhere(files: dict[str, Any], alerting: dict[str, Any]) -> None:
    sources = {each["uid"] for each in files["grafana/provisioning/datasources/bongsu.yaml"]["datasources"]}
    contacts = {each["name"] for each in alerting["contactPoints"]}
    mutes = {each["name"] for each in alerting["muteTimes"]}
    for rule in rules_in(alerting):
        for query in rule["data"]:
            assert query["datasourceUid"] in sources | {"__expr__"}
            assert query["model"]["datasource"]["uid"] == query["datasourceUid"]
            assert query["model"]["refId"] == query["refId"]
    for policy in every_policy(alerting):
        assert policy["receiver"] in contacts
        assert set(policy.get("mute_time_intervals", [])) <= mutes
    assert "mute_time_intervals" not in alerting["policies"][0], "the root takes none"
    assert all(contact["receivers"] for contact in alerting["contactPoints"])


def test_the_dashboards_are_those_that_rules_link_to_and_use_the_data_source(tmp_path: Path) -> None:
    generated(tmp_path, SHOP)
    texts = [(tmp_path / f"out/grafana/dashboards/{name}.json").read_text() for name in DASHBOARDS]
    assert DASHBOARD in {json.loads(text)["uid"] for text in texts}
    assert all('"uid": "prometheus"' in text for text in texts)


def test_no_file_has_a_dollar_sign_for_grafana_to_interpolate(tmp_path: Path) -> None:
    """Labels and policies are interpolated, annotations partly and not in every version: none has anything to it."""
    generated(tmp_path, SHOP + BALANCE)
    for file in (tmp_path / "out/grafana/provisioning").rglob("*.yaml"):
        assert "$" not in file.read_text()


def reached(alerting: dict[str, Any], title: str) -> str:
    """The contact point that a rule's alert goes to."""
    labels = next(rule["labels"] for rule in rules_in(alerting) if rule["title"].startswith(title))
    policy = alerting["policies"][0]
    while True:
        fitting = [
            each
            for each in policy.get("routes", [])
            if all((labels.get(name) == value) == (sign == "=") for name, sign, value in each["object_matchers"])
        ]
        if not fitting:
            name: str = policy["receiver"]
            return name
        policy = fitting[0]


@pytest.mark.parametrize(
    ("title", "contact"),
    [
        ("BongsuBreachTier1", "on-call:shop"),
        ("BongsuBreachTier2", "team:commerce"),
        ("BongsuBreachTier3", "team:headquarters"),
        ("BongsuCeiling", "on-call:shop"),
        ("BongsuErrorLogs", "on-call:shop"),
        ("BongsuInstanceDown", "on-call:shop"),
        ("BongsuHeartbeatMissing", "bongsu"),
        ("BongsuPrometheusDown", "bongsu"),
    ],
)
def test_each_alert_reaches_whom_its_tier_names(alerting: dict[str, Any], title: str, contact: str) -> None:
    assert reached(alerting, title) == contact


def addresses(alerting: dict[str, Any], contact: str) -> list[str]:
    found = next(each for each in alerting["contactPoints"] if each["name"] == contact)
    return [receiver["settings"]["addresses"] for receiver in found["receivers"]]


def test_on_call_is_everybody_in_the_rotation_and_every_address_has_a_receiver_of_its_own(
    alerting: dict[str, Any],
) -> None:
    assert addresses(alerting, "on-call:shop") == ["jimin@example.com", "sora@example.com"]
    assert addresses(alerting, "team:commerce") == ["commerce@example.com"], "a team's own address, not its members'"
    assert addresses(alerting, "team:headquarters") == ["headquarters@example.com", "board@example.com"]


def test_mails_are_in_the_language_of_the_reader(alerting: dict[str, Any]) -> None:
    jimin, sora = next(each for each in alerting["contactPoints"] if each["name"] == "on-call:shop")["receivers"]
    assert "summary_ko" in jimin["settings"]["subject"]
    assert "summary_ko" not in sora["settings"]["subject"]


def test_every_alert_says_what_to_do_in_two_languages(alerting: dict[str, Any]) -> None:
    for rule in rules_in(alerting):
        said = rule["annotations"]
        assert said["summary"] != said["summary_ko"]
        assert re.search("[가-힣]", said["summary_ko"])
        assert "First:" in said["description"]
        assert "먼저" in said["description_ko"]
        assert said["runbook_url"] == "https://bongsu.example.com/incidents"
        assert "%(" not in str(said)
        assert "@" not in str(said)


def test_quiet_hours_hold_back_warnings_alone(alerting: dict[str, Any]) -> None:
    muted = [each for each in every_policy(alerting) if each.get("mute_time_intervals")]
    assert {tuple(map(tuple, each["object_matchers"])) for each in muted} == {(("severity", "!=", "critical"),)}
    warnings = {rule["title"] for rule in rules_in(alerting) if rule["labels"]["severity"] != "critical"}
    assert warnings == {"BongsuPoolPending shop", "BongsuErrorLogs shop"}
    assert alerting["muteTimes"][0]["time_intervals"] == [
        {
            "times": [{"start_time": "22:00", "end_time": "24:00"}, {"start_time": "00:00", "end_time": "07:00"}],
            "location": "Asia/Seoul",
        }
    ]


def test_without_quiet_hours_there_are_none(tmp_path: Path) -> None:
    text = SHOP.replace('quiet_hours = ["22:00-07:00"]', "")
    found = generated(tmp_path, text)[0]["grafana/provisioning/alerting/bongsu.yaml"]
    assert "muteTimes" not in found
    assert not [each for each in every_policy(found) if "mute_time_intervals" in each]


def test_a_prometheus_that_does_not_answer_is_one_alarm(alerting: dict[str, Any]) -> None:
    alarming = [rule["title"] for rule in rules_in(alerting) if rule["execErrState"] != "OK"]
    assert alarming == ["BongsuPrometheusDown"]


def test_the_shortest_window_of_panels_follows_from_the_scrape_interval(files: dict[str, Any]) -> None:
    source = files["grafana/provisioning/datasources/bongsu.yaml"]["datasources"][0]
    assert source["jsonData"]["timeInterval"] == "5s"
    assert (source["uid"], source["url"]) == ("prometheus", "http://prometheus:9090")
