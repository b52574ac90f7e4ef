"""What the doctor looks at, and in which order: a target, a Prometheus, a Grafana."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from urllib.parse import urlsplit, urlunsplit

from bongsu.adapters import exposition
from bongsu.adapters.exposition import NotMetrics
from bongsu.adapters.fetch import address, shown
from bongsu.adapters.grafana import data_sources
from bongsu.adapters.prometheus_status import PrometheusStatus
from bongsu.config import Config, Service, profiles_of
from bongsu.core import checkup, scraping
from bongsu.core.checkup import Finding, Level, Page, Presence, Standing
from bongsu.core.errors import InvalidInput
from bongsu.core.profile import Profile, Reading
from bongsu.core.scraping import DataSource, Target, Watched
from bongsu.ports import Clock, Unavailable

_PROBE = 3.0  # seconds for each of the usual paths
_OF_TRAFFIC = ("latency", "pool_acquire")
"""Signals that are a mean over something that happens: without it they have no value, and nothing is wrong."""
_MOST_PROBED = 3  # targets whose right path is looked for


@dataclass(slots=True)
class Section:
    """The signals of one page or job."""

    title: str
    job: str
    profile: Profile
    standings: tuple[Standing, ...]


@dataclass(slots=True)
class Examination:
    """Everything found. ``kind`` is what the address turned out to be: target or prometheus."""

    kind: str
    url: str
    sections: list[Section] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def healthy(self) -> bool:
        """Whether nothing keeps Bongsu from seeing."""
        return not any(finding.level is Level.ERROR for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Doctor:
    """Knows the configuration (None when there is no file) and the time."""

    config: Config | None
    clock: Clock

    def look(self, url: str | None, prometheus: str | None, grafana: Sequence[str]) -> Examination:
        """Examine an address, or what the configuration names. Raises InvalidInput when there is nothing to examine."""
        contained: bool | None = None
        if url is None:
            assert self.config is not None
            prometheus = prometheus or self.config.prometheus.url
            found = Examination("prometheus", shown(address(prometheus)))
        else:
            url = address(url)
            status = self._prometheus_at(url)
            found = Examination("target" if status is None else "prometheus", shown(url))
            if status is None:
                self._target(url, found)
            else:
                prometheus = prometheus or url
        if prometheus is not None:
            try:
                contained = self._prometheus(PrometheusStatus(address(prometheus), self.clock), found)
            except Unavailable as error:
                raise InvalidInput([str(error)]) from None
        for place in grafana:
            found.findings += _grafana(place, contained)
        if self.config is not None and not scraping.is_loopback(self.config.grafana.url):
            ours = DataSource("of bongsu generate", self.config.grafana.prometheus_url, "grafana.prometheus_url")
            found.findings += scraping.of_source(ours, contained)
        return found

    def _prometheus_at(self, url: str) -> PrometheusStatus | None:
        """The Prometheus at this address; None when it is something else. A page of metrics has a path."""
        if urlsplit(url).path not in ("", "/"):
            try:
                exposition.examine(url)
            except NotMetrics:
                pass
            except Unavailable as error:
                raise InvalidInput([str(error)]) from None
            else:
                return None
        status = PrometheusStatus(url, self.clock)
        try:
            status.ahead()
        except Unavailable:
            return None
        return status

    def _profiles(self) -> Mapping[str, Profile]:
        return profiles_of(self.config or Config())

    def _target(self, url: str, found: Examination) -> None:
        """A page of metrics: here, or at one of the usual paths."""
        page = self._page(url, found)
        found.findings += checkup.of_page(page)
        profile, said = checkup.of_profile(page.url, self._profiles().values(), page.names, None)
        found.findings += said
        if profile is not None:
            found.sections.append(
                Section(page.url, "", profile, checkup.standings(profile, page.names, page.unusable()))
            )

    def _page(self, url: str, found: Examination) -> Page:
        try:
            return exposition.examine(url)
        except Unavailable as error:
            raise InvalidInput([str(error)]) from None
        except NotMetrics as error:
            page = elsewhere(url)
            if page is None:
                tried = ", ".join(scraping.USUAL_PATHS)
                raise InvalidInput([f"{error}. Neither is there a Prometheus, nor metrics at {tried}"]) from None
            if urlsplit(url).path in ("", "/"):
                found.findings.append(Finding(Level.OK, f"its metrics are at {urlsplit(page.url).path}", page.url))
            else:
                do = f"set metrics_path: {urlsplit(page.url).path}"
                found.findings.append(Finding(Level.ERROR, f"wrong metrics path: {error}", shown(url), do))
            return page

    def _prometheus(self, status: PrometheusStatus, found: Examination) -> bool | None:
        """A Prometheus: its clock, targets, intervals, jobs, and the signals of each job. Whether it is contained."""
        ahead = status.ahead()
        say = found.findings
        say.append(Finding(Level.OK, f"Prometheus {status.version()}".strip(), status.where))
        say += scraping.of_skew(ahead, status.where)
        contained, targets = status.contained(), status.targets()
        say += scraping.of_targets(targets, contained)
        say += _right_paths(targets)
        if found.kind == "target":
            say.append(scraping.of_scraping(urlsplit(found.url).netloc, targets))
        services = self.config.service if self.config is not None else {}
        wanted = {each.job: f"service.{name}.job" for name, each in services.items()}
        configured = dict.fromkeys(status.jobs() or (), "scrape_configs")
        if not wanted and "application" in configured:
            wanted = {"application": configured["application"]}
        say += scraping.of_jobs(wanted, targets)
        others = {job: where for job, where in configured.items() if job not in wanted}
        say += scraping.of_jobs(others, targets, Level.WARNING)
        if services:
            for name, service in services.items():
                self._job(status, f"service {name}", service.job, targets, found, service)
        else:
            for job in sorted({target.job for target in targets if target.health == "up"}):
                self._job(status, f"job {job}", job, targets, found, None)
        say += scraping.of_intervals(targets, self._watched(found.sections))
        return contained

    def _watched(self, sections: Sequence[Section]) -> list[Watched]:
        if self.config is None or not self.config.service:
            return [Watched("the usual tiers", section.job) for section in sections]
        watched = []
        for name, service in self.config.service.items():
            policy = self.config.policy[service.policy]
            spans = [policy.settle, *(tier.after for tier in policy.tier)]
            tightest = min((each for each in spans if each > timedelta(0)), default=timedelta(minutes=2))
            scrape, speed = self.config.prometheus.scrape, self.config.timescale.speed
            watched.append(Watched(f"service.{name}", service.job, tightest, scrape, speed))
        return watched

    def _job(
        self,
        status: PrometheusStatus,
        title: str,
        job: str,
        targets: Sequence[Target],
        found: Examination,
        service: Service | None,
    ) -> None:
        """The signals of one job. A configured service must have them; any other job may be of no profile."""
        names = status.names(job)
        if not names:
            return  # what is to be said of its targets has been said
        profiles = self._profiles()
        chosen = profiles[service.profile] if service is not None else None
        profile, said = checkup.of_profile(title, profiles.values(), names, chosen)
        if profile is None:
            said = [Finding(Level.OK, f"{len(names)} metrics of no known profile", title)]
        found.findings += said
        for label, values in sorted(status.labels(job).items()):
            found.findings += checkup.of_label(label, values, title)
        if profile is not None:
            own = service.signals if service is not None else {}
            interval = max((each.interval for each in targets if each.job == job and each.interval), default=None)
            window = f"{max(4, 4 * (interval or timedelta(seconds=15)).total_seconds()):.0f}s"
            rows = _with_own(checkup.standings(profile, names), own)
            asked = tuple(_now(each, status, job, window) for each in rows)
            found.sections.append(Section(title, job, profile, asked))


def elsewhere(url: str) -> Page | None:
    """The page of metrics at one of the usual paths of the same host; None when there is none."""
    parts = urlsplit(url)
    for path in scraping.USUAL_PATHS:
        if path == parts.path:
            continue
        try:
            return exposition.examine(urlunsplit((parts.scheme, parts.netloc, path, "", "")), _PROBE)
        except NotMetrics:
            continue
        except Unavailable:
            return None
    return None


def _right_paths(targets: Sequence[Target]) -> list[Finding]:
    """Where the metrics are of targets that answer, but not with metrics."""
    found = []
    asked = [each for each in targets if each.health == "down" and "404" in each.error and each.url]
    for target in asked[:_MOST_PROBED]:
        page = elsewhere(target.url)
        if page is not None:
            path = urlsplit(page.url).path
            what = f"target {target.instance} has metrics at {path}"
            found.append(Finding(Level.WARNING, what, f"job {target.job}", f"set metrics_path: {path}"))
    return found


def _with_own(rows: Sequence[Standing], own: Mapping[str, str]) -> list[Standing]:
    """A service's own queries in place of the profile's, or after them."""
    mine = {
        name: Standing(name, Presence.THERE, "your own query", "", Reading(query, ())) for name, query in own.items()
    }
    return [mine.pop(row.signal, row) for row in rows] + list(mine.values())


def _now(row: Standing, status: PrometheusStatus, job: str, window: str) -> Standing:
    """A signal with the number of series that its query gives at this moment."""
    if row.reading is None:
        return row
    try:
        values = [value for _, value in status.values(row.reading.fill(job, window))]
    except Unavailable as error:
        return replace(row, presence=Presence.MISSING, how=f"the query fails: {error}")
    usable = [value for value in values if value >= 0]
    if not usable and row.signal not in _OF_TRAFFIC:
        why = "only negative values" if values else "its query gives nothing now"
        return replace(row, presence=Presence.MISSING, how=why, series=0)
    return replace(row, series=len(usable))


def _grafana(place: str, contained: bool | None) -> list[Finding]:
    import os

    try:
        sources = data_sources(place, os.environ.get("GRAFANA_TOKEN"))
    except Unavailable as error:
        return [Finding(Level.ERROR, str(error), "Grafana", "check the address, or name the provisioning file")]
    if not sources:
        return [Finding(Level.WARNING, "Grafana has no Prometheus data source", place, "bongsu generate writes one")]
    return [finding for source in sources for finding in scraping.of_source(source, contained)]
