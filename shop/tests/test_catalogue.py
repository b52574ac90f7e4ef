"""Products: the list, one, and the top sellers."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from customers import change, order, pay
from fastapi.testclient import TestClient

from shop.catalogue import TOP_SECONDS, TopSellers
from shop.shop import Shop


def ids(client: TestClient, question: str) -> list[int]:
    return [each["id"] for each in client.get(f"/products?{question}").json()["items"]]


def test_pages(client: TestClient) -> None:
    first = client.get("/products?size=5").json()
    assert ([each["id"] for each in first["items"]], first["more"]) == ([1, 2, 3, 4, 5], True)
    last = client.get("/products?size=5&page=3").json()
    assert ([each["id"] for each in last["items"]], last["more"]) == ([11, 12], False)
    assert client.get("/products?size=5&page=9").json()["items"] == []


def test_sorts_and_filters(client: TestClient, database_url: str) -> None:
    everything = client.get("/products?size=100").json()["items"]
    by_price = sorted(everything, key=lambda each: (each["price"], each["id"]))
    assert ids(client, "sort=price") == [each["id"] for each in by_price]
    assert ids(client, "sort=name") == [each["id"] for each in sorted(everything, key=lambda each: each["name"])]
    assert ids(client, "sort=-price")[0] == max(everything, key=lambda each: each["price"])["id"]
    assert ids(client, "category=tea") == [each["id"] for each in everything if each["category"] == "tea"] != []
    middle = by_price[5]["price"]
    assert set(ids(client, f"min_price={middle}")) == {each["id"] for each in everything if each["price"] >= middle}
    assert set(ids(client, f"max_price={middle}")) == {each["id"] for each in everything if each["price"] <= middle}
    change(database_url, "UPDATE products SET stock = 0, name = '100%% Wool_ly' WHERE id = 3", *())
    assert 3 not in ids(client, "in_stock=true")
    assert ids(client, "q=100%25%20WOOL_") == [3], "percent, underline and case"
    assert ids(client, "q=%25") == [3]


def test_one_has_its_stock(client: TestClient) -> None:
    assert client.get("/products/3").json()["stock"] == 50
    assert client.get("/products/99").json()["code"] == "P404"


def test_top_sellers_count_what_was_paid_in_three_days(client: TestClient, database_url: str) -> None:
    for user, lines, paid in ((1, {1: 2}, True), (2, {2: 9}, False), (3, {3: 5}, True), (4, {1: 1, 3: 1}, True)):
        order_id = order(client, user, lines).json()["id"]
        if paid:
            assert pay(client, user, order_id).status_code == 200
    old = order(client, 5, {4: 20}).json()["id"]
    pay(client, 5, old)
    change(database_url, "UPDATE orders SET paid_at = paid_at - interval '73 hours' WHERE id = %s", old)
    top = client.get("/products/top").json()
    assert [(each["rank"], each["product_id"], each["quantity"]) for each in top["items"]] == [(1, 3, 6), (2, 1, 3)]
    assert top["items"][1]["revenue"] == 3 * client.get("/products/1").json()["price"]
    assert len(client.get("/products/top?limit=1").json()["items"]) == 1


def test_top_sellers_are_kept_and_their_age_is_told(client: TestClient, shop: Shop) -> None:
    now = [100.0]
    top = TopSellers(shop.database, clock=lambda: now[0])
    assert top.age() != top.age(), "NaN before it was asked for"
    before = top.read()
    order_id = order(client, 1, {1: 1}).json()["id"]
    pay(client, 1, order_id)
    now[0] += TOP_SECONDS / 2
    assert top.read() is before
    assert top.age() == TOP_SECONDS / 2
    now[0] += TOP_SECONDS
    assert [each["product_id"] for each in top.read().rows] == [1]
    assert client.get("/products/top").status_code == 200
    assert 0 <= (shop.instrument.registry.get_sample_value("shop_top_products_age_seconds") or 0) < 60


def test_an_old_list_is_better_than_none(client: TestClient, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    top = TopSellers(shop.database, clock=lambda: now[0])

    def fail() -> None:
        raise psycopg.OperationalError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(top, "_ask", fail)
        with pytest.raises(psycopg.OperationalError):
            top.read()
    old = top.read()
    monkeypatch.setattr(top, "_ask", fail)
    now[0] = 60.0
    assert top.read() is old
    assert top.age() == 60.0


def test_one_asks_and_the_others_do_not_wait(client: TestClient, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    top = TopSellers(shop.database, clock=lambda: now[0])
    old = top.read()
    now[0] = 60.0
    asking, enough, asked = threading.Event(), threading.Event(), []
    ask = top._ask

    def slow():  # type: ignore[no-untyped-def]
        asked.append(1)
        asking.set()
        assert enough.wait(20)
        return ask()

    monkeypatch.setattr(top, "_ask", slow)
    with ThreadPoolExecutor(1) as first:
        running = first.submit(top.read)
        assert asking.wait(20)
        assert [top.read() for _ in range(5)] == [old] * 5
        enough.set()
        assert running.result(20) is not old
    assert asked == [1]
