"""What the doctor finds: in five generations of Spring, other exporters, a real Prometheus, Grafana, and mistakes."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bongsu import config as configuration
from bongsu.adapters.clock import SystemClock
from bongsu.adapters.grafana import data_sources
from bongsu.adapters.prometheus_status import PrometheusStatus, span
from bongsu.cli.doctor import as_data
from bongsu.cli.examination import Doctor
from bongsu.core.errors import InvalidInput
from bongsu.core.profile import MACHINE, SERVICE
from bongsu.core.scraping import DataSource
from bongsu.core.signal import SIGNALS
from bongsu.lab.programs import find_program
from bongsu.ports import Unavailable
from bongsu.profiles import shipped
from tests.monitoring.exporters import FASTAPI_INSTRUMENTATOR, OPENTELEMETRY_JAVA, OPENTELEMETRY_PYTHON, growing
from tests.monitoring.payloads import GENERATIONS, payload, serve
from tests.monitoring.strangers import answer, pages, stranger
from tests.support import free_port, wait_for

OTHERS = {
    "fastapi": FASTAPI_INSTRUMENTATOR,
    "otel-python": OPENTELEMETRY_PYTHON,
    "otel-java": OPENTELEMETRY_JAVA,
}
CONFIG = """
[service.shop]
machine = "lightsail:small-2GB"
policy = "burst"
{service}
[policy.burst]
tier = [{{ after = "PT5M", notify = ["person:jimin"] }}]
[person.jimin]
name = "Kim Jimin"
contact = [{{ email = "jimin@example.com" }}]
[prometheus]
url = "{url}"
scrape = "{scrape}"
"""


@dataclass
class Site:
    """A real Prometheus and what it scrapes."""

    url: str
    services: dict[str, str]
    node: str


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("prometheus")
    exporter, prometheus = find_program("prometheus-node-exporter"), find_program("prometheus")
    assert exporter, "the node exporter is missing: apt-get install --no-install-recommends prometheus-node-exporter"
    assert prometheus, "Prometheus is missing: apt-get install --no-install-recommends prometheus"
    node, address = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    spring = '{{job_name: "{}", metrics_path: {}, static_configs: [{{targets: [{}]}}]}}'
    with ExitStack() as stack:
        services = {generation: stack.enter_context(serve(generation)) for generation in GENERATIONS}
        people = "".join(f'carts{{user_id="{each}"}} 1\n' for each in range(50))
        others = {
            name: stack.enter_context(stranger(pages(metrics=_fresh(text)))).removeprefix("http://")
            for name, text in OTHERS.items()
        }
        strange = stack.enter_context(stranger(pages(metrics=answer(people)))).removeprefix("http://")
        jobs = [spring.format(name, "/actuator/prometheus", f"'{host}'") for name, host in services.items()]
        jobs += [spring.format(name, "/metrics", f"'{host}'") for name, host in others.items()]
        jobs += [
            spring.format("application", "/actuator/prometheus", ""),
            spring.format("wrong-path", "/metrics", f"'{services['3.3']}'"),
            spring.format("gone", "/metrics", f"'localhost:{free_port()}'"),
            spring.format("carts", "/metrics", f"'{strange}'"),
            spring.format("node", "/metrics", f"'{node}'"),
        ]
        (folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s}\nscrape_configs:\n" + "".join(f"- {job}\n" for job in jobs)
        )
        command = [prometheus, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
        log = stack.enter_context((folder / "log").open("wb"))
        for each in ([exporter, f"--web.listen-address={node}"], [*command, f"--web.listen-address={address}"]):
            process = subprocess.Popen(each, stdout=log, stderr=log)
            stack.callback(process.wait, 10)
            stack.callback(process.terminate)
        status = PrometheusStatus(f"http://{address}", SystemClock())
        wait_for("four scrapes of every target", lambda: _scraped(status, len(jobs) - 3))
        yield Site(f"http://{address}", services, node)


def _fresh(text: str) -> Callable[[], bytes]:
    page = growing(text)
    return lambda: answer(page())


def _scraped(status: PrometheusStatus, targets: int) -> bool:
    try:
        asked = all(each.health != "unknown" for each in status.targets())
        return asked and len(status.values("count_over_time(up[1m]) >= 4 and up == 1")) == targets
    except Unavailable:
        return False


def look(url: str | None, config: configuration.Config | None = None, **also: Any) -> dict[str, Any]:
    """What ``--json`` prints."""
    also = {"prometheus": None, "grafana": (), **also}
    return as_data(Doctor(config, SystemClock()).look(url, **also))


def presence(found: dict[str, Any], where: str) -> dict[str, str]:
    (service,) = [each for each in found["services"] if where in each["where"]]
    assert len(service["signals"]) >= len(SIGNALS)
    return {row["signal"]: row["presence"] for row in service["signals"]}


def said(found: dict[str, Any], level: str) -> list[str]:
    return [f"{each['what']} ({each['where']}): {each['do']}" for each in found["findings"] if each["level"] == level]


def configured(folder: Path, url: str, service: str, scrape: str = "PT1S") -> configuration.Config:
    (folder / "bongsu.toml").write_text(CONFIG.format(url=url, service=service, scrape=scrape))
    return configuration.load(folder / "bongsu.toml")


# a service

DIFFERENT = {
    "2.1": {"latency": "second best", "in_flight": "missing", "threads": "there", "disk": "missing"},
    "2.7": {"latency": "second best", "in_flight": "missing", "threads": "second best", "disk": "there"},
    "3.0": {"latency": "second best", "in_flight": "there", "threads": "second best", "disk": "there"},
    "3.3": {"latency": "second best", "in_flight": "there", "threads": "second best", "disk": "there"},
    "3.5-histogram": {"latency": "there", "in_flight": "there", "threads": "there", "disk": "there"},
}
ELSEWHERE = {"steal", "throttled", "balance"}


@pytest.mark.parametrize("generation", GENERATIONS)
def test_each_generation_of_spring_is_told_what_it_has_and_what_to_add(site: Site, generation: str) -> None:
    found = look(f"http://{site.services[generation]}/actuator/prometheus")
    assert found["kind"] == "target"
    assert found["ok"]
    rows = presence(found, "/actuator/prometheus")
    assert {name: rows[name] for name in DIFFERENT[generation]} == DIFFERENT[generation]
    assert {name for name, each in rows.items() if each == "missing"} - {"in_flight", "disk"} == ELSEWHERE
    for row in found["services"][0]["signals"]:
        assert row["add"] or row["presence"] == "there", f"{row['signal']} does not say how to get it"


def test_a_bare_address_is_enough_and_says_where_the_metrics_are(site: Site) -> None:
    found = look(site.services["2.1"])
    assert any("its metrics are at /actuator/prometheus" in each for each in said(found, "ok"))
    assert found["ok"]


def test_a_wrong_path_is_an_error_that_names_the_right_one(site: Site) -> None:
    found = look(f"http://{site.services['3.0']}/metrics")
    (error,) = said(found, "error")
    assert "wrong metrics path" in error
    assert error.endswith("set metrics_path: /actuator/prometheus")
    assert presence(found, "/actuator/prometheus")["cpu"] == "there", "and the right page was examined"


def test_a_node_exporter_is_recognised(site: Site) -> None:
    found = look(f"http://{site.node}/metrics")
    assert found["services"][0]["profile"] == "node-exporter"
    rows = presence(found, site.node)
    assert {name for name, each in rows.items() if each == "there"} == {
        "cpu", "load", "steal", "restarts", "open_files", "disk"
    }  # fmt: skip


def test_nan_and_minus_one_are_missing_not_zero() -> None:
    text = payload("2.7", 600)
    cpu = next(line for line in text.splitlines() if line.startswith("system_cpu_usage"))
    for value, words in (("NaN", "only NaN is exported"), ("-1.0", "only negative values is exported")):
        broken = text.replace(cpu, f"{cpu.rpartition(' ')[0]} {value}")
        with stranger(pages(actuator__prometheus=answer(broken))) as url:
            found = look(f"{url}/actuator/prometheus")
        (row,) = [each for each in found["services"][0]["signals"] if each["signal"] == "cpu"]
        assert (row["presence"], row["how"]) == ("missing", words)


def test_half_a_page_is_an_error_and_what_came_is_examined() -> None:
    text = payload("3.3", 600)
    with stranger(pages(actuator__prometheus=answer(text[: len(text) // 2 + 9]))) as url:
        found = look(f"{url}/actuator/prometheus")
    assert not found["ok"]
    assert "half a payload" in said(found, "error")[0]
    assert presence(found, "/actuator")["pool_active"] == "there"


def test_metrics_of_no_profile_are_an_error_that_says_what_is_known() -> None:
    with stranger(pages(metrics=answer("strange_total 1\n"))) as url:
        found = look(f"{url}/metrics")
    assert found["services"] == []
    assert "fastapi-instrumentator, micrometer, node-exporter, opentelemetry" in said(found, "error")[0]


@pytest.mark.parametrize(
    ("body", "words"),
    [("<html>Welcome</html>", "it is HTML"), ('{"status":"UP"}', "it is JSON"), ("", "empty")],
)
def test_what_is_neither_metrics_nor_prometheus_is_refused_with_what_was_tried(body: str, words: str) -> None:
    with stranger(answer(body)) as url, pytest.raises(InvalidInput) as refused:
        look(url)
    assert words in str(refused.value)
    assert "/actuator/prometheus" in str(refused.value)


# a Prometheus


def test_a_prometheus_is_recognised_and_each_of_its_services_examined(site: Site) -> None:
    found = look(site.url)
    assert found["kind"] == "prometheus"
    profiles = {each["where"]: each["profile"] for each in found["services"]}
    assert profiles == {f"job {name}": "micrometer" for name in GENERATIONS} | {
        "job node": "node-exporter",
        "job fastapi": "fastapi-instrumentator",
        "job otel-java": "opentelemetry",
        "job otel-python": "opentelemetry",
    }
    for generation in GENERATIONS:
        rows = presence(found, f"job {generation}")
        assert {name: rows[name] for name in DIFFERENT[generation]} == DIFFERENT[generation]
    for service in found["services"]:
        for row in service["signals"]:
            assert row["presence"] == "missing" or row["series"] > 0, f"{service['where']}: {row['signal']} is empty"


OF_OTHERS = {
    "fastapi": {"cpu_process", "requests", "errors", "latency", "restarts", "open_files"},
    "otel-python": {
        "cpu", "cpu_process", "requests", "errors", "latency", "in_flight", "threads", "restarts", "open_files"
    },
    "otel-java": {
        "cpu", "cpu_process", "load", "steal", "requests", "errors", "latency", "pool_active", "pool_idle",
        "pool_pending", "pool_max", "pool_timeouts", "pool_acquire", "threads", "heap", "restarts", "disk",
    },
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_other_exporters_have_the_signals_that_their_pages_hold(site: Site, name: str) -> None:
    rows = presence(look(site.url), f"job {name}")
    assert {signal for signal, each in rows.items() if each != "missing"} == OF_OTHERS[name]


@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_query_of_a_profile_is_one_for_prometheus(site: Site, name: str) -> None:
    status = PrometheusStatus(site.url, SystemClock())
    for signal, source in shipped()[name].signals.items():
        for reading, by in itertools.product(source.readings, (SERVICE, MACHINE)):
            try:
                status.values(reading.fill("nobody", "20s", by))
            except Unavailable as error:
                pytest.fail(f"{signal}: {error}")


def test_the_mistakes_of_its_configuration_are_found(site: Site) -> None:
    found = look(site.url)
    errors, warnings = said(found, "error"), said(found, "warning")
    assert any("404" in each and "wrong metrics path" in each and "job wrong-path" in each for each in errors)
    assert any("has metrics at /actuator/prometheus (job wrong-path)" in each for each in warnings)
    assert any("localhost" in each and "refused" in each and "job gone" in each for each in errors)
    assert any("job application has no target" in each for each in errors)
    assert any("label user_id has 50 values" in each and "job carts" in each for each in warnings)
    assert not found["ok"]


def test_a_target_and_its_prometheus_are_examined_together(site: Site) -> None:
    found = look(f"http://{site.node}/metrics", prometheus=site.url)
    assert found["kind"] == "target"
    assert any("Prometheus scrapes it every 1s: up (job node)" in each for each in said(found, "ok"))


def test_the_configured_service_is_held_against_its_prometheus(site: Site, tmp_path: Path) -> None:
    own = "job = \"2.1\"\n[service.shop.signals]\nbalance = 'nothing{job=\"$job\"}'\ncarts = 'count(carts)'"
    found = look(None, configured(tmp_path, site.url, own))
    rows = presence(found, "service shop")
    assert rows["cpu"] == "there"
    assert rows["balance"] == "missing", "the user's own query gives nothing"
    assert rows["carts"] == "there"
    assert not any("service.shop" in each for each in said(found, "error"))


def test_a_wrong_job_or_profile_in_the_configuration_is_an_error(site: Site, tmp_path: Path) -> None:
    found = look(None, configured(tmp_path, site.url, 'job = "application"'))
    assert any("job application has no target (service.shop.job)" in each for each in said(found, "error"))
    found = look(None, configured(tmp_path, site.url, 'job = "node"'))
    assert any('set profile = "node-exporter"' in each for each in said(found, "error"))


def test_a_scrape_interval_other_than_configured_is_an_error(site: Site, tmp_path: Path) -> None:
    found = look(None, configured(tmp_path, site.url, 'job = "2.1"', scrape="PT0.2S"))
    assert any("every sample counts as missing" in each for each in said(found, "error"))


def test_a_clock_that_is_a_minute_off_is_a_warning(site: Site) -> None:
    @dataclass
    class Behind:
        def now(self) -> datetime:
            return SystemClock().now() - timedelta(seconds=60)

    assert abs(PrometheusStatus(site.url, SystemClock()).ahead()) < timedelta(seconds=2)
    found = as_data(Doctor(None, Behind()).look(site.url, None, ()))
    assert any("its clock is 60 s ahead of ours" in each for each in said(found, "warning"))


def test_debians_prometheus_says_that_it_runs_in_no_container(site: Site) -> None:
    assert PrometheusStatus(site.url, SystemClock()).contained() is False


def test_the_official_image_is_known_by_its_working_directory() -> None:
    told = answer('{"status":"success","data":{"CWD":"/prometheus"}}', Content_Type="application/json")
    with stranger(pages(api__v1__status__runtimeinfo=told)) as url:
        assert PrometheusStatus(url, SystemClock()).contained() is True


def test_a_store_that_knows_queries_alone_leaves_the_rest_open() -> None:
    """Mimir and Thanos have no targets, flags or configuration of their own."""
    rows = '{"status":"success","data":{"resultType":"vector","result":[]}}'
    with stranger(pages(api__v1__query=answer(rows, Content_Type="application/json"))) as url:
        status = PrometheusStatus(url, SystemClock())
        assert status.contained() is None
        assert status.jobs() is None
        assert status.targets() == ()


@pytest.mark.parametrize(
    ("text", "seconds"), [("5s", 5), ("1m30s", 90), ("200ms", 0.2), ("1h", 3600), ("", None), ("soon", None)]
)
def test_a_prometheus_duration_is_read(text: str, seconds: float | None) -> None:
    assert span(text) == (None if seconds is None else timedelta(seconds=seconds))


# a Grafana


def test_a_provisioned_data_source_that_points_to_localhost_is_found(site: Site, tmp_path: Path) -> None:
    (tmp_path / "bongsu.yaml").write_text(
        "apiVersion: 1\ndatasources:\n"
        "- {name: Prometheus, type: prometheus, url: 'http://localhost:9090'}\n- {name: Logs, type: loki, url: 'http://l'}\n"
    )
    found = look(site.url, grafana=(str(tmp_path),))
    assert any("http://prometheus:9090" in each for each in said(found, "warning"))
    (tmp_path / "bongsu.yaml").write_text("a: [b\n")
    with pytest.raises(InvalidInput, match="no readable YAML"):
        look(site.url, grafana=(str(tmp_path / "bongsu.yaml"),))


def test_grafanas_api_tells_whether_a_data_source_works() -> None:
    """The shape of Grafana's answers, its binary being out of reach; `make verify-grafana` asks a real one."""
    listed = '[{"uid":"p1","name":"Prometheus","type":"prometheus","url":"http://localhost:9090"}]'
    ill = answer('{"status":"ERROR","message":"connection refused"}', "400 Bad Request")
    with stranger(pages(api__datasources=answer(listed), api__datasources__uid__p1__health=ill)) as url:
        assert data_sources(url) == (
            DataSource("Prometheus", "http://localhost:9090", url, False, "connection refused"),
        )


def test_a_grafana_that_wants_a_login_or_is_none_says_so(site: Site) -> None:
    for given, words in ((answer("{}", "401 Unauthorized"), "GRAFANA_TOKEN"), (answer("<html>"), "is no Grafana")):
        with stranger(given) as url:
            found = look(site.url, grafana=(url,))
        assert any(words in each for each in said(found, "error"))
