"""Logging in and out on a virtual clock: sessions that end, guessers who wait, the first admin, passwords."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from bongsu.core.access import PER_ADDRESS, PER_USER, Via
from bongsu.engine import accounts
from bongsu.engine.tries import Failures, TooManyTries
from bongsu.store import audit
from bongsu.testing import World
from bongsu.web.login import local
from tests.web.opened import PASSWORD, Client, add_users, csrf, log_in, opened

NEW = "another good password"


@pytest.fixture
def client(world: World) -> Iterator[Client]:
    add_users(world)
    with opened(world) as found:
        yield found


def test_a_page_asks_for_a_log_in_and_comes_back(client: Client) -> None:
    answer = client.get("/deliveries?status=pending")
    assert answer.headers["location"] == "/login?next=%2Fdeliveries%3Fstatus%3Dpending"
    form = client.get(answer.headers["location"]).text
    assert 'value="/deliveries?status=pending"' in form
    begun = client.post("/login", data={"name": "viewer", "password": PASSWORD, "next": "/deliveries?status=pending"})
    assert (begun.status_code, begun.headers["location"]) == (303, "/deliveries?status=pending")
    cookie = begun.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie
    page = client.get("/deliveries").text
    assert '<a href="/account">viewer</a>' in page
    assert 'href="/audit"' not in page
    assert client.get("/login?next=/people").headers["location"] == "/people"


def test_behind_tls_the_cookie_is_for_tls_alone(world: World) -> None:
    add_users(world)
    world.context = replace(world.context, public_url="https://bongsu.example.com")
    with opened(world) as client:
        answer = client.post("/login", data={"name": "viewer", "password": PASSWORD})
        assert "Secure" in answer.headers["set-cookie"]


def test_the_navigation_shows_what_one_may_open_and_who_one_is(client: Client) -> None:
    log_in(client, "admin")
    page = client.get("/incidents?lang=ko").text
    for path in ("/oncall", "/people", "/deliveries", "/review", "/settings", "/users", "/audit"):
        assert f'href="{path}?lang=ko"' in page
        assert client.get(path).status_code == 200
    assert "aria-current=page" in page
    client.cookies.clear()
    assert '<nav class="rooms"' not in client.get("/login").text


def test_logging_out_ends_it_on_the_server(client: Client) -> None:
    log_in(client, "viewer")
    kept = dict(client.cookies)
    answer = client.post("/logout", data={"csrf": csrf(client)})
    assert answer.headers["location"] == "/login?note=out"
    assert "You are logged out." in client.get("/login?note=out").text
    client.cookies.update(kept)
    assert client.get("/account").status_code == 302


def test_a_session_ends_when_nobody_uses_it(world: World, client: Client) -> None:
    log_in(client, "viewer")
    for _ in range(3):
        world.clock.advance(timedelta(hours=11))
        assert client.get("/account").status_code == 200
    world.clock.advance(timedelta(hours=12))
    assert client.get("/account").status_code == 302


def test_a_session_ends_after_a_week_of_use(world: World, client: Client) -> None:
    log_in(client, "viewer")
    for _ in range(15):
        world.clock.advance(timedelta(hours=11))
        assert client.get("/account").status_code == 200
    world.clock.advance(timedelta(hours=11))
    assert client.get("/account").status_code == 302


def test_another_password_ends_every_session(client: Client) -> None:
    log_in(client, "viewer")
    elsewhere = dict(client.cookies)
    log_in(client, "viewer")
    form = {"csrf": csrf(client), "present": PASSWORD, "password": NEW, "again": NEW}
    for wrong, said in (
        ({**form, "present": "not it"}, "it is another one"),
        ({**form, "again": "not the same"}, "the two differ"),
        ({**form, "password": "short", "again": "short"}, "has 5 characters"),
    ):
        answer = client.post("/account/password", data=wrong)
        assert (answer.status_code, said in answer.text) == (400, True)
    assert client.post("/account/password", data=form).headers["location"] == "/login?note=changed"
    for cookies in (dict(client.cookies), elsewhere):
        client.cookies.clear()
        client.cookies.update(cookies)
        assert client.get("/account").status_code == 302
    assert client.post("/login", data={"name": "viewer", "password": PASSWORD}).status_code == 401
    log_in(client, "viewer", NEW)


def test_a_role_that_is_taken_away_is_gone_at_once(world: World, client: Client) -> None:
    log_in(client, "responder")
    assert client.get("/account").status_code == 200
    accounts.remove_user(world.context.db, "responder")
    assert client.get("/account").status_code == 302


def test_whoever_guesses_waits_and_the_wait_ends(world: World, client: Client) -> None:
    for _ in range(PER_USER.most):
        answer = client.post("/login", data={"name": "viewer", "password": "wrong"})
        assert (answer.status_code, "do not belong together" in answer.text) == (401, True)
        world.clock.advance(timedelta(seconds=10))
    locked = client.post("/login", data={"name": "viewer", "password": PASSWORD})
    assert (locked.status_code, "Too many tries failed. Wait 13 minutes." in locked.text) == (429, True)
    assert int(locked.headers["retry-after"]) == (PER_USER.within - timedelta(seconds=100)).total_seconds()
    log_in(client, "responder")
    world.clock.advance(PER_USER.within - timedelta(seconds=100))
    log_in(client, "viewer")


def test_one_address_that_tries_many_names_waits(world: World, client: Client) -> None:
    for number in range(PER_ADDRESS.most):
        assert client.post("/login", data={"name": f"user{number}", "password": "wrong"}).status_code == 401
    assert client.post("/login", data={"name": "viewer", "password": PASSWORD}).status_code == 429
    world.clock.advance(PER_ADDRESS.within)
    log_in(client, "viewer")


def test_a_flood_of_names_does_not_grow_the_memory(world: World) -> None:
    failures = Failures()
    for number in range(12_000):
        failures.begin(f"user{number}", f"2001:db8:{number:x}::1", world.clock.now())
    assert len(failures._of) <= 10_000


def test_many_tries_at_once_do_not_slip_through(world: World) -> None:
    failures = Failures()
    for _ in range(PER_USER.most):
        failures.begin("viewer", "10.0.0.1", world.clock.now())
    with pytest.raises(TooManyTries):
        failures.begin("viewer", "10.0.0.2", world.clock.now())


def test_an_unknown_name_is_told_nothing_else_than_a_wrong_password(client: Client) -> None:
    known = client.post("/login", data={"name": "viewer", "password": "wrong"})
    unknown = client.post("/login", data={"name": "nobody", "password": "wrong"})
    assert known.status_code == unknown.status_code == 401
    assert known.text.replace("viewer", "nobody") == unknown.text


@pytest.mark.parametrize(
    "path",
    ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "/a\nb", "", "a", "/login",
     "/logout", "/\t/evil.example", "/ /evil.example"],
)  # fmt: skip
def test_logging_in_leads_to_no_other_site(path: str) -> None:
    assert local(path) == "/incidents"
    assert local("/incidents/x?lang=ko") == "/incidents/x?lang=ko"


def test_the_set_up_link_makes_the_first_admin_once(world: World) -> None:
    with opened(world) as client:
        assert "Nobody can log in yet" in client.get("/login").text
        link = accounts.setup_link(world.context.db, "", world.clock.now())
        assert link is not None
        assert "The first admin" in client.get(link).text
        wrong = client.post(link, data={"name": "Sora!", "password": "short", "again": "short"})
        assert (wrong.status_code, wrong.text.count("<li>")) == (400, 2)
        made = client.post(link, data={"name": "sora", "password": PASSWORD, "again": PASSWORD})
        assert (made.status_code, made.headers["location"]) == (303, "/incidents")
        assert client.get("/users").status_code == 200
        for again in (client.get(link), client.post(link, data={"name": "evil", "password": NEW, "again": NEW})):
            assert (again.status_code, "bongsu user setup-link" in again.text) == (410, True)
        [line] = world.context.db.read(lambda tx: audit.newest(tx, 10))
        assert (line.who, line.via, line.what, line.address) == ("sora", Via.LINK, "set_up", "testclient")
