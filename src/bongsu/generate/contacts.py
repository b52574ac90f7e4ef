"""Who is written to: contact points, and routes from an alert's labels to them, for Grafana and Alertmanager alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bongsu.core.alert import SERVICE_LABEL
from bongsu.core.errors import InvalidInput
from bongsu.core.schedule import Recipient
from bongsu.generate.alerts import TIER_LABEL, Alert
from bongsu.generate.setup import Guarded, Setup
from bongsu.render.words import N_, Words

QUIET_HOURS = "bongsu-quiet-hours"
RESOLVED = N_("[over] ")


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody to write to: the targets of a policy, and every address behind them."""

    name: str
    recipients: tuple[Recipient, ...]


@dataclass(frozen=True, slots=True)
class Route:
    """Alerts of a service's tier go to a contact."""

    service: str
    tier: str
    contact: str

    @property
    def labels(self) -> dict[str, str]:
        """What an alert must carry to take it."""
        return {SERVICE_LABEL: self.service, TIER_LABEL: self.tier}


@dataclass(frozen=True, slots=True)
class Delivery:
    """``root`` takes what no route does."""

    root: Contact
    contacts: tuple[Contact, ...]
    routes: tuple[Route, ...]


def delivery(setup: Setup, alerts: Sequence[tuple[Guarded, Alert]]) -> tuple[Delivery, list[str]]:
    """Contacts and routes for these alerts, and a notice for each target that nobody is behind.

    A target without an address goes up to the next tier, as it does in Bongsu (rule 8). Raises InvalidInput when
    nobody at all has an address.
    """
    notices: list[str] = []
    contacts: dict[str, Contact] = {}
    routes: dict[tuple[str, str], Route] = {}
    for service, alert in alerts:
        contact = _reachable(setup, service, alert.notify, notices)
        contacts[contact.name] = contact
        tier = alert.labels[TIER_LABEL]
        routes.setdefault((service.name, tier), Route(service.name, tier, contact.name))
    root = Contact("bongsu", setup.recipients(setup.everybody()) or next(iter(contacts.values())).recipients)
    return Delivery(root, (root, *contacts.values()), tuple(routes.values())), list(dict.fromkeys(notices))


def _reachable(setup: Setup, service: Guarded, notify: tuple[str, ...], notices: list[str]) -> Contact:
    tiers = [tier.notify for tier in service.policy.tiers]
    above = tiers[tiers.index(notify) + 1 :] if notify in tiers else tiers
    for targets in (notify, *above):
        recipients = setup.recipients(targets)
        if recipients:
            return Contact(" + ".join(targets), recipients)
        notices.append(
            f"policy.{service.policy.name}: {' + '.join(targets) or 'nobody'} has no address, so its alerts go to the "
            "next tier; add contact = [{ email = ... }]"
        )
    raise InvalidInput(
        [f"policy.{service.policy.name}: nobody in any tier has an address; add contact = [{{ email = ... }}]"]
    )


def timing() -> dict[str, object]:
    """How alerts are grouped and repeated: by kind, so that a ceiling never waits for a tier's next interval."""
    return {
        "group_by": [SERVICE_LABEL, "alertname"],
        "group_wait": "10s",
        "group_interval": "1m",
        "repeat_interval": "4h",
    }


def subject(locale: str) -> str:
    """A mail's subject as a Go template: the first alert's summary in the reader's language."""
    key = annotation("summary", locale)
    over = Words(locale).gettext(RESOLVED)
    return (
        f'{{{{ if eq .Status "resolved" }}}}{over}{{{{ end }}}}{{{{ with (index .Alerts 0).Annotations.{key} }}}}'
        "{{ . }}{{ else }}{{ (index .Alerts 0).Labels.alertname }}{{ end }}"
    )


def message(locale: str) -> str:
    """A mail's text as a Go template: what is the matter, what to do first, where to go."""
    summary, steps = annotation("summary", locale), annotation("description", locale)
    return (
        f"{{{{ range .Alerts }}}}{{{{ .Annotations.{summary} }}}}\n\n{{{{ .Annotations.{steps} }}}}\n\n"
        "{{ .Annotations.runbook_url }}\n{{ .Annotations.dashboard }}\n\n{{ end }}"
    )


def annotation(name: str, locale: str) -> str:
    """The annotation that holds a text in a language."""
    return name if locale == "en" else f"{name}_{locale}"


def quiet_intervals(setup: Setup) -> list[dict[str, object]]:
    """The quiet hours as time intervals; one that passes midnight becomes two."""
    times: list[dict[str, str]] = []
    for each in setup.config.grafana.quiet_hours:
        start, _, end = each.partition("-")
        spans = [(start, end)] if start < end else [(start, "24:00"), ("00:00", end)]
        times += [{"start_time": begin, "end_time": until} for begin, until in spans if begin != until]
    return [{"times": times, "location": setup.config.grafana.time_zone}] if times else []
