"""Users, tokens, the audit log and the settings: what an admin does, and what is written of everybody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from bongsu.core.access import Via
from bongsu.render import links
from bongsu.store import audit
from bongsu.store.audit import Line
from bongsu.testing import World
from tests.web.opened import PASSWORD, Client, add_users, csrf, log_in, opened, token


@pytest.fixture
def client(world: World) -> Iterator[Client]:
    add_users(world)
    with opened(world) as found:
        yield found


def lines(world: World) -> list[Line]:
    """The audit log but for the log-ins, the oldest first."""
    return [each for each in reversed(world.context.db.read(lambda tx: audit.newest(tx, 100))) if each.what != "log_in"]


def send(client: Client, path: str, **form: str) -> Any:
    return client.post(path, data={"csrf": csrf(client), **form})


def burn(world: World) -> str:
    world.advance(minutes=5)
    world.cpu(0.6)
    world.advance(minutes=6)
    return world.incident().id


def test_an_admin_lets_people_in_and_out(world: World, client: Client) -> None:
    log_in(client, "admin")
    assert send(client, "/users", name="sora", role="viewer", password=PASSWORD).status_code == 303
    wrong = send(client, "/users", name="Sora", role="chief", password="short")
    assert (wrong.status_code, wrong.text.count("<li>")) == (400, 3)
    assert send(client, "/users/sora/role", role="responder").status_code == 303
    assert send(client, "/users/sora/password", password="another good password").status_code == 303
    assert send(client, "/users/sora/remove").status_code == 303
    assert send(client, "/users/sora/remove").status_code == 404
    last = send(client, "/users/admin/remove")
    assert (last.status_code, "last admin" in last.text) == (400, True)
    told = [(each.who, each.via, each.what, each.about) for each in lines(world)]
    assert told == [
        ("admin", Via.SESSION, "add_user", ""), ("admin", Via.SESSION, "change_role", "sora"),
        ("admin", Via.SESSION, "change_password", "sora"), ("admin", Via.SESSION, "remove_user", "sora"),
    ]  # fmt: skip
    assert lines(world)[1].facts == {"role": "responder", "before": "viewer", "after": "responder"}
    assert PASSWORD not in str(lines(world))
    assert "another good" not in str(lines(world))


def test_a_token_is_shown_once_and_revoked(world: World, client: Client) -> None:
    log_in(client, "admin")
    made = send(client, "/tokens", name="pipeline", role="responder").text
    found = re.search(r'class="secret">(bongsu_[^<]+)<', made)
    assert found
    assert found.group(1) not in client.get("/users").text
    bearer = {"Authorization": f"Bearer {found.group(1)}"}
    page = client.get("/users").text
    revoke = re.search(r'action="(/tokens/[0-9a-f]+/revoke)"', page)
    assert revoke
    assert send(client, revoke.group(1)).status_code == 303
    client.cookies.clear()
    assert client.get("/api/incidents", headers=bearer).status_code == 401
    assert found.group(1) not in str(lines(world))


def test_every_way_to_change_something_leaves_a_line(world: World, client: Client) -> None:
    incident = burn(world)
    bearer = token(world, "responder")
    taken = client.post(f"/api/incidents/{incident}/acknowledge", json={"by": "Kim Jimin"}, headers=bearer)
    assert taken.status_code == 200
    link = links.sign(world.context.link_key, incident, "person:jimin", world.clock.now())
    assert client.post(f"/a/{link}/triage", data={"verdict": "urgent", "why": "nobody can pay"}).status_code == 303
    log_in(client, "responder")
    form = {"text": "cache it", "owner": "person:jimin", "due": "2026-02-01"}
    assert send(client, f"/incidents/{incident}/items", **form).status_code == 303
    by_token, by_link, by_page = lines(world)
    assert (by_token.who, by_token.via, by_token.what) == ("a responder", Via.TOKEN, "acknowledge")
    assert (by_token.about, by_token.facts, by_token.address) == (incident, {"by": "Kim Jimin"}, "testclient")
    assert (by_link.who, by_link.via, by_link.what, by_link.about) == ("Kim Jimin", Via.LINK, "triage", incident)
    assert by_link.facts == {"verdict": "urgent", "why": "nobody can pay"}
    assert (by_page.who, by_page.via, by_page.about) == ("responder", Via.SESSION, incident)
    assert by_page.facts == form
    log_in(client, "admin")
    page = client.get("/audit?lang=en").text
    for said in ("nobody can pay", "cache it", incident, "testclient"):
        assert said in page
    assert link not in page


def test_what_is_refused_or_changes_nothing_leaves_no_line(world: World, client: Client) -> None:
    bearer = token(world, "responder")
    client.post("/api/incidents/none/acknowledge", json={}, headers=bearer)
    client.post("/api/incidents/none/acknowledge", json={}, headers=token(world, "viewer"))
    client.post("/api/silences/preview", json={"matchers": ["a=b"]}, headers=bearer)
    client.get("/api/incidents", headers=bearer)
    assert lines(world) == []


def test_a_page_writes_in_the_name_of_whoever_is_logged_in(world: World, client: Client) -> None:
    from bongsu.engine import accounts

    incident = burn(world)
    accounts.add_user(world.context.db, "jimin", "responder", PASSWORD, world.clock.now())
    log_in(client, "jimin")
    assert send(client, f"/incidents/{incident}/report/edit", by="Somebody Else", cause="a sale").status_code == 303
    page = client.get(f"/incidents/{incident}/report/edit?lang=en").text
    assert "1 · Kim Jimin" in page
    assert "Your name" not in page
    assert "장애 보고서" in client.get(f"/incidents/{incident}/report").text, "Jimin reads Korean"


def test_every_form_of_a_session_carries_its_secret(world: World, client: Client) -> None:
    incident = burn(world)
    world.cpu(0.08)
    world.advance(minutes=30)
    log_in(client, "admin")
    secret, seen = csrf(client), 0
    for path in ("/users", "/account", "/review", f"/incidents/{incident}/report/edit"):
        page = client.get(path).text
        for form in re.findall(r'<form method="post".*?</form>', page, re.DOTALL):
            assert f'name="csrf" value="{secret}"' in form, (path, form)
            seen += 1
    assert seen > 8


def test_the_settings_tell_whom_a_policy_tells(client: Client) -> None:
    log_in(client, "viewer")
    page = client.get("/settings?lang=en").text
    for said in ("lightsail:small-2GB", "20 min", "Commerce department", "whoever is on call for shop", "SQLite"):
        assert said in page
    korean = client.get("/settings?lang=ko").text
    assert "설정" in korean
