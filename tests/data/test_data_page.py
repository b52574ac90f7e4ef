"""The page of the data in care: what is damaged, listed and exported; what it could be put right from."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bongsu.adapters.clock import SystemClock
from bongsu.adapters.servicedata import ServiceData
from bongsu.core.access import Right
from bongsu.core.backups import Backup
from bongsu.engine import data as engine
from bongsu.engine import report
from bongsu.engine.context import CareOf
from bongsu.testing import World
from tests.web.opened import opened


def test_the_page_lists_damage_exports_it_and_says_from_where_to_recover(
    world: World, data: ServiceData, backup: Backup, sql: Callable[..., list[Any]]
) -> None:
    world.context = replace(world.context, data={"shop": CareOf(data, None, None, prove=True)}, wall=SystemClock())
    with opened(world, anonymous=Right.VIEWER) as client:
        assert "Not verified yet" in client.get("/data").text
        assert "No backup was proven" in client.get("/data").text
    sql("UPDATE products SET stock = stock + 1, name = '=1+1<b>' WHERE id IN (3, 4)")
    world.cpu(0.42)
    world.advance(minutes=6)
    world.cpu(0.05)
    world.advance(minutes=20)
    incident = world.incident().id
    engine.at_close(world.context)
    data.prove(backup)
    sql("UPDATE products SET stock = stock - 1 WHERE id IN (3, 4)")
    engine._verify(world.context, "shop", world.context.data["shop"])
    with opened(world, anonymous=Right.VIEWER) as client:
        assert f"/data?incident={incident}" in client.get(f"/incidents/{incident}").text
        then = client.get(f"/data?incident={incident}").text
        assert "12 of 13 invariants hold" in then
        assert "stock-is-its-history: 2 damaged rows" in then
        assert "Recovery point" in then
        assert f"/data/shop/damaged.csv?incident={incident}" in then
        assert "13 of 13 invariants hold" in client.get("/data").text
        assert "불변 조건 13개 중 12개가 성립합니다" in client.get(f"/data?incident={incident}&lang=ko").text
        file = client.get(f"/data/shop/damaged.csv?incident={incident}")
        rows = list(csv.DictReader(io.StringIO(file.text)))
        assert {each["key"] for each in rows} == {"id 3", "id 4"}
        assert {each["invariant"] for each in rows} == {"stock-is-its-history"}
        (told,) = client.get("/api/data", params={"incident": incident}).json()
        assert told["proven"] == backup.file
        assert told["check"]["damaged"] == {"stock-is-its-history": 2}
        assert len(told["check"]["listed"][0]["rows"]) == 2
        assert client.get("/data/none/damaged.csv").status_code == 404
    kept = report.draft(world.context, incident).data
    assert kept is not None
    assert (kept.holding, kept.listed) == (12, ())
