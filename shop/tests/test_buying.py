"""Nothing is sold twice, paid twice or lost, however many want it at once."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from customers import change, charge, expect_true_books, order, pay, query
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from shop.shop import Shop


def test_many_buyers_of_a_few_items_sell_exactly_those(client: TestClient, database_url: str, shop: Shop) -> None:
    left, buyers = 7, 24
    change(
        database_url,
        "WITH p AS (UPDATE products SET stock = %s WHERE id = 1) INSERT INTO stock_history "
        "(product_id, delta, stock_after, reason) SELECT id, %s - stock, %s, 'seed' FROM products WHERE id = 1",
        left, left, left,
    )  # fmt: skip
    orders = {user: order(client, user, {1: 1}).json()["id"] for user in range(1, buyers + 1)}
    together = threading.Barrier(buyers)

    def buy(user: int) -> tuple[int, str | None]:
        together.wait()
        answer = pay(client, user, orders[user])
        return answer.status_code, answer.json().get("code")

    with ThreadPoolExecutor(buyers) as people:
        results = Counter(people.map(buy, orders))
    assert results == {(200, None): left, (409, "P002"): buyers - left}
    assert query(database_url, "SELECT stock FROM products WHERE id = 1") == [(0,)]
    assert query(database_url, "SELECT count(*) FROM orders WHERE status = 'paid'") == [(left,)]
    expect_true_books(database_url)
    value = shop.instrument.registry.get_sample_value
    assert value("shop_payments_total", {"result": "ok", "reason": "none"}) == left
    assert value("shop_payments_total", {"result": "refused", "reason": "stock"}) == buyers - left
    assert value("shop_stock_rejections_total", {"where": "payment"}) == buyers - left
    assert value("shop_orders_total", {"result": "paid"}) == left


def test_opposite_baskets_do_not_block_each_other(client: TestClient, database_url: str) -> None:
    baskets = [(1, {1: 1, 2: 1, 3: 1}), (2, {3: 1, 2: 1, 1: 1})] * 8
    orders = [(user, order(client, user, lines).json()["id"]) for user, lines in baskets]
    with ThreadPoolExecutor(16) as people:
        answers = list(people.map(lambda each: pay(client, *each), orders))
    assert [each.status_code for each in answers] == [200] * 16
    expect_true_books(database_url)


def test_the_same_charge_in_parallel_happens_once(client: TestClient, database_url: str, shop: Shop) -> None:
    together = threading.Barrier(12)

    def once_more(_: int) -> tuple[int, object, str | None]:
        together.wait()
        answer = charge(client, 3, 500, key="the same")
        body = answer.json()
        return answer.status_code, body.get("points") or body["code"], answer.headers.get("Idempotent-Replay")

    before = query(database_url, "SELECT points FROM users WHERE id = 3")[0][0]
    with ThreadPoolExecutor(12) as tries:
        results = Counter(tries.map(once_more, range(12)))
    done = (200, before + 500)
    assert results[(*done, None)] == 1, "one did it"
    assert set(results) <= {(*done, None), (*done, "true"), (409, "I003", None)}, "the others heard so, or to wait"
    assert charge(client, 3, 500, key="the same").json()["points"] == before + 500
    assert query(database_url, "SELECT count(*) FROM point_ledger WHERE user_id = 3 AND reason = 'charge'") == [(1,)]
    expect_true_books(database_url)


def test_the_same_payment_in_parallel_with_different_keys_happens_once(client: TestClient, database_url: str) -> None:
    order_id = order(client, 4, {2: 3}).json()["id"]
    with ThreadPoolExecutor(8) as tries:
        answers = list(tries.map(lambda _: pay(client, 4, order_id), range(8)))
    assert Counter((each.status_code, each.json().get("code")) for each in answers) == {
        (200, None): 1,
        (409, "O002"): 7,
    }
    expect_true_books(database_url)


def test_a_key_stands_for_one_request(client: TestClient) -> None:
    first = order(client, 5, {1: 1}, key="k")
    again = order(client, 5, {1: 1}, key="k")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.text == again.text
    assert again.headers["Idempotent-Replay"] == "true"
    for other in (order(client, 5, {1: 2}, key="k"), charge(client, 5, 1, key="k")):
        assert (other.status_code, other.json()["code"]) == (422, "I002")
    assert order(client, 6, {1: 1}, key="k").json()["id"] != first.json()["id"], "another user's key is another key"


def test_a_request_under_way_is_not_begun_again(client: TestClient, shop: Shop) -> None:
    from shop.database import Session
    from shop.idempotency import Answer, once, wish

    working, enough = threading.Event(), threading.Event()

    def slow(_: Session) -> Answer:
        working.set()
        assert enough.wait(20)
        return Answer(200, "{}")

    with ThreadPoolExecutor(1) as first:
        running = first.submit(once, shop.database, wish(7, "k", "charge", {"amount": 5}), slow)
        assert working.wait(20)
        second = charge(client, 7, 5, key="k")
        enough.set()
        assert running.result(20).status == 200
    assert (second.status_code, second.json()["code"]) == (409, "I003")


def test_a_refusal_may_be_tried_again_with_the_same_key(client: TestClient, database_url: str) -> None:
    order_id = order(client, 8, {1: 1}).json()["id"]
    change(
        database_url,
        "WITH u AS (UPDATE users SET points = 0 WHERE id = 8) INSERT INTO point_ledger "
        "(user_id, delta, points_after, reason) SELECT id, -points, 0, 'seed' FROM users WHERE id = 8",
    )
    refused = pay(client, 8, order_id, key="k")
    assert (refused.status_code, refused.json()["code"]) == (409, "PAY001")
    assert query(database_url, "SELECT stock FROM products WHERE id = 1") == [(50,)]
    assert charge(client, 8, 10_000_000).status_code == 200
    assert pay(client, 8, order_id, key="k").status_code == 200
    expect_true_books(database_url)


_steps = st.lists(
    st.one_of(
        st.tuples(st.just("order"), st.integers(1, 4), st.integers(1, 14), st.integers(1, 30)),
        st.tuples(st.just("pay"), st.integers(1, 4), st.integers(0, 5), st.just(0)),
        st.tuples(st.just("charge"), st.integers(1, 4), st.integers(1, 1000), st.just(0)),
    ),
    min_size=4,
    max_size=16,
)


@hypothesis_settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
@given(steps=_steps)
def test_the_books_are_true_whatever_was_done(client: TestClient, database_url: str, steps: list[tuple]) -> None:  # type: ignore[type-arg]
    made: list[tuple[int, int]] = []
    with ThreadPoolExecutor(4) as people:
        running = []
        for what, user, number, quantity in steps:
            if what == "order":
                answer = order(client, user, {number: quantity})
                if answer.status_code == 201:
                    made.append((user, answer.json()["id"]))
                else:
                    assert answer.json()["code"] in {"P002", "P404"}
            elif what == "charge":
                running.append(people.submit(charge, client, user, number))
            elif made:
                owner, order_id = made[number % len(made)]
                running.append(people.submit(pay, client, owner, order_id))
        answers = [each.result() for each in running]
    assert {each.status_code for each in answers} <= {200, 409}
    expect_true_books(database_url)
