"""What clients send, and what they get: checked on the way in, documentation on the way out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

HIGHEST_ID = 2**31 - 1
HIGHEST_BIG_ID = 2**63 - 1
MOST_LINES, MOST_OF_ONE = 20, 1000
MOST_CHARGED = 10_000_000


class Form(BaseModel):
    """Unknown fields are errors: a misspelt one must not be passed over."""

    model_config = ConfigDict(extra="forbid")


class LineForm(Form):
    """So many of one product."""

    product_id: Annotated[int, Field(ge=1, le=HIGHEST_ID)]
    quantity: Annotated[int, Field(ge=1, le=MOST_OF_ONE)]


class OrderForm(Form):
    """``POST /orders``."""

    lines: Annotated[list[LineForm], Field(min_length=1, max_length=MOST_LINES)]

    @field_validator("lines")
    @classmethod
    def _each_product_once(cls, lines: list[LineForm]) -> list[LineForm]:
        if len({each.product_id for each in lines}) < len(lines):
            raise ValueError("a product appears twice: add its quantities")
        return lines


class ChargeForm(Form):
    """``POST /users/{id}/points/charge``: won."""

    amount: Annotated[int, Field(ge=1, le=MOST_CHARGED)]


class ProductView(Form):
    """One product with its stock; price in won."""

    id: int
    name: str
    category: str
    price: int
    stock: int


class ProductPage(Form):
    """``more``: whether another page follows."""

    items: list[ProductView]
    page: int
    size: int
    more: bool


class TopView(Form):
    """Quantity and revenue (won) paid in the last three days."""

    rank: int
    product_id: int
    name: str
    quantity: int
    revenue: int


class TopPage(Form):
    """``age_seconds``: how old the list is."""

    items: list[TopView]
    age_seconds: float


class LineView(Form):
    """``price``: won for one, when it was ordered."""

    product_id: int
    quantity: int
    price: int


class OrderSummary(Form):
    """``status``: pending or paid."""

    id: int
    status: str
    total: int
    created_at: datetime
    paid_at: datetime | None


class OrderView(OrderSummary):
    """One order with its lines."""

    lines: list[LineView]


class OrderPage(Form):
    """Newest first."""

    items: list[OrderSummary]
    more: bool


class PaymentView(Form):
    """``points``: what is left."""

    order_id: int
    status: str
    total: int
    points: int
    paid_at: datetime


class ChargeView(Form):
    """``points``: the balance after."""

    user_id: int
    points: int
    charged: int


class LedgerEntry(Form):
    """``delta``: what was added (or taken, below zero)."""

    id: int
    delta: int
    points_after: int
    reason: str
    order_id: int | None
    at: datetime


class PointsView(Form):
    """Balance and ledger, newest first."""

    user_id: int
    points: int
    ledger: list[LedgerEntry]
    more: bool


class ErrorView(Form):
    """Every error."""

    code: str
    message: str
    detail: object = None
