"""The five questions of ``bongsu init``, in their order: each proposes what the answers before it made visible."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape

from bongsu.adapters.clock import SystemClock
from bongsu.adapters.prometheus_status import PrometheusStatus
from bongsu.catalogue import load_catalogue
from bongsu.cli import surroundings
from bongsu.cli.asking import Asker
from bongsu.cli.surroundings import Job, Lab
from bongsu.config import LOCALES
from bongsu.config.checks import address_fault, zone_fault
from bongsu.core import setup as answers
from bongsu.core.burst import MachineType
from bongsu.core.errors import InvalidInput
from bongsu.core.setup import Contact, Relay, Setup
from bongsu.ports import Unavailable
from bongsu.profiles import shipped

_ESSENTIAL = ("cpu", "balance")
_SCRAPE = timedelta(seconds=5)
_LISTED = 8


@dataclass(frozen=True, slots=True)
class Given:
    """The flags; None was not given."""

    prometheus: str | None
    job: str | None
    service: str | None
    profile: str | None
    machine: str | None
    on_call: list[str] | None
    team: str | None
    upper_team: str | None
    relay: str | None
    mail_from: str | None
    mail_user: str | None
    mail_password_file: Path | None
    public_url: str | None
    locale: str | None
    time_zone: str | None
    state: Path
    offline: bool


def interview(given: Given, console: Console, *, accept: bool) -> tuple[Setup, Asker]:
    """Everything the file needs, asked or given. Raises InvalidInput that names all that is missing."""
    asker = Asker(console, accept)
    lab = None if given.offline else surroundings.running_lab()
    status = _prometheus(asker, given, lab)
    lab = lab if lab is not None and status is not None and status.where == lab.prometheus else None
    job, name = _job(asker, given, status)
    machine = _machine(asker, given, status, job, lab)
    people = _people(asker, given)
    relay = _relay(asker, given, lab, people[0] if people else ())
    locale = asker.ask("--locale", "Language", _locale, given=given.locale or surroundings.own_locale())
    time_zone = asker.ask("--time-zone", "Time zone", _zone, given=given.time_zone or surroundings.own_zone())
    profile = _profile(asker, given, job)
    asker.settle()
    assert name is not None
    assert machine is not None
    assert people is not None
    assert relay is not None
    on_call, team, upper = people
    server, sender, user, password_file = relay
    interval = job.interval if job is not None else None
    return Setup(
        service=answers.slug(given.service or name, "service"),
        job=name,
        profile=profile,
        machine=machine,
        on_call=on_call,
        team=team,
        upper=upper,
        prometheus=status.where if status is not None else given.prometheus or surroundings.USUAL[0],
        scrape=(interval or _SCRAPE) * (lab.site.speed if lab is not None else 1),
        relay=server,
        sender=sender,
        state=str(given.state),
        begins=SystemClock().now().replace(minute=0, second=0, microsecond=0),
        user=user,
        password_file=password_file,
        locale=locale or "en",
        time_zone=time_zone or "UTC",
        public_url=given.public_url,
        signals=job.signals() if job is not None else None,
        lab=lab.site if lab is not None else None,
    ), asker


def _prometheus(asker: Asker, given: Given, lab: Lab | None) -> PrometheusStatus | None:
    if given.offline:
        return None
    asker.say("[bold]1/5  Prometheus[/bold]  where the samples are")
    found = None if given.prometheus else surroundings.first_answering([lab.prometheus] if lab else [])
    if found is None and not given.prometheus:
        asker.say(f"  none answers at {', '.join(surroundings.USUAL)}")
    if lab is not None and found == lab.prometheus:
        asker.say("  a lab runs here")
    text = "Address of Prometheus"
    return asker.ask("--prometheus", text, surroundings.reach, given=given.prometheus, proposal=found)


def _job(asker: Asker, given: Given, status: PrometheusStatus | None) -> tuple[Job | None, str | None]:
    """The job, None where nobody could be asked about it, and its name."""
    asker.say("\n[bold]2/5  Service[/bold]  the job to watch")
    try:
        there = surroundings.jobs(status) if status is not None else []
    except Unavailable as error:
        raise InvalidInput([str(error)]) from None
    for each in there[:_LISTED] if given.job is None else []:
        fits = f"looks like {each.profile.name}" if each.profile is not None else "metrics of no known kind"
        asker.say(f"  {escape(each.name):<24} {each.answering} of {len(each.targets)} targets answer, {fits}")
    services = [each.name for each in there if each.is_service]
    proposal = services[0] if services and (asker.can_ask or len(services) == 1) else None

    def read(text: str) -> str:
        known = {each.name for each in there}
        if known and text.strip() not in known:
            raise InvalidInput([f"Prometheus has no target of job {text.strip()!r}; it has {', '.join(sorted(known))}"])
        if not text.strip():
            raise InvalidInput(["write the name of the job, as in scrape_configs"])
        return text.strip()

    text = "Prometheus job to watch" + (f" (several look right: {', '.join(services)})" if len(services) > 1 else "")
    name = asker.ask("--job", text if not asker.can_ask else "Job", read, given=given.job, proposal=proposal)
    return next((each for each in there if each.name == name), None), name


def _profile(asker: Asker, given: Given, job: Job | None) -> str:
    if given.profile is not None:
        if given.profile not in shipped():
            asker.problems.append(f"--profile: there is no {given.profile!r}; known: {', '.join(shipped())}")
        return given.profile
    if job is None:
        return "micrometer"
    if job.profile is None:
        asker.console.print(
            f"[yellow]warning[/yellow]  the metrics of job {escape(job.name)} fit no profile; micrometer is written. "
            "bongsu doctor shows what is missing"
        )
        return "micrometer"
    for signal, add in job.missing(*_ESSENTIAL):
        asker.console.print(f"[yellow]warning[/yellow]  job {escape(job.name)} has no {signal}: {escape(add)}")
    return job.profile.name


def _machine(
    asker: Asker, given: Given, status: PrometheusStatus | None, job: Job | None, lab: Lab | None
) -> MachineType | None:
    catalogue = load_catalogue()
    asker.say("\n[bold]3/5  Machine type[/bold]  it decides the baseline and the credits")
    named, vcpus = surroundings.machine_marks(status, job) if status is not None and job is not None else (set(), None)
    if lab is not None:
        named = {lab.machine}
    likely = answers.likely(catalogue, named, vcpus)
    if given.machine is None:
        _list_machines(asker, likely, vcpus, catalogue)
    return asker.ask(
        "--machine",
        "Machine type, or a part of its name to search" if asker.can_ask else "the machine's type, such as t3.small",
        lambda text: answers.machine(text, catalogue, likely),
        given=given.machine,
        proposal=likely[0].key if len(likely) == 1 else None,
    )


def _list_machines(
    asker: Asker, likely: list[MachineType], vcpus: int | None, catalogue: Mapping[str, MachineType]
) -> None:
    if vcpus is not None:
        asker.say(f"  the metrics tell of {vcpus} vCPU{'s' * (vcpus != 1)}")
    if len(likely) < len(catalogue):
        for each in likely[:_LISTED]:
            asker.say(f"  {escape(answers.line(each))}")
        if len(likely) > _LISTED:
            asker.say(f"  ... and {len(likely) - _LISTED} more of that size; all {len(catalogue)} can be searched")


def _people(asker: Asker, given: Given) -> tuple[tuple[Contact, ...], Contact, Contact | None] | None:
    asker.say("\n[bold]4/5  People[/bold]  written as Kim Jimin <jimin@example.com>, or the address alone")
    joined = ",".join(given.on_call) if given.on_call else None
    on_call = asker.ask(
        "--on-call", "Who is on call (several take turns, a comma between them)", _on_call, given=joined
    )
    team = asker.ask(
        "--team", "Owning department, told after 20 minutes (empty: those on call)", _department, given=given.team,
        proposal="",
    ) if given.team is not None or asker.can_ask else None  # fmt: skip
    upper = asker.ask(
        "--upper-team", "Department above it, told after 40 minutes (empty: none)", _department,
        given=given.upper_team, proposal="",
    ) if given.upper_team is not None or asker.can_ask else None  # fmt: skip
    if on_call is None:
        return None
    owning = team or Contact("developers", "Developers", "")
    if upper is not None and upper.key == owning.key:
        upper = Contact(f"{upper.key}-above", upper.name, upper.email)
    return on_call, owning, upper


def _on_call(text: str) -> tuple[Contact, ...]:
    found = answers.contacts([text])
    faults = [fault for each in found if (fault := address_fault(each.email))]
    if faults:
        raise InvalidInput(faults)
    return found


def _department(text: str) -> Contact | None:
    return _on_call(text)[0] if text.strip() else None


def _relay(
    asker: Asker, given: Given, lab: Lab | None, on_call: tuple[Contact, ...]
) -> tuple[Relay, str, str | None, str | None] | None:
    """The relay, the sender, and the log-in if it wants one."""
    asker.say("\n[bold]5/5  Mail[/bold]  the relay that takes mails from this computer")
    text = (
        "Mail relay (host:port; 587 begins with STARTTLS, 465 is TLS)" if asker.can_ask else "the mail relay, host:port"
    )
    server = asker.ask("--relay", text, answers.relay, given=given.relay, proposal=lab.smtp if lab else None)
    sender = given.mail_from
    if on_call or given.mail_from:  # without anybody on call that is what has to be said
        proposal = f"bongsu@{on_call[0].email.rpartition('@')[2]}" if on_call else None
        sent_by = given.mail_from or (None if asker.can_ask else proposal)
        sender = asker.ask("--mail-from", "Sender of the mails", _address, given=sent_by, proposal=proposal)
    user, password_file = given.mail_user, given.mail_password_file
    if asker.can_ask and server is not None and server.tls != "none" and user is None:
        user = str(typer.prompt("User of the relay (empty: none)", default="", show_default=False)).strip() or None
    if user is not None and password_file is None:
        if not asker.can_ask:
            asker.problems.append("--mail-password-file is missing: the file that holds the password of --mail-user")
        else:
            password_file = _password(given.state)
    if server is None or sender is None:
        return None
    return server, sender, user, str(password_file.absolute()) if password_file is not None else None


def _password(state: Path) -> Path:
    """Ask for the relay's password and keep it in a file of its own, readable by nobody else."""
    file = state / "secrets" / "smtp_password"
    word = str(typer.prompt(f"Its password (kept in {file})", hide_input=True))
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as opened:
        opened.write(word + "\n")
    return file


def _address(text: str) -> str:
    fault = address_fault(text.strip())
    if fault is not None:
        raise InvalidInput([fault])
    return text.strip()


def _zone(text: str) -> str:
    fault = zone_fault(text.strip())
    if fault is not None:
        raise InvalidInput([fault])
    return text.strip()


def _locale(text: str) -> str:
    if text not in LOCALES:
        raise InvalidInput([f"{text!r} is not spoken here; use {' or '.join(LOCALES)}"])
    return text
