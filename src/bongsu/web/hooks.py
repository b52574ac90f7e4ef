"""Webhooks: alerts from whoever cannot speak Alertmanager's API. Each integration has a token of its own.

``POST /api/hooks/NAME`` with ``Authorization: Bearer TOKEN``. Three forms: Alertmanager's webhook (version 4),
Grafana's (the same, with more beside it), and a plain one: ``{"title": "Disk full", "status": "firing"}``.
"""

from __future__ import annotations

import asyncio
import hmac
from datetime import datetime
from typing import Any

import msgspec
from litestar import Request, Router, post
from litestar.datastructures import State
from litestar.exceptions import NotAuthorizedException
from litestar.params import FromPath

from bongsu.core.alert import SERVICE_LABEL, Alert, label_name
from bongsu.core.errors import InvalidInput
from bongsu.engine import intake
from bongsu.engine.context import Context, Integration
from bongsu.web.alertmanager import MANY_ALERTS, UNREADABLE, moment_faults

_Request = Request[Any, Any, Any]


class HookAlert(msgspec.Struct, rename="camel"):
    """One alert in Alertmanager's and Grafana's webhooks; what else they say is let through."""

    labels: dict[str, str]
    status: str = "firing"
    annotations: dict[str, str] = {}
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    generator_url: str = msgspec.field(default="", name="generatorURL")


class Hook(msgspec.Struct):
    """The envelope of both."""

    alerts: list[HookAlert]


class Plain(msgspec.Struct):
    """The plain form. ``key`` tells two troubles of the same title apart; ``status`` is firing or resolved."""

    title: str
    status: str = "firing"
    key: str = ""
    summary: str = ""
    labels: dict[str, str] = {}
    url: str = ""


_HOOK, _PLAIN = msgspec.json.Decoder(Hook), msgspec.json.Decoder(Plain)


@post("/{name:str}", status_code=202, opt={"right": "public"})
async def take_hook(request: _Request, state: State, name: FromPath[str]) -> dict[str, int]:
    """Take alerts in; they are on disk when this answers with how many."""
    context: Context = state.context
    integration = _integration(context, name, request.headers.get("authorization", ""))
    arrived = read_hook(await request.body(), integration, context)
    await asyncio.to_thread(intake.receive, context, arrived)
    return {"alerts": len(arrived)}


def _integration(context: Context, name: str, given: str) -> Integration:
    """The integration, if the token is its own; a stranger does not learn which names there are."""
    found = context.integrations.get(name)
    expected = f"Bearer {found.token}" if found else "Bearer "
    if not hmac.compare_digest(given.encode(), expected.encode()) or found is None:
        raise NotAuthorizedException(
            "send the header Authorization: Bearer TOKEN, from the file integration-NAME of the server's secrets"
        )
    return found


def read_hook(body: bytes, integration: Integration, context: Context) -> list[Alert]:
    """Decode a webhook. Raises InvalidInput with every fault and its place."""
    try:
        if integration.form == "plain":
            plain = _PLAIN.decode(body)
            labels = {"alertname": plain.title, **({"key": plain.key} if plain.key else {}), **plain.labels}
            annotations = {"summary": plain.summary} if plain.summary else {}
            found = [HookAlert(labels, plain.status, annotations, generator_url=plain.url)]
        else:
            found = _HOOK.decode(body).alerts
    except UNREADABLE as error:
        raise InvalidInput([f"the body is not a webhook of the form {integration.form!r}: {error}"]) from None
    problems: list[str] = []
    for number, each in enumerate(found):
        at = "$" if integration.form == "plain" else f"$.alerts[{number}]"
        if each.status not in ("firing", "resolved"):
            problems.append(f"{at}.status: {each.status!r} is neither firing nor resolved")
        if not any(each.labels.values()):
            problems.append(f"{at}.labels: empty; an alert is known by its labels")
        problems += [f"{at}.labels: {key!r} is not a label name" for key in each.labels if not label_name(key)]
        moments = (("startsAt", each.starts_at), ("endsAt", each.ends_at))
        problems += [f"{at}.{key}: {fault}" for key, when in moments for fault in moment_faults(when)]
    if problems:
        raise InvalidInput(problems)
    return [_alert(each, integration, context) for each in found]


def _alert(each: HookAlert, integration: Integration, context: Context) -> Alert:
    """A webhook is not sent again every minute: what fires goes on until it is resolved or the time-out comes."""
    now, scale = context.clock.now(), context.timescale
    labels = {key: value for key, value in each.labels.items() if value}
    if integration.service is not None:
        labels.setdefault(SERVICE_LABEL, integration.service)
    starts = scale.to_service(each.starts_at) if each.starts_at is not None and each.starts_at.year > 1 else now
    ends = now + integration.times_out if each.status == "firing" else now
    return Alert(labels, min(starts, now), ends, each.annotations, each.generator_url)


hooks_router = Router("/api/hooks", route_handlers=[take_hook], request_max_body_size=MANY_ALERTS)
