"""Every route of the application, asked by everybody: a stranger, each role, and a token that is none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from bongsu.core.access import Access, Right
from bongsu.testing import World
from bongsu.web.rights import needed_right
from tests.web.opened import ROLES, Client, add_users, application, log_in, opened, token

PUBLIC = {
    "GET /a/{token}", "POST /a/{token}", "GET /a/{token}/scale-out", "POST /a/{token}/scale-out",
    "GET /a/{token}/triage", "POST /a/{token}/triage", "GET /c/{token}", "POST /c/{token}",
    "GET /a/{token}/reassign", "POST /a/{token}/reassign", "GET /a/{token}/snooze", "POST /a/{token}/snooze",
    "GET /a/{token}/escalate", "POST /a/{token}/escalate",
    "GET /calendar/{kind}/{file}", "POST /api/hooks/{name}", "GET /login", "POST /login",
    "GET /setup/{secret}", "POST /setup/{secret}", "GET /static/{file_path}", "HEAD /static/{file_path}",
    "GET /heartbeat/{name}", "POST /heartbeat/{name}", "GET /livez", "GET /readyz",
}  # fmt: skip
"""What needs no log-in because something else is asked for: a signed link, a token of its own, a password."""
WITH_SETTINGS = {"POST /api/v2/alerts": "alerts", "GET /healthz": "metrics", "GET /metrics": "metrics"}


@pytest.fixture
def client(world: World) -> Iterator[Client]:
    add_users(world)
    with opened(world) as found:
        yield found


def routes(world: World) -> dict[str, HTTPRouteHandler]:
    """Every handler by its method and path."""
    return {
        f"{method} {route.path_format}": handler
        for route in application(world).routes
        if isinstance(route, HTTPRoute)
        for method, (handler, _) in route.route_handler_map.items()
        if method != "OPTIONS"
    }


def filled(path: str) -> str:
    """A path with something in the place of its values."""
    for name in ("item_id",):
        path = path.replace(f"{{{name}}}", "1")
    return "/".join("x" if part.startswith("{") else part for part in path.split("/"))


def turned_away(client: Client, place: str, **headers: str) -> int:
    """401 or 403 when the guard refuses, 0 when it lets pass."""
    method, path = place.split(" ")
    json: dict[str, str] | None = {} if method in ("POST", "PUT", "DELETE") else None
    answer = client.request(method, filled(path), json=json, headers=headers)
    if answer.status_code == 302 and answer.headers["location"].startswith("/login?next="):
        return 401
    said = answer.text
    if answer.status_code == 401 and ("log in, or send" in said or "this token is not known" in said):
        return 401
    if answer.status_code == 401 and "Log in first" in said:
        return 401
    return 403 if answer.status_code == 403 and "this needs the role" in said else 0


def test_every_handler_says_whom_it_is_for(world: World) -> None:
    silent = [place for place, handler in routes(world).items() if "right" not in handler.opt]
    assert silent == [], "give each opt={'right': ...}; without it only admins may"
    for handler in routes(world).values():
        needed_right(handler.opt["right"], Access())


def test_what_is_public_is_known(world: World) -> None:
    found = routes(world)
    assert {place for place, handler in found.items() if handler.opt["right"] == "public"} == PUBLIC
    named = {place: handler.opt["right"] for place, handler in found.items()}
    assert {place: right for place, right in named.items() if right not in set(Right)} == WITH_SETTINGS


def test_a_stranger_gets_no_further_than_what_is_public(world: World, client: Client) -> None:
    for place, handler in routes(world).items():
        open_to_all = needed_right(handler.opt["right"], Access()) is Right.PUBLIC
        assert turned_away(client, place) == (0 if open_to_all else 401), place


def test_a_foreign_token_opens_nothing(world: World, client: Client) -> None:
    for place, handler in routes(world).items():
        open_to_all = needed_right(handler.opt["right"], Access()) is Right.PUBLIC
        for given in ("Bearer nonsense", "Bearer ", "Basic eDp5", "Basic !", "bearer"):
            if not (open_to_all or given == "bearer"):
                assert turned_away(client, place, Authorization=given) == 401, (place, given)


@pytest.mark.parametrize("role", ROLES)
def test_a_token_opens_what_its_role_may(world: World, client: Client, role: str) -> None:
    headers = token(world, role)
    for place, handler in routes(world).items():
        allowed = Right(role).covers(needed_right(handler.opt["right"], Access()))
        assert turned_away(client, place, **headers) == (0 if allowed else 403), place


@pytest.mark.parametrize("role", ROLES)
def test_a_session_opens_what_its_role_may(world: World, client: Client, role: str) -> None:
    log_in(client, role)
    for place, handler in routes(world).items():
        if place.startswith("GET "):
            allowed = Right(role).covers(needed_right(handler.opt["right"], Access()))
            assert turned_away(client, place) == (0 if allowed else 403), place


def test_a_session_changes_nothing_without_its_forms_secret(world: World, client: Client) -> None:
    log_in(client, "admin")
    for place, handler in routes(world).items():
        method, path = place.split(" ")
        if method in ("POST", "DELETE") and needed_right(handler.opt["right"], Access()) is not Right.PUBLIC:
            for given in ({}, {"x-csrf-token": "guess"}):
                answer = client.request(method, filled(path), headers=given)
                assert (answer.status_code, "older session" in answer.text) == (403, True), place


def test_another_sites_form_is_refused(world: World, client: Client) -> None:
    for path, data in (("/login", {"name": "admin", "password": "x"}), ("/setup/x", {})):
        answer = client.post(path, data=data, headers={"Sec-Fetch-Site": "cross-site"})
        assert (answer.status_code, "not sent from a page" in answer.text) == (403, True)
    log_in(client, "admin")
    answer = client.post("/logout", headers={"Sec-Fetch-Site": "same-site"})
    assert answer.status_code == 403
    assert client.get("/account").status_code == 200


def test_without_logging_in_one_may_look_where_that_is_set(world: World) -> None:
    with opened(world, anonymous=Right.VIEWER) as client:
        for place, handler in routes(world).items():
            allowed = needed_right(handler.opt["right"], Access()) in (Right.PUBLIC, Right.VIEWER)
            if place not in ("GET /account", "POST /account/password"):
                assert turned_away(client, place) == (0 if allowed else 401), place


def test_alerts_and_metrics_need_a_token_where_that_is_set(world: World) -> None:
    sender = "the token of Prometheus"
    with opened(world, alerts_open=False, metrics_open=False, sender_token=sender) as client:
        for place in WITH_SETTINGS:
            assert turned_away(client, place) == 401
        sends = {"Authorization": f"Bearer {sender}"}
        assert turned_away(client, "POST /api/v2/alerts", **sends) == 0
        assert turned_away(client, "POST /api/v2/alerts", **token(world, "viewer")) == 403
        assert turned_away(client, "POST /api/v2/alerts", **token(world, "responder")) == 0
        assert turned_away(client, "GET /metrics", **token(world, "viewer")) == 0
        for place in ("GET /metrics", "GET /api/v2/alerts", "POST /api/v2/silences", "GET /incidents"):
            assert turned_away(client, place, **sends) == 401, "it is good for sending alerts alone"


def test_a_token_that_is_revoked_opens_nothing_at_once(world: World, client: Client) -> None:
    from bongsu.engine import accounts
    from bongsu.store import accounts as kept

    headers = token(world, "admin")
    assert turned_away(client, "GET /audit", **headers) == 0
    [made] = world.context.db.read(kept.every_token)
    assert made.used_at == world.clock.now()
    accounts.revoke_token(world.context.db, made.id, world.clock.now())
    assert turned_away(client, "GET /audit", **headers) == 401


def test_the_token_of_this_computer_is_an_admins(world: World, client: Client) -> None:
    assert turned_away(client, "GET /users", Authorization="Bearer a token for stories") == 0


def test_a_right_that_does_not_exist_is_a_fault() -> None:
    with pytest.raises(ValueError):
        needed_right("viewr", replace(Access()))
