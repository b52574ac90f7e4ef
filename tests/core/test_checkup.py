"""What the doctor says: which signals are there, and the classic mistakes, each with what to do."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest

from bongsu.core.checkup import Finding, Level, Page, Values, of_label, of_page, of_profile, standings
from bongsu.core.profile import Profile, Reading, Source
from bongsu.core.scraping import (
    DataSource,
    Target,
    Watched,
    is_loopback,
    of_intervals,
    of_jobs,
    of_scraping,
    of_skew,
    of_source,
    of_targets,
    remedy,
)
from bongsu.core.signal import SIGNALS

SHOP = Profile(
    "shop",
    "The shop",
    ("cpu_now", "took_count"),
    {
        "cpu": Source((Reading("cpu_now", ("cpu_now",)),), "switch cpu on"),
        "latency": Source(
            (Reading("p95", ("took_bucket",), "p95"), Reading("mean", ("took_(sum|total)",), "mean")),
            "switch buckets on",
        ),
        "open_files": Source((Reading("a", ("files_a",)), Reading("b", ("files_b",))), "switch files on"),
        "steal": Source((), "run a node exporter"),
    },
)


def rows(*names: str, **unusable: str) -> dict[str, tuple[str, str, str]]:
    found = standings(SHOP, names, unusable)
    assert [row.signal for row in found] == list(SIGNALS), "every signal has its line"
    return {row.signal: (row.presence.value, row.how, row.add) for row in found}


def test_a_signal_is_there_second_best_or_missing_with_the_line_to_add() -> None:
    found = rows("cpu_now", "took_sum")
    assert found["cpu"] == ("there", "", "")
    assert found["latency"] == ("second best", "mean", "switch buckets on")
    assert found["steal"] == ("missing", "", "run a node exporter")
    assert found["disk"] == ("missing", "", ""), "this profile knows nothing of disks"


def test_the_same_figure_under_another_name_is_as_good() -> None:
    assert rows("files_b")["open_files"] == ("there", "", "")


def test_a_signal_that_says_only_nan_is_missing_and_says_so() -> None:
    assert rows("cpu_now", cpu_now="only NaN")["cpu"] == ("missing", "only NaN is exported", "switch cpu on")
    assert rows("took_bucket", "took_sum", took_bucket="only NaN")["latency"][0] == "second best"


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (Values(3, 0, 0), ""),
        (Values(3, 2, 0), ""),
        (Values(2, 2, 0), "only NaN"),
        (Values(2, 0, 2), "only negative values"),
        (Values(2, 0, 1), ""),
    ],
)
def test_values_mean_something_unless_all_are_nan_or_below_zero(values: Values, why: str) -> None:
    assert values.unusable() == why


def page(**changes: object) -> list[Finding]:
    return of_page(Page(**{"url": "http://shop/metrics", "asked": "http://shop/metrics", "series": 9, **changes}))


def only(found: list[Finding]) -> Finding:
    assert len(found) == 1, found
    return found[0]


def test_a_healthy_page_is_one_line() -> None:
    finding = only(page(names={"a": Values(9)}))
    assert finding.level is Level.OK
    assert "9 series" in finding.what


@pytest.mark.parametrize(
    ("changes", "level", "words"),
    [
        ({"cut": "the answer is larger than 20 MiB"}, Level.ERROR, "larger than 20 MiB"),
        ({"unfinished": True}, Level.ERROR, "half a payload"),
        ({"malformed_lines": 2, "malformed": ((7, "what?"),)}, Level.ERROR, "line 7"),
        ({"duplicates": 3, "duplicate": 'a{b="c"}'}, Level.WARNING, 'a{b="c"}'),
        ({"series": 12_000}, Level.WARNING, "12,000 series"),
        ({"content_type": "text/html"}, Level.WARNING, "Content-Type"),
        ({"seconds": 4.0}, Level.WARNING, "took 4.0 s"),
        ({"asked": "http://shop/"}, Level.WARNING, "redirects"),
    ],
)
def test_a_page_with_a_fault_says_what_and_what_to_do(changes: dict[str, object], level: Level, words: str) -> None:
    finding = next(each for each in page(**changes) if each.level is not Level.OK)
    assert finding.level is level
    assert words in finding.what
    assert finding.do


@pytest.mark.parametrize(
    ("label", "values", "words"),
    [
        ("user_id", [str(each) for each in range(30)], "user_id has 30 values"),
        ("who", [str(each) for each in range(300)], "numbers"),
        ("owner", [f"person{each}@example.com" for each in range(5)], "e-mail addresses"),
        ("ref", [str(uuid.UUID(int=each)) for each in range(50)], "UUIDs"),
        ("uri", [f"/orders/{each}" for each in range(40)], "paths with a number"),
        ("client", [f"10.0.0.{each}" for each in range(60)], "addresses of computers"),
        ("shape", [f"kind {each} of a thing" for each in range(1000)], "1,000 values or more"),
    ],
)
def test_labels_that_tell_people_or_requests_apart_are_found(label: str, values: list[str], words: str) -> None:
    finding = only(of_label(label, values, "job application"))
    assert words in finding.what
    assert not any(value in finding.what for value in values if len(value) > 4), "ids of people are not repeated"


@pytest.mark.parametrize(
    ("label", "values"),
    [
        ("le", [str(each / 10) for each in range(69)]),
        ("cpu", [str(each) for each in range(128)]),
        ("status", ["200", "404", "500"]),
        ("uri", ["/products", "/products/{id}", "/orders/{id}/payment"]),
        ("id", ["G1 Eden Space", "Metaspace", "CodeHeap 'profiled nmethods'"]),
        ("user", ["postgres", "shop", "backup"]),
    ],
)
def test_labels_that_every_service_has_are_left_alone(label: str, values: list[str]) -> None:
    assert of_label(label, values, "job application") == []


def test_the_profile_that_fits_is_named_and_a_wrong_one_is_an_error() -> None:
    other = Profile("other", "Another", ("other_thing",))
    best, said = of_profile("shop", [SHOP, other], {"cpu_now", "took_count"}, None)
    assert best is SHOP
    assert only(said).level is Level.OK
    _, said = of_profile("shop", [SHOP, other], {"other_thing"}, SHOP)
    assert only(said).level is Level.ERROR
    assert only(said).do == 'set profile = "other"'
    none, said = of_profile("shop", [SHOP, other], {"strange"}, None)
    assert none is None
    assert "other, shop" in only(said).do


def test_a_profile_that_hardly_fits_is_a_warning() -> None:
    wide = Profile("wide", "", ("a", "b", "c", "d"))
    assert only(of_profile("x", [wide], {"a"}, None)[1]).level is Level.WARNING


def down(error: str, url: str = "http://shop:8080/metrics", contained: bool | None = None) -> str:
    target = Target("application", "shop:8080", url, "down", error)
    found = [each for each in of_targets([target], contained) if "is down" in each.what]
    assert only(found).level is Level.ERROR
    assert error in only(found).what
    return only(found).do


def test_a_down_target_names_its_error_and_the_remedy() -> None:
    assert "metrics_path" in down("server returned HTTP status 404 Not Found")
    boot = down("server returned HTTP status 404 Not Found", "http://shop:8080/actuator/prometheus")
    assert "management.endpoints.web.exposure.include=health,prometheus" in boot
    assert "login" in down("server returned HTTP status 401 Unauthorized")
    assert "service's name" in down("dial tcp: lookup shop: no such host")
    assert "scrape_timeout" in down("context deadline exceeded")
    assert "nobody listens" in down("connect: connection refused")
    assert "no metrics" in down('expected a valid start token, got "<"')


def test_localhost_is_the_container_itself_when_prometheus_runs_in_one() -> None:
    refused, url = "dial tcp 127.0.0.1:8080: connect: connection refused", "http://localhost:8080/metrics"
    assert "application:8080" in down(refused, url, contained=True)
    assert "if Prometheus runs in a container" in down(refused, url, contained=None)
    assert "container" not in down(refused, url, contained=False)


@pytest.mark.parametrize("url", ["http://localhost:9090", "127.0.0.1:80", "http://[::1]:9090/x", "http://0.0.0.0:1"])
def test_addresses_that_mean_the_computer_itself(url: str) -> None:
    assert is_loopback(url)


@pytest.mark.parametrize("url", ["http://prometheus:9090", "10.0.0.1:80", "http://localhosts.example.com"])
def test_addresses_that_mean_another(url: str) -> None:
    assert not is_loopback(url)


def test_no_target_that_answers_is_an_error_and_many_series_a_warning() -> None:
    quiet = Target("application", "a", "http://a/", "down", "x")
    assert of_targets([quiet], None)[0].level is Level.ERROR
    loud = Target("application", "a", "http://a/", "up", series=80_000)
    assert [each.level for each in of_targets([loud], None)] == [Level.OK, Level.WARNING]
    fresh = Target("application", "a", "http://a/", "unknown")
    assert "has not been scraped yet" in of_targets([fresh], None)[1].what


def intervals(seconds: float, **watched: object) -> list[Level]:
    target = Target("application", "a", "http://a/", "up", interval=timedelta(seconds=seconds))
    return [each.level for each in of_intervals([target], [Watched("service.shop", "application", **watched)])]


def test_a_scrape_interval_must_leave_samples_for_the_shortest_time_of_the_policy() -> None:
    assert intervals(5) == []
    assert intervals(15) == []
    assert intervals(30) == [Level.WARNING]
    assert intervals(60) == [Level.ERROR]
    assert intervals(60, tightest=timedelta(minutes=10)) == []


def test_a_scrape_interval_other_than_the_configured_makes_samples_stale() -> None:
    five = timedelta(seconds=5)
    assert intervals(5, scrape=five) == []
    assert intervals(10, scrape=five) == [Level.WARNING]
    assert intervals(15, scrape=five) == [Level.ERROR], "three scrapes old at once: always missing"


def test_a_lab_scrapes_once_a_second_and_its_time_runs_faster() -> None:
    assert intervals(1, scrape=timedelta(minutes=1), speed=60.0) == []


def test_clocks_may_be_five_seconds_apart() -> None:
    assert of_skew(timedelta(seconds=5), "prometheus") == []
    assert "61 s ahead" in only(of_skew(timedelta(seconds=61), "prometheus")).what
    assert "61 s behind" in only(of_skew(timedelta(seconds=-61), "prometheus")).what


def test_a_job_without_targets_is_an_error() -> None:
    there = Target("node", "a:9100", "http://a:9100/metrics", "up")
    assert (
        only(of_jobs({"application": "service.shop.job", "node": "x"}, [there])).what == "job application has no target"
    )


def test_a_target_that_prometheus_does_not_scrape_is_told() -> None:
    there = Target("application", "a", "http://a:9100/metrics", "up", interval=timedelta(seconds=5))
    assert of_scraping("a:9100", [there]).level is Level.OK
    assert of_scraping("b:9100", [there]).level is Level.WARNING


@pytest.mark.parametrize(
    ("source", "contained", "level"),
    [
        (DataSource("P", "http://prometheus:9090", "file"), True, Level.OK),
        (DataSource("P", "http://localhost:9090", "file"), True, Level.ERROR),
        (DataSource("P", "http://127.0.0.1:9090", "file"), None, Level.WARNING),
        (DataSource("P", "http://localhost:9090", "api", False, "refused"), None, Level.ERROR),
        (DataSource("P", "http://localhost:9090", "api", True), None, Level.OK),
        (DataSource("P", "http://elsewhere:9090", "api", False, "no such host"), None, Level.ERROR),
    ],
)
def test_grafanas_data_source_must_not_point_to_its_own_container(
    source: DataSource, contained: bool | None, level: Level
) -> None:
    assert only(of_source(source, contained)).level is level


def test_an_unknown_error_still_says_where_to_look() -> None:
    assert (
        remedy("http://shop:1/metrics", "strange", None)
        == "open http://shop:1/metrics from the computer that Prometheus runs on"
    )
