"""In which time zone people read times: the site's, or their own."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from litestar import Litestar
from litestar.datastructures import State
from litestar.testing import TestClient

from bongsu.bootstrap import directory_of
from bongsu.config import load
from bongsu.core.errors import InvalidInput
from bongsu.render import links
from bongsu.testing import PEOPLE, World
from bongsu.web.console import console_router
from bongsu.web.letters import letters_router
from bongsu.web.pages import page_settings
from tests.test_config import GOOD

SEOUL, KOLKATA = ZoneInfo("Asia/Seoul"), ZoneInfo("Asia/Kolkata")


def test_without_a_word_times_are_utc(tmp_path: Path) -> None:
    (tmp_path / "bongsu.toml").write_text(GOOD)
    directory = directory_of(load(tmp_path / "bongsu.toml"))
    assert directory.zone_of("person:jimin") is UTC


def test_a_person_may_live_elsewhere(tmp_path: Path) -> None:
    text = GOOD.replace('name = "Kim Jimin"', 'name = "Kim Jimin"\ntime_zone = "Asia/Kolkata"')
    (tmp_path / "bongsu.toml").write_text(text + '[site]\ntime_zone = "Asia/Seoul"\n')
    directory = directory_of(load(tmp_path / "bongsu.toml"))
    assert directory.zone_of("person:jimin") == KOLKATA
    assert directory.zone_of("team:commerce") == SEOUL
    assert directory.zone_of("person:who-left") == SEOUL


@pytest.mark.parametrize("name", ["KST", "Asia", "../../etc/passwd", "Asia/Seoul ", ""])
def test_a_zone_that_does_not_exist_is_refused(tmp_path: Path, name: str) -> None:
    file = tmp_path / "bongsu.toml"
    file.write_text(GOOD + f'[site]\ntime_zone = "{name}"\n')
    with pytest.raises(InvalidInput, match=r"site.time_zone: there is no .* write a name like Asia/Seoul"):
        load(file)


def test_mails_pages_and_reports_show_it(tmp_path: Path) -> None:
    people = dict(PEOPLE.people)
    people["jimin"] = replace(people["jimin"], zone=KOLKATA)
    directory = replace(PEOPLE, people=people, zone=SEOUL)
    world = World(f"sqlite:///{tmp_path / 'bongsu.db'}", tmp_path, directory=directory)
    world.advance(minutes=5)
    world.cpu(0.6)
    world.advance(minutes=21)
    mails = {str(letter["To"]).split("<")[-1]: letter for letter in world.post.letters}
    text = {to: letter.get_body(("plain",)).get_content() for to, letter in mails.items()}  # type: ignore[union-attr]
    assert "IST" in text["jimin@example.com>"], "Jimin lives in Kolkata"
    assert "KST" in text["commerce@example.com>"], "the department where the site is"
    incident = world.incident().id
    state = State({"context": world.context})
    with TestClient(Litestar([console_router, letters_router], state=state, **page_settings())) as client:
        for page in (f"/incidents/{incident}", f"/incidents/{incident}/report", f"/incidents/{incident}/report.md"):
            shown = client.get(page).text
            assert "05:05" in shown, page  # 20:05 UTC, the next morning in Seoul
            assert "KST" in shown, page
        token = links.sign(world.context.link_key, incident, "person:jimin", world.context.wall.now())
        assert "IST" in client.get(f"/a/{token}").text
    world.close()
