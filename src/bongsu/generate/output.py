"""Every file that ``bongsu generate`` writes, and what each one's header says."""

from __future__ import annotations

from importlib import resources

from bongsu.core.errors import BongsuError
from bongsu.generate import alertmanager, grafana, prometheus
from bongsu.generate.alerts import alerts_of
from bongsu.generate.contacts import delivery
from bongsu.generate.files import Document, document
from bongsu.generate.recording import missing
from bongsu.generate.setup import Setup, duration, refuse_unfit_names

DASHBOARDS = ("bongsu-itself", "burst-credits", "service-in-trouble")
_ON_CALL = (
    "On-call: this file cannot take turns, so a rotation means everybody in it. Bongsu itself writes only to whoever",
    "has the turn.",
)
_RULES = (
    "",
    "Recorded, for each machine:",
    "  bongsu:signal             a signal by its name in bongsu_signal; nothing where it is missing",
    "  bongsu:vcpus, bongsu:baseline, bongsu:credits_cap   what the catalogue says of the machine's type",
    "  bongsu:credits_estimate   credits integrated from the CPU, where nobody tells the balance",
    "  bongsu:runway_seconds     how long the credits last at 100 % CPU",
    "  bongsu:flat               1 on the flat line: credits gone, CPU held at the baseline",
    "  bongsu:over               1 for a sample in breach, 0 for one that is not",
    "  bongsu:breach_since       when the running breach began; dips shorter than `settle` do not end it",
    "  bongsu:breach_seconds     how long it has lasted",
    "Bongsu's own clock is for the whole service and adds up breaches within `rejoin`; this one is for each machine",
    "and does not. Prometheus cannot know which machines are in the balancer: a boot may reach the ceiling here.",
)


def documents(setup: Setup, mails: bool) -> tuple[list[Document], list[str]]:
    """The files, and notices about what is not in them. Raises InvalidInput when nobody could be told."""
    refuse_unfit_names(setup.config)
    notices = [notice for service in setup.services for notice in missing(service)]
    alerts = [(service, alert) for service in setup.services for alert in alerts_of(service, setup)]
    contacts, unreached = delivery(setup, alerts)
    when = (
        "The rules mail always."
        if mails
        else f"The rules mail only while Bongsu's heartbeat is missing: none seen for {duration(setup.heartbeat_age)}."
    )
    provisioning = "grafana/provisioning"
    made = [
        document(
            "prometheus/prometheus.yml",
            ("Prometheus: what to scrape. Alerts go to Bongsu, which joins them to its own incidents.",),
            prometheus.server(setup),
        ),
        document(
            "prometheus/rules/bongsu.yml",
            ("Prometheus: recording and alerting rules of the policies.", *_RULES),
            prometheus.rules(setup),
        ),
        document(
            "alertmanager/alertmanager.yml",
            (
                "Alertmanager, for a team that keeps its own: every tier by e-mail, whether Bongsu runs or not.",
                *_ON_CALL,
            ),
            alertmanager.configuration(setup, contacts),
        ),
        document(
            f"{provisioning}/datasources/bongsu.yaml",
            ("Grafana: the data source that dashboards and rules refer to.",),
            grafana.datasource(setup),
        ),
        document(
            f"{provisioning}/dashboards/bongsu.yaml",
            (f"Grafana: mount grafana/dashboards at {grafana.DASHBOARDS}.",),
            grafana.dashboard_provider(),
        ),
        document(
            f"{provisioning}/alerting/bongsu.yaml",
            (
                "Grafana: alert rules, contact points and notification policies.",
                when,
                "The policies replace the whole tree of this organisation. Rules read what rules/bongsu.yml records.",
                *_ON_CALL,
            ),
            grafana.alerting(setup, contacts, mails),
        ),
    ]
    return [*made, *_dashboards(setup.config.grafana.locale)], notices + unreached


def _dashboards(locale: str) -> list[Document]:
    folder = resources.files("bongsu.generate").joinpath("dashboards", locale)
    made = []
    for name in DASHBOARDS:
        file = folder.joinpath(f"{name}.json")
        if not file.is_file():
            raise BongsuError(f"the dashboard {locale}/{name}.json is not in this installation; install Bongsu again")
        made.append(Document(f"grafana/dashboards/{name}.json", file.read_text(encoding="utf-8"), sealed=False))
    return made
