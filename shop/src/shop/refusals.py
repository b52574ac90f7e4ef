"""What the shop says no to. Codes are stable: clients and dashboards rely on them."""

from __future__ import annotations

from collections.abc import Mapping


class Refusal(Exception):
    """A request that cannot be fulfilled, and why; nothing has been changed. Not a failure of the shop."""

    def __init__(self, status: int, code: str, message: str, detail: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.detail = dict(detail) if detail else None


def out_of_stock(product_id: int, wanted: int, left: int) -> Refusal:
    """P002."""
    detail = {"product_id": product_id, "wanted": wanted, "left": left}
    return Refusal(409, "P002", f"product {product_id} has {left} left", detail)


def no_product(product_id: int) -> Refusal:
    """P404."""
    return Refusal(404, "P404", f"there is no product {product_id}", {"product_id": product_id})


def no_order(order_id: int) -> Refusal:
    """O404; also for an order of somebody else, whose existence is nobody's business."""
    return Refusal(404, "O404", f"you have no order {order_id}", {"order_id": order_id})


def already_paid(order_id: int) -> Refusal:
    """O002."""
    return Refusal(409, "O002", f"order {order_id} is paid already", {"order_id": order_id})


def insufficient_points(needed: int, points: int) -> Refusal:
    """PAY001."""
    detail = {"needed": needed, "points": points}
    return Refusal(409, "PAY001", f"{needed} points are needed, {points} are there", detail)


def no_user(user_id: int) -> Refusal:
    """U404."""
    return Refusal(404, "U404", f"there is no user {user_id}", {"user_id": user_id})


def not_logged_in() -> Refusal:
    """A401."""
    return Refusal(401, "A401", "log in first: the header X-User-Id is missing or not a number")


def somebody_else(user_id: int) -> Refusal:
    """A403."""
    return Refusal(403, "A403", f"user {user_id} is not you", {"user_id": user_id})


def key_missing() -> Refusal:
    """I001."""
    return Refusal(400, "I001", "send the header Idempotency-Key, 1 to 128 characters, anew for each new wish")


def key_reused() -> Refusal:
    """I002."""
    return Refusal(422, "I002", "this Idempotency-Key was used for another request: take a new one")


def in_progress() -> Refusal:
    """I003."""
    return Refusal(409, "I003", "the same request is being worked on: ask again in a moment")
