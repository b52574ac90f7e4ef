"""What a look at a Prometheus and a Grafana finds: targets that are down and why, intervals, clocks, missing jobs."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from bongsu.core.checkup import MANY_SERIES, Finding, Level

SKEW = timedelta(seconds=5)
"""How far the clocks may be apart."""
FAST = timedelta(seconds=5)
"""A scrape interval on the wall that nobody need make shorter, also in a lab whose time runs faster."""
STALE_SCRAPES = 3
"""A sample older than this many scrapes counts as missing."""
EXPOSE = (
    "Spring: management.endpoints.web.exposure.include=health,prometheus and the dependency "
    "io.micrometer:micrometer-registry-prometheus"
)
SPRING_PATH = "/actuator/prometheus"
USUAL_PATHS = (SPRING_PATH, "/metrics", "/management/prometheus", "/q/metrics", "/prometheus", "/metrics/prometheus")
"""Where services keep their metrics: Spring, nearly everybody, JHipster, Quarkus, older Micronaut and Spring."""


@dataclass(frozen=True, slots=True)
class Target:
    """A scrape target as Prometheus tells it. ``interval`` is wall time; None where the store does not tell."""

    job: str
    instance: str
    url: str
    health: str
    error: str = ""
    interval: timedelta | None = None
    series: int | None = None


@dataclass(frozen=True, slots=True)
class Watched:
    """What the watch of one service needs: ``tightest`` is the shortest time of its policy, ``scrape`` the configured
    interval, both in service time; ``speed`` is how much service time passes in a second."""

    where: str
    job: str
    tightest: timedelta = timedelta(minutes=2)
    scrape: timedelta | None = None
    speed: float = 1.0


@dataclass(frozen=True, slots=True)
class DataSource:
    """A Prometheus data source of Grafana. ``healthy`` is Grafana's own word, None when it was not asked."""

    name: str
    url: str
    where: str
    healthy: bool | None = None
    message: str = ""


def is_loopback(url: str) -> bool:
    """Whether an address means the computer (or container) it is used on."""
    host = urlsplit(url if "//" in url else f"//{url}").hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


def of_targets(targets: Collection[Target], contained: bool | None) -> list[Finding]:
    """Targets that are down, each with its cause, and targets with too many series.

    ``contained``: whether Prometheus runs in a container, None when it cannot be told.
    """
    found = [_down(target, contained) for target in targets if target.health == "down"]
    found += [
        Finding(Level.WARNING, f"target {each.instance} has not been scraped yet", f"job {each.job}", "look again soon")
        for each in targets
        if each.health == "unknown"
    ]
    for each in targets:
        if each.series is not None and each.series > MANY_SERIES:
            what = f"target {each.instance} exports {each.series:,} series"
            found.append(Finding(Level.WARNING, what, f"job {each.job}", "find the label that multiplies them"))
    up = sum(target.health == "up" for target in targets)
    jobs = len({target.job for target in targets})
    level = Level.OK if up else Level.ERROR
    do = "" if up else "nothing can be watched: see what is said of each target"
    return [Finding(level, f"{up} of {len(targets)} targets in {jobs} jobs answer", "targets", do), *found]


def _down(target: Target, contained: bool | None) -> Finding:
    what = f"target {target.instance} is down: {target.error or 'no reason given'}"
    return Finding(Level.ERROR, what, f"job {target.job}, {target.url}", remedy(target.url, target.error, contained))


def remedy(url: str, error: str, contained: bool | None) -> str:
    """What to do about a scrape that fails with this error."""
    said, path = error.lower(), urlsplit(url).path
    if "404" in said:
        if path == SPRING_PATH:
            return f"wrong metrics path, or not exposed. {EXPOSE}; Python is often at metrics_path: /metrics"
        return f"wrong metrics path: set metrics_path, for Spring to {SPRING_PATH}"
    if "401" in said or "403" in said:
        return "it wants a login: permit this path to Prometheus alone, or give the job basic_auth or authorization"
    if is_loopback(url) and contained is not False:
        means = "localhost is that container"
        when = "Prometheus runs in a container: " if contained else "if Prometheus runs in a container, "
        return f"{when}{means}: use the service's name, such as application:8080, or host.docker.internal for the host"
    if "no such host" in said or "server misbehaving" in said:
        return "the name is not known there: in compose the host name is the service's name, in the same network"
    if "deadline" in said or "timeout" in said:
        return "it is slower than scrape_timeout: starved, or too many series; give metrics a thread of their own"
    if "refused" in said:
        return "nobody listens there: is the service running, and is this the port of its metrics?"
    if any(sign in said for sign in ("content-type", "expected", "invalid", "unexpected", "html")):
        return "what answers is no metrics: check metrics_path and port, and that no login page stands in front"
    return f"open {url} from the computer that Prometheus runs on"


def of_jobs(expected: Mapping[str, str], targets: Collection[Target], level: Level = Level.ERROR) -> list[Finding]:
    """Jobs without a target; ``expected`` says for each job who wants it."""
    there = {target.job for target in targets}
    known = ", ".join(sorted(there)) or "none"
    do = f"give it targets in scrape_configs (jobs with targets: {known}); bongsu generate writes them"
    missing = {job: where for job, where in expected.items() if job not in there}
    return [Finding(level, f"job {job} has no target", where, do) for job, where in missing.items()]


def of_scraping(host: str, targets: Collection[Target]) -> Finding:
    """Whether one of the targets is at ``host`` (host:port)."""
    for target in targets:
        if urlsplit(target.url).netloc == host:
            every = f" every {_span(target.interval)}" if target.interval else ""
            return Finding(Level.OK, f"Prometheus scrapes it{every}: {target.health}", f"job {target.job}")
    do = "if Prometheus knows it by another name that is fine; otherwise add it to scrape_configs"
    return Finding(Level.WARNING, f"no target of Prometheus has the address {host}", "targets", do)


def of_intervals(targets: Collection[Target], watched: Sequence[Watched]) -> list[Finding]:
    """Scrape intervals that are too long for a policy, or other than the configuration says."""
    found: list[Finding] = []
    for each in watched:
        wall = max((target.interval for target in targets if target.job == each.job and target.interval), default=None)
        if wall is None:
            continue
        real, where = wall * each.speed, f"{each.where}, job {each.job}"
        # a lab's interval is rounded to milliseconds: a hundredth more is no other interval
        if each.scrape is not None and real > each.scrape * 1.01:
            lost = real >= STALE_SCRAPES * each.scrape
            what = f"scraped every {_span(real)}, but [prometheus] scrape says {_span(each.scrape)}"
            what += ": every sample counts as missing" if lost else ""
            do = f"set scrape_interval: {_span(each.scrape / each.speed)} in prometheus.yml"
            found.append(Finding(Level.ERROR if lost else Level.WARNING, what, where, do))
        if wall <= FAST:
            continue
        if real * STALE_SCRAPES > each.tightest:
            what = f"scraped every {_span(real)}: three scrapes are longer than the policy's {_span(each.tightest)}"
            found.append(Finding(Level.ERROR, what, where, "set scrape_interval: 5s; breaches would be seen too late"))
        elif real * 8 > each.tightest:
            what = f"scraped every {_span(real)}, few samples for the policy's {_span(each.tightest)}"
            found.append(Finding(Level.WARNING, what, where, "set scrape_interval: 5s"))
    return found


def of_skew(ahead: timedelta, where: str) -> list[Finding]:
    """Clocks that are apart."""
    if abs(ahead) <= SKEW:
        return []
    way = "ahead of" if ahead > timedelta(0) else "behind"
    what = f"its clock is {abs(ahead).total_seconds():.0f} s {way} ours"
    return [Finding(Level.WARNING, what, where, "set both by NTP: durations of breaches come from its timestamps")]


def of_source(source: DataSource, contained: bool | None) -> list[Finding]:
    """What is wrong with a data source of Grafana; ``contained``: whether Prometheus is in a container."""
    if source.healthy:
        return [Finding(Level.OK, f"data source {source.name} reaches {source.url}", source.where)]
    if is_loopback(source.url):
        what = f"data source {source.name} points to {source.url}"
        what += f", and Grafana says: {source.message}" if source.healthy is False else ""
        do = "inside Grafana's container localhost is that container: use the service's name, http://prometheus:9090"
        sure = contained or source.healthy is False
        return [Finding(Level.ERROR if sure else Level.WARNING, what, source.where, do)]
    if source.healthy is False:
        what = f"data source {source.name} does not reach {source.url}: {source.message or 'no reason given'}"
        return [Finding(Level.ERROR, what, source.where, "check its URL from where Grafana runs")]
    return [Finding(Level.OK, f"data source {source.name} points to {source.url}", source.where)]


def _span(span: timedelta) -> str:
    seconds = span.total_seconds()
    if seconds >= 120 and seconds % 60 == 0:
        return f"{seconds / 60:g}m"
    return f"{round(seconds, 3):g}s"
