"""What the alerts of generated files say, in every language, with the first steps to take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from bongsu.render.words import N_, Words

VALUE = "@value@"
"""Stands for an alert's own figure, which Prometheus and Grafana write differently."""
MACHINE = "{{ .Labels.instance }}"
_LASTS = f"{{{{ humanizeDuration {VALUE} }}}}"
_SHARE = f"{{{{ humanizePercentage {VALUE} }}}}"


Fill = str | float | timedelta
"""What a text may be filled with: a name, a share (0..1), a span."""


@dataclass(frozen=True, slots=True)
class Text:
    """A summary for the subject line, and what to do first. Both are gettext messages."""

    summary: str
    steps: str


BREACH = Text(
    N_("%(service)s: %(machine)s has been over %(limit)s for %(after)s"),
    N_(
        "First: open the incident and look which requests rose. Then add a machine, or switch off what can wait, "
        "before the credits are gone. The breach has lasted %(lasts)s; dips shorter than %(settle)s are part of it."
    ),
)
CEILING = Text(
    N_("%(service)s: %(machine)s is at its ceiling"),
    N_(
        "CPU at %(share)s: requests are waiting now. First: add a machine or take load away, then look for what raised "
        "the requests."
    ),
)
CREDITS = Text(
    N_("%(service)s: %(machine)s runs out of credits"),
    N_(
        "At 100 %% CPU the credits last %(lasts)s. First: add a machine now; when the credits are gone, CPU is held "
        "down to %(limit)s and the service crawls."
    ),
)
THROTTLED = Text(
    N_("%(service)s: %(machine)s is throttled"),
    N_(
        "The credits are gone and CPU is held at %(limit)s: the graph is flat and looks healthy, the service crawls. "
        "First: add a machine and take this one out of the balancer."
    ),
)
POOL_TIMEOUTS = Text(
    N_("%(service)s: %(machine)s gave up waiting for a database connection"),
    N_(
        "Users see errors. First: look for slow or stuck queries at the database and for connections that are not "
        "given back; a larger pool helps only if the database is idle."
    ),
)
POOL_PENDING = Text(
    N_("%(service)s: requests on %(machine)s wait for a database connection"),
    N_(
        "Threads have waited for %(patience)s without a break. First: look for slow queries and at how long "
        "connections are held."
    ),
)
ERROR_LOGS = Text(
    N_("%(service)s: %(machine)s logs errors"),
    N_("First: read the log of this machine from the last five minutes; look whether a deployment came just before."),
)
INSTANCE_DOWN = Text(
    N_("%(service)s: %(machine)s is down"),
    N_(
        "It has answered no scrape for %(patience)s and sends no samples. First: is the machine running, and does the "
        "balancer send it traffic? Then start it again or replace it."
    ),
)
APPLICATION_DOWN = Text(
    N_("%(service)s: the application on %(machine)s does not answer, the machine does"),
    N_("Its CPU is still seen. First: is the process running, and is it starved? Then read its log and restart it."),
)
BLIND = Text(
    N_("%(service)s: %(machine)s is blind: it answers, but without %(signal)s"),
    N_(
        "A missing figure is not 0: the machine may be in trouble. First: run bongsu doctor against its metrics "
        "address, and look what was deployed last."
    ),
)
NO_TARGETS = Text(
    N_("%(service)s: Prometheus has no target for job %(job)s"),
    N_("Nothing is known of the service. First: look at Status, Targets in Prometheus, and at scrape_configs."),
)
HEARTBEAT = Text(
    N_("Bongsu's heartbeat is missing"),
    N_(
        "Nobody watches by the samples and nobody is told by Bongsu; Grafana mails instead, if it is set up. First: is "
        "Bongsu running (systemctl status bongsu), and does Prometheus reach its /metrics?"
    ),
)
WATCHDOG = Text(
    N_("Prometheus is at work"),
    N_("This alert always fires. Bongsu waits for it, and tells you when it stops: nothing is to be done."),
)
RULES_MISSING = Text(
    N_("Prometheus does not evaluate Bongsu's rules"),
    N_(
        "No alert of Grafana's can fire without them. First: is rules/bongsu.yml below rule_files in prometheus.yml, "
        "and what says promtool check rules?"
    ),
)
PROMETHEUS_DOWN = Text(
    N_("Grafana cannot ask Prometheus"),
    N_("Nobody watches the service from here. First: is Prometheus running, and is its disk full?"),
)


def spoken(text: Text, locale: str, fills: Mapping[str, Fill]) -> tuple[str, str]:
    """A text's two parts in a language; spans and shares in ``fills`` are written as the language writes them."""
    words = Words(locale)
    values = {"machine": MACHINE, "lasts": _LASTS, "share": _SHARE}
    for name, fill in fills.items():
        said = words.duration(fill) if isinstance(fill, timedelta) else fill
        values[name] = words.percent(said) if isinstance(said, float) else said
    return words.gettext(text.summary, **values), words.gettext(text.steps, **values)
