"""What dashboards are proved against: a real Prometheus that scrapes the running shop, a node exporter and payloads.

The shop runs in the lab, under load, with its balancer and with Bongsu. The lab's own Prometheus has a configuration of
its own, so a second one here scrapes everything, every second; beside it VictoriaMetrics scrapes the same.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import urllib3
import yaml

from bongsu import config
from bongsu.cli.generate import setup_of
from bongsu.generate import prometheus as generated
from bongsu.lab.loopback import HOST, answers, fetch
from bongsu.lab.plan import LabPlan
from bongsu.lab.processes import launch
from bongsu.lab.programs import find_program
from bongsu.lab.running import RunningLab, start_lab, start_load
from bongsu.lab.traffic import Segment
from tests.monitoring.exporters import OPENTELEMETRY_JAVA
from tests.monitoring.payloads import GENERATIONS, payload, serve
from tests.support import free_port, wait_for

PYTHON = "application"
SPRING = tuple(f"spring-{each.replace('.', '-')}" for each in GENERATIONS)
LOG4J2, OTEL = "spring-log4j2", "opentelemetry-java"
RATE = 100
"""Requests per second: each of the two machines works well above its baseline, so that credits are spent."""
_EVERY_SECOND = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
_HTTP = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(total=20))
_SERVICE = """
[service.{job}]
job = "{job}"
machine = "lightsail:small-2GB"
policy = "burst"
"""


class Store:
    """A server of Prometheus' HTTP API."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, query: str) -> list[dict[str, Any]]:
        """An instant query; series whose value is not a number count as nothing."""
        return [row for row in self._get("query", {"query": query}) if row["value"][1] != "NaN"]

    def course(self, query: str, seconds: int = 8) -> list[dict[str, Any]]:
        """What a panel would draw of the last seconds; series without a single number count as nothing."""
        now = time.time()
        span = {"start": f"{now - seconds:.3f}", "end": f"{now:.3f}", "step": "1"}
        rows = self._get("query_range", {"query": query, **span})
        return [row for row in rows if any(value != "NaN" for _, value in row["values"])]

    def values_of(self, label: str, selector: str = "") -> list[str]:
        """The values of a label, as variables get them."""
        fields = {"match[]": selector} if selector else {}
        return list(self._get(f"label/{label}/values", fields, method="GET"))

    def _get(self, path: str, fields: Mapping[str, str], method: str = "POST") -> Any:
        url = f"{self.url}/api/v1/{path}"
        answer = (
            _HTTP.request("GET", url, fields=dict(fields))
            if method == "GET"
            else _HTTP.request("POST", url, fields=dict(fields), encode_multipart=False)
        )
        body = json.loads(answer.data)
        assert body["status"] == "success", f"{fields}: {body.get('error')}"
        data = body["data"]
        return data["result"] if isinstance(data, dict) else data


@dataclass(frozen=True)
class Environment:
    """Everything that runs."""

    store: Store
    victoria: Store
    lab: RunningLab


@contextmanager
def running() -> Iterator[Environment]:
    """Start everything, wait until each thing has been seen often enough, and end it all."""
    folder = Path(tempfile.mkdtemp(prefix="monitoring-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        lab = stack.enter_context(start_lab(LabPlan(machines=2), folder / "lab"))
        stack.enter_context(start_load(lab, (Segment(600.0, RATE, "sale"),), folder / "load"))
        _visit_badly(lab)
        stack.enter_context(_stalled_database(lab))
        targets = {f"spring-{each.replace('.', '-')}": stack.enter_context(serve(each)) for each in GENERATIONS}
        targets[LOG4J2] = stack.enter_context(_serve(lambda t: payload("3.3", t).replace("logback_", "log4j2_")))
        targets[OTEL] = stack.enter_context(_serve(_growing))
        node = stack.enter_context(_node_exporter(folder))
        jobs = [_scrape(job, [(f"{job}-1", address)]) for job, address in targets.items()]
        machines = [(each["name"], each["metrics_address"]) for each in lab.machines()]
        everybody = [name for name, _ in machines] + [f"{job}-1" for job in targets]
        # One computer carries them all: its node exporter speaks for each machine.
        jobs += [*_lab_jobs(lab, machines), _scrape("node", [(name, node) for name in everybody], "/metrics")]
        scraping = {"global": _EVERY_SECOND, "scrape_configs": jobs}
        victoria = stack.enter_context(_victoria(folder, scraping))
        rules = _rules(folder, lab, list(targets))
        store = stack.enter_context(_prometheus(folder, scraping, rules, victoria))
        environment = Environment(store, victoria, lab)
        _settle(environment, len(machines) + len(targets) + len(everybody) + 3)
        yield environment


def _visit_badly(lab: RunningLab) -> None:
    """A page that does not exist, and one that lives elsewhere: visitors of the lab make no mistakes."""
    for machine in lab.machines():
        for path in ("/nothing", "/products/"):
            _HTTP.request("GET", f"http://{machine['address']}{path}", redirect=False)


@contextmanager
def _stalled_database(lab: RunningLab) -> Iterator[None]:
    """Until the end, or until requests have failed for it: nobody can read the products, so that the pool runs dry."""
    connection = psycopg.connect(lab.endpoints["postgres"])
    connection.execute("LOCK TABLE products IN ACCESS EXCLUSIVE MODE")
    metrics = [f"http://{each['metrics_address']}/actuator/prometheus" for each in lab.machines()]
    wait_for("a failed request on each machine", lambda: all('status="5' in fetch(each) for each in metrics))
    connection.close()
    yield


def _settle(environment: Environment, targets: int) -> None:
    store = environment.store
    wait_for("every target", lambda: len(store.ask("up == 1")) == targets, 60)
    wait_for("a mail of Bongsu's", lambda: store.ask("rate(bongsu_deliveries_total[4s])"), 60)
    wait_for("rates", lambda: len(store.ask("count_over_time(up[1m]) >= 7")) == targets, 60)
    wait_for("the breach clock", lambda: store.ask('bongsu:breach_seconds{job="application"} > 3'), 60)
    wait_for("the other store", lambda: len(environment.victoria.ask("count_over_time(up[1m]) >= 7")) == targets, 60)
    wait_for("the rules there", lambda: environment.victoria.ask('bongsu:breach_seconds{job="application"} > 3'), 60)


def _scrape(
    job: str, targets: list[tuple[str, str]], path: str = "/actuator/prometheus", **more: Any
) -> dict[str, Any]:
    static = [{"targets": [address], "labels": {"instance": name}} for name, address in targets]
    return {"job_name": job, "metrics_path": path, "static_configs": static, **more}


def _lab_jobs(lab: RunningLab, machines: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """The shop, its governor, the balancer and Bongsu. The dashboard "Spring Boot 2.1 System Monitor" wants a label."""
    hosts = {name: urlsplit(lab.endpoints[name]).netloc for name in ("governor", "haproxy_metrics", "bongsu")}
    label = {"target_label": "application", "replacement": "shop"}
    machines_own = "system_cpu_usage|system_cpu_count"  # in the lab the governor measures them
    drop = {"source_labels": ["__name__"], "regex": machines_own, "action": "drop"}
    return [
        _scrape(PYTHON, machines, metric_relabel_configs=[drop, label]),
        _scrape("lab", [("governor", hosts["governor"])], "/", honor_labels=True, metric_relabel_configs=[label]),
        _scrape("haproxy", [("haproxy", hosts["haproxy_metrics"])], "/metrics"),
        _scrape("bongsu", [("bongsu", hosts["bongsu"])], "/metrics"),
    ]


def _rules(folder: Path, lab: RunningLab, services: list[str]) -> Path:
    """The recording rules that ``bongsu generate`` makes for the shop and each payload."""
    text = (lab.directory.root / "bongsu" / "bongsu.toml").read_text(encoding="utf-8")
    text += "".join(_SERVICE.format(job=job) for job in services if job != OTEL)
    file = folder / "bongsu.toml"
    file.write_text(text, encoding="utf-8")
    groups = generated.rules(setup_of(config.load(file)))["groups"]
    for group in groups:
        group["rules"] = [rule for rule in group["rules"] if "record" in rule]
    rules = folder / "rules.yml"
    rules.write_text(yaml.safe_dump({"groups": groups}), encoding="utf-8")
    return rules


@contextmanager
def program(name: str, package: str, folder: Path, *arguments: str) -> Iterator[None]:
    """A program of Debian's, for as long as it is needed."""
    found = find_program(name)
    assert found, f"{name} is missing: apt-get install --no-install-recommends {package}"
    with (folder / f"{name}.log").open("wb") as log:
        process = launch((found, *arguments), lab=None, stdout=log, environment={"GOMAXPROCS": "1"})
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def _prometheus(folder: Path, scraping: dict[str, Any], rules: Path, victoria: Store) -> Iterator[Store]:
    """What the rules record goes to VictoriaMetrics too, as where Prometheus evaluates and another store keeps."""
    address, file = f"{HOST}:{free_port()}", folder / "prometheus.yml"
    write = {
        "url": f"{victoria.url}/api/v1/write",
        "write_relabel_configs": [{"source_labels": ["__name__"], "regex": "bongsu:.*", "action": "keep"}],
        "queue_config": {"batch_send_deadline": "1s"},
    }
    file.write_text(yaml.safe_dump({**scraping, "rule_files": [str(rules)], "remote_write": [write]}), encoding="utf-8")
    options = [f"--config.file={file}", f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address={address}"]
    with program("prometheus", "prometheus", folder, *options, "--query.lookback-delta=3s", "--log.level=warn"):
        wait_for("Prometheus", lambda: answers(f"http://{address}/-/ready"))
        yield Store(f"http://{address}")


@contextmanager
def _victoria(folder: Path, scraping: dict[str, Any]) -> Iterator[Store]:
    address, file = f"{HOST}:{free_port()}", folder / "victoria.yml"
    every = {name: value for name, value in scraping["global"].items() if name.startswith("scrape")}
    file.write_text(yaml.safe_dump({**scraping, "global": every}), encoding="utf-8")
    options = [f"-promscrape.config={file}", f"-storageDataPath={folder / 'victoria'}", f"-httpListenAddr={address}"]
    # What is younger than 30 s is hidden by default, which for Bongsu would be 30 s of blindness.
    options += ["-search.latencyOffset=0s", "-search.maxStalenessInterval=3s", "-memory.allowedBytes=128MB"]
    with program("victoria-metrics", "victoria-metrics", folder, *options):
        wait_for("VictoriaMetrics", lambda: answers(f"http://{address}/health"))
        yield Store(f"http://{address}")


@contextmanager
def _node_exporter(folder: Path) -> Iterator[str]:
    address = f"{HOST}:{free_port()}"
    collectors = [f"--collector.{each}" for each in ("cpu", "filesystem", "filefd", "loadavg", "meminfo", "stat")]
    options = (f"--web.listen-address={address}", "--collector.disable-defaults", *collectors, "--log.level=error")
    with program("prometheus-node-exporter", "prometheus-node-exporter", folder, *options):
        yield address


_COUNTER = re.compile(r"^(\w+_(?:total|count|sum|bucket)\S*) ([0-9.]+)$", re.MULTILINE)


def _growing(t: float) -> str:
    """An OpenTelemetry service whose counters go up."""
    return _COUNTER.sub(lambda found: f"{found[1]} {float(found[2]) * t:.3f}", OPENTELEMETRY_JAVA)


@contextmanager
def _serve(text: Callable[[float], str]) -> Iterator[str]:
    """A target whose metrics are a function of the seconds since it began."""
    began = time.time() - 600

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = text(time.time() - began).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer((HOST, 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"{HOST}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
