"""Links in mails: whose, for what, until when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from itsdangerous import URLSafeTimedSerializer

from bongsu.render import links

KEY, NOW, DAY = b"a key", datetime(2026, 1, 5, 20, 0, tzinfo=UTC), timedelta(days=1)


def test_a_link_says_whose_and_for_what() -> None:
    token = links.sign(KEY, "20260105-2019-k3f9", "person:jimin", NOW)
    assert links.read(KEY, token, DAY, NOW + timedelta(hours=23)) == ("20260105-2019-k3f9", "person:jimin")
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")


def test_the_same_moment_gives_the_same_link() -> None:
    assert links.sign(KEY, "i", "person:jimin", NOW) == links.sign(KEY, "i", "person:jimin", NOW)


@pytest.mark.parametrize("incident_id", ["i", "20260105-2019-k3f9" * 20])
def test_a_link_of_the_library_itself_is_read_as_ours(incident_id: str) -> None:
    """Those in mails of an earlier version are, the long one compressed."""
    theirs = URLSafeTimedSerializer(KEY, salt="bongsu.link", signer_kwargs={"key_derivation": "hmac"})
    now = datetime.now(UTC)  # noqa: TID251 - the library stamps the real time
    token = theirs.dumps([incident_id, "person:지민"])
    assert links.read(KEY, str(token), DAY, now) == (incident_id, "person:지민")
    ours = links.sign(KEY, incident_id, "person:지민", NOW)
    assert theirs.loads(ours) == [incident_id, "person:지민"]


def test_a_link_expires() -> None:
    token = links.sign(KEY, "i", "person:jimin", NOW)
    with pytest.raises(links.Expired, match="too old"):
        links.read(KEY, token, DAY, NOW + DAY + timedelta(seconds=2))


@pytest.mark.parametrize(
    "spoil", [lambda t: t[:-1], lambda t: "x" + t, lambda _: "", lambda _: "a.b.c", lambda t: t + "é"]
)
def test_a_forged_link_is_refused(spoil: Callable[[str], str]) -> None:
    with pytest.raises(links.Forged):
        links.read(KEY, spoil(links.sign(KEY, "i", "person:jimin", NOW)), DAY, NOW)


def test_another_key_makes_another_link() -> None:
    with pytest.raises(links.Forged):
        links.read(b"another", links.sign(KEY, "i", "person:jimin", NOW), DAY, NOW)
