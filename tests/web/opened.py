"""The whole application over a story, and browsers and programs of every kind that ask it something."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from litestar import Litestar
from litestar.testing import TestClient

from bongsu.core.access import Access
from bongsu.engine import accounts
from bongsu.testing import World
from bongsu.web.app import create_app

Client = TestClient[Any]
PASSWORD = "correct horse battery"
ROLES = ("viewer", "responder", "admin")


@contextmanager
def opened(world: World, **access: Any) -> Iterator[Client]:
    """A client that follows no redirect. ``access`` as in the configuration; nobody looks without logging in."""
    world.context = replace(world.context, access=Access(**access))
    with TestClient(create_app(world.context)) as client:
        client.follow_redirects = False
        yield client


def application(world: World) -> Litestar:
    """What stands behind the door."""
    found: Any = create_app(world.context)._app
    assert isinstance(found, Litestar)
    return found


def add_users(world: World) -> None:
    """One of each role, named like it."""
    for role in ROLES:
        accounts.add_user(world.context.db, role, role, PASSWORD, world.context.wall.now())


def token(world: World, role: str) -> dict[str, str]:
    """The header of a program with this role."""
    _, secret = accounts.new_token(world.context.db, f"a {role}", role, "test", world.context.wall.now())
    return {"Authorization": f"Bearer {secret}"}


def log_in(client: Client, name: str, password: str = PASSWORD) -> None:
    """Begin a session, whose cookie the client keeps."""
    client.cookies.clear()
    answer = client.post("/login", data={"name": name, "password": password})
    assert answer.status_code == 303, answer.text
    assert "bongsu_session" in client.cookies


def csrf(client: Client) -> str:
    """What the forms of this session carry."""
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', client.get("/account").text)
    assert found
    return found.group(1)
