"""The metrics store: a real Prometheus with the lab's scrape interval and a look-back of three scrapes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from bongsu.lab.directory import write_whole
from bongsu.lab.loopback import HOST, answers, fetch
from bongsu.lab.parts import Part
from bongsu.lab.site import Site

_CONFIG = """\
# Written by the lab at every start; edit src/bongsu/lab/prometheus.py instead.
global:
  scrape_interval: {interval}
  scrape_timeout: {interval}
  evaluation_interval: {interval}
rule_files:
  - rules/*.yml
alerting:
  alertmanagers:
    - api_version: v2
      static_configs:
        - targets: ["{host}:{bongsu}"]
scrape_configs:
  - job_name: application
    metrics_path: /actuator/prometheus
    file_sd_configs:
      - files: [targets.json]
        refresh_interval: 1s
    metric_relabel_configs:
      # The processor is the machine's, not this computer's: the governor measures it.
      - source_labels: [__name__]
        regex: system_cpu_usage|process_cpu_usage|system_cpu_count
        action: drop
  - job_name: lab
    honor_labels: true
    metrics_path: /
    static_configs:
      - targets: ["{host}:{governor}"]
  - job_name: haproxy
    static_configs:
      - targets: ["{host}:{haproxy}"]
  - job_name: prometheus
    static_configs:
      - targets: ["{host}:{prometheus}"]
"""

_BONGSU = """\
  - job_name: bongsu
    static_configs:
      - targets: ["{host}:{bongsu}"]
"""


def configuration(site: Site, with_bongsu: bool) -> str:
    """The text of prometheus.yml."""
    return (_CONFIG + (_BONGSU if with_bongsu else "")).format(
        interval=f"{round(site.plan.scrape_interval * 1000)}ms",
        host=HOST,
        bongsu=site.ports.bongsu,
        governor=site.ports.governor,
        haproxy=site.ports.haproxy,
        prometheus=site.ports.prometheus,
    )


def write_targets(path: Path, machines: Mapping[str, str]) -> None:
    """Tell Prometheus which machines there are: metrics address by name."""
    groups = [{"targets": [address], "labels": {"instance": name}} for name, address in machines.items()]
    write_whole(path, json.dumps(groups, indent=1))


def prometheus(site: Site) -> Part:
    """The server."""
    folder = site.directory.root / "prometheus"
    port = site.ports.prometheus
    command = (
        site.programs.prometheus,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={HOST}:{port}",
        f"--query.lookback-delta={round(3 * site.plan.scrape_interval * 1000)}ms",
        # New machines wait up to five seconds for their first scrape; by default it can be ten.
        "--scrape.discovery-reload-interval=1s",
        "--log.level=warn",
    )
    # Two cores carry the whole lab: one is enough for a few targets.
    return Part("prometheus", command, lambda: answers(f"{site.url(port)}/-/ready"), port, {"GOMAXPROCS": "1"})


def waiting_for(site: Site, machines: set[str], with_bongsu: bool) -> set[str]:
    """Targets whose ``up`` is not 1 yet; empty means that everything is scraped."""
    jobs = {"lab", "haproxy", "prometheus"} | ({"bongsu"} if with_bongsu else set())
    wanted = {("application", machine) for machine in machines} | {(job, "") for job in jobs}
    try:
        answer = json.loads(fetch(f"{site.url(site.ports.prometheus)}/api/v1/query?query={quote('up == 1')}", 2.0))
    except (OSError, ValueError):
        return {machine or job for job, machine in wanted}
    up = set()
    for row in answer["data"]["result"]:
        job, instance = row["metric"].get("job", ""), row["metric"].get("instance", "")
        up.add((job, instance if job == "application" else ""))
    return {machine or job for job, machine in wanted - up}
