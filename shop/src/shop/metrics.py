"""Business metrics. Labels have few values: never a user, an order or a product."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge


class BusinessMetrics:
    """Every series exists from the start at 0, so that a rate sees its first event."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.orders = Counter("shop_orders", "Orders by what became of them", ["result"], registry=registry)
        self.order_value = Counter("shop_order_value_won", "Value of paid orders", registry=registry)
        self.payments = Counter(
            "shop_payments",
            "Attempts to pay; refused is the customer's, error ours",
            ["result", "reason"],
            registry=registry,
        )
        self.stock_rejections = Counter(
            "shop_stock_rejections", "Refusals because stock was short", ["where"], registry=registry
        )
        self.charges = Counter("shop_points_charges", "Attempts to charge points", ["result"], registry=registry)
        self.charged = Counter("shop_points_charged_won", "Points charged", registry=registry)
        self.replays = Counter(
            "shop_idempotent_replays", "Repeated requests answered from memory", ["operation"], registry=registry
        )
        self._top_age = Gauge(
            "shop_top_products_age_seconds",
            "Age of the list of top sellers; NaN before it was first asked for",
            registry=registry,
        )
        for result in ("created", "paid", "rejected"):
            self.orders.labels(result)
        for result, reason in (
            ("ok", "none"),
            ("refused", "balance"),
            ("refused", "stock"),
            ("refused", "other"),
            ("error", "internal"),
        ):
            self.payments.labels(result, reason)
        for where in ("order", "payment"):
            self.stock_rejections.labels(where)
        for result in ("ok", "refused", "error"):
            self.charges.labels(result)
        for operation in ("order", "payment", "charge"):
            self.replays.labels(operation)

    def watch_top_age(self, age: Callable[[], float]) -> None:
        """Ask for the age, in seconds, at each scrape."""
        self._top_age.set_function(age)
