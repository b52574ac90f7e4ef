"""A message of the outbox as a mail: RFC 5322 bytes, the same however often it is tried."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from email.utils import format_datetime

from bongsu.core.delivery import thread_id
from bongsu.core.incident import Kind
from bongsu.render import mime, quiet, situation
from bongsu.render.blanks import Blank, mark
from bongsu.render.particulars import particulars
from bongsu.render.situation import Form, Situation
from bongsu.render.words import Words, clean, environment, spoken, text_of
from bongsu.store.outbox import Message

_LINK = "https://link.invalid/"
"""Stands for the recipient's own link while a body is shared by all who are told the same in the same language."""
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_BY_SITUATION = (Form.OVER, Form.FLAT)

Value = str | float | int | bool | None


@dataclass(frozen=True, slots=True)
class _Said:
    """Everything that a body depends on; hashable, so that bodies can be kept."""

    kind: Kind
    level: int
    service: str
    policy: str
    facts: tuple[tuple[str, Value], ...]
    at: datetime
    locale: str
    zone: tzinfo
    page: str
    linked: bool
    speed: float


@dataclass(frozen=True, slots=True)
class Bodies:
    """A mail's words, with ``_LINK`` where the recipient's own link goes."""

    subject: str
    text: str
    html: str
    brief: str
    alarm: bool


def letter(
    message: Message,
    *,
    sender: str,
    host: str,
    link: str | None,
    page: str,
    speed: float = 1.0,
    zone: tzinfo = UTC,
) -> bytes:
    """The whole mail. ``link``: where this recipient acknowledges; ``page``: the incident on the console.

    ``speed``: how many times as fast as the wall's the service's time runs; ``zone``: in which times are shown.
    """
    said = bodies(message, page=page, linked=link is not None, speed=speed, zone=zone)
    thread = thread_id(message.incident_id, host)
    headers = {
        "From": mime.sent_by(sender),
        "To": mime.mailbox(message.recipient.name, message.recipient.address),
        "Subject": said.subject,
        "Date": format_datetime(message.written_at),
        "Message-ID": message.message_id,
        "In-Reply-To": thread,
        "References": thread,
        "Auto-Submitted": "auto-generated",
        "X-Bongsu-Incident": message.incident_id,
        "X-Bongsu-Kind": message.kind,
    }
    if message.kind == Kind.TIER:
        headers["X-Bongsu-Tier"] = str(message.level)
    own = link or page
    return mime.mail(headers, said.text.replace(_LINK, own), said.html.replace(_LINK, own))


def brief(message: Message, *, link: str | None, page: str, speed: float = 1.0, zone: tzinfo = UTC) -> tuple[str, str]:
    """A title and a few lines, for a chat room: what, since when, what to do first, and where."""
    said = bodies(message, page=page, linked=link is not None, speed=speed, zone=zone)
    return said.subject, "\n".join((said.brief, link if link is not None and said.alarm else page))


def bodies(message: Message, *, page: str, linked: bool, speed: float = 1.0, zone: tzinfo = UTC) -> Bodies:
    """The words of a mail; those of an incident and language are made once for all its recipients."""
    facts = tuple(sorted((key, value) for key, value in message.facts.items()))
    said = _Said(
        kind=Kind(message.kind),
        level=message.level,
        service=text_of(message.facts, "service") or "?",
        policy=text_of(message.facts, "policy"),
        facts=tuple((key, clean(value) if isinstance(value, str) else value) for key, value in facts),
        at=message.decided_at,
        locale=spoken(message.recipient.locale),
        zone=zone,
        page=page,
        linked=linked,
        speed=speed,
    )
    return _bodies(said, clean(message.incident_id))


@functools.lru_cache(maxsize=128)
def _bodies(said: _Said, incident_id: str) -> Bodies:
    w = Words(said.locale, said.zone)
    s = Situation(said.kind, said.level, said.service, said.policy, dict(said.facts), said.at)
    notes, rows = (*quiet.waited(s.facts, w), *situation.notes(s, w)), particulars(s, w)
    alarm = s.kind not in (Kind.RESOLVED, Kind.OVER)
    values = {
        "subject": f"[{s.service}] {situation.subject(s, w)}",
        "incident": incident_id,
        "what": situation.what(s, w),
        "since": situation.since(s, w),
        "first": situation.first(s, w),
        "page": said.page,
        "report": f"{said.page}/report?lang={w.locale}",
        "machine": _plain(text_of(s.facts, "machine"), "INSTANCE"),
    }
    shape = _Shape(
        locale=said.locale,
        since=values["since"] != "",
        notes=len(notes),
        rows=len(rows),
        alarm=alarm,
        linked=said.linked and alarm,
        steps=alarm and s.form in _BY_SITUATION,
        speed=said.speed,
    )
    text, html = _blanks(shape)
    brief = "\n".join(each for each in (values["what"], values["since"], values["first"]) if each)
    values |= {f"note{n}": note for n, note in enumerate(notes)}
    for n, (label, value) in enumerate(rows):
        values[f"label{n}"], values[f"value{n}"] = label, value
    return Bodies(values["subject"], text.filled(values), html.filled(values), brief, alarm)


@dataclass(frozen=True, slots=True)
class _Shape:
    """What decides which parts of the templates a mail has."""

    locale: str
    since: bool
    notes: int
    rows: int
    alarm: bool
    linked: bool
    steps: bool
    speed: float


@functools.lru_cache(maxsize=128)
def _blanks(shape: _Shape) -> tuple[Blank, Blank]:
    """The text and the HTML of a shape."""
    always = ("subject", "incident", "what", "first", "page", "report", "machine")
    values: Mapping[str, object] = {
        **{name: mark(name) for name in always},
        "w": Words(shape.locale),
        "since": mark("since") if shape.since else "",
        "notes": [mark(f"note{n}") for n in range(shape.notes)],
        "rows": [(mark(f"label{n}"), mark(f"value{n}")) for n in range(shape.rows)],
        "alarm": shape.alarm,
        "link": _LINK if shape.linked else None,
        "steps": shape.steps,
        "speed": shape.speed,
    }
    templates = environment(shape.locale)
    text = templates.get_template("mail.txt").render(values)
    return Blank(text, html=False), Blank(templates.get_template("mail.html").render(values), html=True)


def _plain(name: str, otherwise: str) -> str:
    """A name that may stand in a command line, or what stands for it."""
    return name if _PLAIN_NAME.fullmatch(name) else otherwise
