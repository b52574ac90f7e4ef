"""Errors have stable codes, answers have their documented form, and nobody sees what is somebody else's."""

from __future__ import annotations

import pytest
from customers import change, charge, order, pay, post
from fastapi.testclient import TestClient
from pydantic import BaseModel

from shop import forms
from shop.visits import MOST_BODY_BYTES


def code(answer) -> tuple[int, str]:  # type: ignore[no-untyped-def]
    body = forms.ErrorView.model_validate(answer.json())
    return answer.status_code, body.code


def test_refusals(client: TestClient, database_url: str) -> None:
    mine = order(client, 1, {1: 1}).json()["id"]
    assert code(client.get("/products/4711")) == (404, "P404")
    assert code(order(client, 1, {4711: 1})) == (404, "P404")
    assert code(order(client, 1, {1: 51})) == (409, "P002")
    assert code(order(client, 999, {1: 1})) == (404, "U404")
    assert code(pay(client, 1, 4711)) == (404, "O404")
    assert code(pay(client, 2, mine)) == (404, "O404")
    assert code(client.get(f"/orders/{mine}", headers={"X-User-Id": "2"})) == (404, "O404")
    assert pay(client, 1, mine).status_code == 200
    assert code(pay(client, 1, mine)) == (409, "O002")
    assert code(client.get("/nothing")) == (404, "R404")
    assert code(client.delete("/products/1")) == (405, "R405")
    change(database_url, "UPDATE users SET points = 0 WHERE id = 2")
    assert code(pay(client, 2, order(client, 2, {1: 1}).json()["id"])) == (409, "PAY001")


def test_who_is_not_logged_in_or_somebody_else(client: TestClient) -> None:
    for headers in ({}, {"X-User-Id": ""}, {"X-User-Id": "jimin"}, {"X-User-Id": "-1"}):
        assert code(client.get("/orders", headers=headers)) == (401, "A401")
    assert code(client.get("/users/2/points", headers={"X-User-Id": "1"})) == (403, "A403")
    assert code(post(client, "/users/2/points/charge", {"amount": 5}, user=1)) == (403, "A403")


@pytest.mark.parametrize("path", ["/orders", "/orders/1/payment", "/users/1/points/charge"])
@pytest.mark.parametrize("key", [None, "", "x" * 129])
def test_every_change_needs_a_key(client: TestClient, path: str, key: str | None) -> None:
    body = {"lines": [{"product_id": 1, "quantity": 1}]} if path == "/orders" else {"amount": 5}
    headers = {"X-User-Id": "1"} | ({} if key is None else {"Idempotency-Key": key})
    assert code(client.post(path, json=body, headers=headers)) == (400, "I001")


@pytest.mark.parametrize(
    "body",
    [
        {"lines": []},
        {"lines": [{"product_id": 1, "quantity": 0}]},
        {"lines": [{"product_id": 1, "quantity": 1}, {"product_id": 1, "quantity": 2}]},
        {"lines": [{"product_id": 2**31, "quantity": 1}]},
        {"lines": [{"product_id": 1, "quantity": 1}], "coupon": 5},
        {},
    ],
)
def test_invalid_orders(client: TestClient, body: object) -> None:
    answer = post(client, "/orders", body, user=1)
    assert code(answer) == (400, "V001")
    assert answer.json()["detail"][0]["where"].startswith("body")


def test_invalid_questions(client: TestClient) -> None:
    for path in ("/products?size=101", "/products?sort=mood", "/products/zero", "/products/0", "/products/top?limit=0"):
        assert code(client.get(path)) == (400, "V001"), path
    assert code(charge(client, 1, 0)) == (400, "V001")
    too_much = client.post("/orders", content=b"x" * (MOST_BODY_BYTES + 1), headers={"X-User-Id": "1"})
    assert code(too_much) == (413, "R413")
    endless = client.post("/orders", content=iter([b"x"]), headers={"X-User-Id": "1"})
    assert code(endless) == (411, "R411")


def test_answers_have_their_documented_form(client: TestClient) -> None:
    """Rows go to JSON without passing the models: this is what keeps both together."""
    ordered = order(client, 1, {1: 2, 2: 1})
    mine = ordered.json()["id"]
    paid, charged = pay(client, 1, mine), charge(client, 1, 5)
    me = {"X-User-Id": "1"}
    answers: list[tuple[type[BaseModel], object]] = [
        (forms.OrderView, ordered),
        (forms.PaymentView, paid),
        (forms.ChargeView, charged),
        (forms.ProductPage, client.get("/products")),
        (forms.ProductView, client.get("/products/1")),
        (forms.TopPage, client.get("/products/top")),
        (forms.OrderPage, client.get("/orders", headers=me)),
        (forms.OrderView, client.get(f"/orders/{mine}", headers=me)),
        (forms.PointsView, client.get("/users/1/points", headers=me)),
    ]
    for model, answer in answers:
        assert answer.status_code < 300, answer.text  # type: ignore[attr-defined]
        model.model_validate_json(answer.text, strict=True)  # type: ignore[attr-defined]
    view = forms.OrderView.model_validate(answers[7][1].json())  # type: ignore[attr-defined]
    assert view.total == sum(each.price * each.quantity for each in view.lines)
    assert client.get("/openapi.json").status_code == 200


def test_lists_go_on_where_they_stopped(client: TestClient) -> None:
    made = [order(client, 1, {1: 1}).json()["id"] for _ in range(5)]
    me = {"X-User-Id": "1"}
    first = client.get("/orders?size=3", headers=me).json()
    assert ([each["id"] for each in first["items"]], first["more"]) == (made[:1:-1], True)
    rest = client.get(f"/orders?size=3&before={made[2]}", headers=me).json()
    assert ([each["id"] for each in rest["items"]], rest["more"]) == ([made[1], made[0]], False)
    charge(client, 1, 5)
    ledger = client.get("/users/1/points?size=1", headers=me).json()
    assert ([each["reason"] for each in ledger["ledger"]], ledger["more"]) == (["charge"], True)


def test_health(client: TestClient, database_url: str) -> None:
    assert client.get("/healthz/live").json() == {"status": "UP"}
    assert client.get("/healthz/ready").json() == {"status": "UP"}
    assert client.get("/actuator/health").json() == {"status": "UP"}
    change(database_url, "DELETE FROM schema_versions")
    assert client.get("/healthz/ready").json()["message"].startswith("the tables are at version 0 of ")
    change(database_url, "DROP TABLE schema_versions")
    answer = client.get("/healthz/ready")
    assert (answer.status_code, answer.json()["message"]) == (
        503,
        "the tables are missing: run `python -m shop migrate`",
    )
