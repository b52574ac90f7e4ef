"""Are users hurt? Requests as they see them, and what the shop sells."""

from __future__ import annotations

from tools.dashboards.model import Line, Panel, Row
from tools.dashboards.promql import (
    OTEL,
    REQUESTS,
    TARGET,
    USERS,
    by_machine,
    first,
    mean,
    most,
    of,
    rate,
    share,
    total,
)

RED, ORANGE = "red", "orange"
# A request may carry a good status and an exception all the same: an answer that broke off while it was written.
_SERVER_ERROR, _BROKEN_OFF = 'status=~"5.."', 'status=~"[23]..",exception!~"|None|none"'


def _requests(*more: str) -> str:
    return rate(f"{REQUESTS}_count", USERS, *more)


_EITHER = f"{_requests(_SERVER_ERROR)} or {_requests(_BROKEN_OFF)}"
_ALL = total(_requests())
_OTEL_ALL = total(rate(f"{OTEL}_count"))
_OTEL_FAILED = total(rate(f"{OTEL}_count", 'http_response_status_code=~"5.."'))
_ROUTE = ("method", "uri")
_NOT_OK = 'result!="ok"'


def quantile(which: float, *by: str) -> str:
    """A quantile of request durations out of the histogram, if there is one; failed requests included."""
    spring = total(rate(f"{REQUESTS}_bucket", USERS), *by, "le")
    otel = total(rate(f"{OTEL}_bucket"), *by, "le")
    ways = [f"histogram_quantile({which}, {each})" for each in (spring, otel)]
    return ways[0] if by else first(*ways)


MEAN = first(mean(REQUESTS, more=(USERS,)), mean(OTEL))
_OPEN = 'bongsu_incident_open{job="bongsu"}'

GLANCE = (
    Panel(
        "Machines that answer",
        "Is every machine there?",
        (
            "Below 100 % a machine does not answer its scrape. Look at *Instance state* below: is it down, or too "
            "starved to answer?"
        ),
        (Line(f"avg(up{{{TARGET}}})", "up"),),
        "percentunit",
        "stat",
        4,
        4,
        ((1, "green"),),
        RED,
    ),
    Panel(
        "Open incidents",
        "Does Bongsu have an open incident?",
        (
            "1 or more: open Bongsu's console and acknowledge, so that the next tier is not called. No value: Bongsu "
            "is not scraped."
        ),
        (Line(f"sum({_OPEN})", "open"),),
        "short",
        "stat",
        4,
        4,
        ((1, RED),),
        decimals=0,
    ),
    Panel(
        "Requests",
        "How much traffic is there?",
        (
            "Twice the usual: find which route rose in *Routes*. Near nothing: users may not reach you at all; look at "
            "the balancer."
        ),
        (Line(first(_ALL, _OTEL_ALL), "requests"),),
        "reqps",
        "stat",
        4,
        4,
    ),
    Panel(
        "Failed",
        "Which share of requests fails?",
        (
            "Status 5xx, and answers that broke off although their status is good. Above 1 %: read the errors of the "
            "worst route; above 5 %: many users are hurt, call for help."
        ),
        (Line(first(share(total(_EITHER), _ALL), share(_OTEL_FAILED, _OTEL_ALL)), "failed"),),
        "percentunit",
        "stat",
        4,
        4,
        ((0.01, ORANGE), (0.05, RED)),
    ),
    Panel(
        "p95 (histogram)",
        "How long do the slowest 5 % wait?",
        (
            "Failed requests included. No value: this service exports no histogram, so that p95 cannot be known; see "
            "the mean beside it. Above 1 s: look at the pool, then at the machine."
        ),
        (Line(quantile(0.95), "p95"),),
        "s",
        "stat",
        4,
        4,
        ((0.5, ORANGE), (1, RED)),
    ),
    Panel(
        "Mean duration",
        "How long does a request take on average?",
        "The one figure every service exports. A mean hides the slow ones: it rises late and little.",
        (Line(MEAN, "mean"),),
        "s",
        "stat",
        4,
        4,
        ((0.3, ORANGE), (0.8, RED)),
    ),
)

BUSINESS = (
    Panel(
        "Orders per minute",
        "Are we still selling?",
        (
            "Created without paid: the payment is broken. Both fall while requests do not: the checkout is broken. All "
            "fall: visitors do not reach us. This is what an incident costs; put it into the report."
        ),
        (Line(f"60 * {total(rate('shop_orders_total'), 'result')}", "{{result}}"),),
    ),
    Panel(
        "Payments that did not work, per minute",
        "Do payments fail, and whose fault is it?",
        (
            "*error* is our fault: read the log now. *refused* is the customer's balance, or stock that ran out, and "
            "is no failure; a sudden rise is still worth a look."
        ),
        (Line(f"60 * {total(rate('shop_payments_total', _NOT_OK), 'result', 'reason')}", "{{result}}: {{reason}}"),),
    ),
    Panel(
        "Value sold per minute",
        "What is a minute of trouble worth?",
        "The difference to the usual at this hour is the loss, before those who come back later.",
        (Line(f"60 * {total(rate('shop_order_value_won_total'))}", "value"),),
        "currencyKRW",
        width=8,
    ),
    Panel(
        "Refused for lack of stock, per minute",
        "Do customers meet empty shelves?",
        "No failure of the machine. A rise after a campaign began: tell the owner of the campaign.",
        (Line(f"60 * {total(rate('shop_stock_rejections_total'), 'where')}", "{{where}}"),),
        width=8,
    ),
    Panel(
        "Points charged and repeated requests, per minute",
        "Do clients try again because they get no answer?",
        (
            "Repeated requests are answered from memory, nothing is charged twice. Many of them: answers are lost "
            "between us and the client; look at time-outs in the balancer."
        ),
        (
            Line(f"60 * {total(rate('shop_points_charges_total'), 'result')}", "charge {{result}}"),
            Line(
                f"60 * {total(rate('shop_idempotent_replays_total'), 'operation')}",
                "repeated {{operation}}",
            ),
        ),
        width=8,
    ),
    Panel(
        "Age of the list of top sellers",
        "Is what the shop shows out of date?",
        "It is served stale when the database does not answer: above two minutes the refresh fails.",
        (Line(by_machine(of("shop_top_products_age_seconds")), "{{instance}}"),),
        "s",
        width=24,
        height=5,
        steps=((120, ORANGE), (600, RED)),
    ),
)

REQUEST_PANELS = (
    Panel(
        "Requests by outcome",
        "Did traffic rise or fall, and how does it end?",
        (
            "SERVER_ERROR is ours. CLIENT_ERROR is mostly the caller's; a jump of it after a deployment is ours too. "
            "Scrapes and health checks are left out."
        ),
        (
            Line(
                first(total(_requests(), "outcome"), total(rate(f"{OTEL}_count"), "http_response_status_code")),
                "{{outcome}}{{http_response_status_code}}",
            ),
        ),
        "reqps",
        stacked=True,
    ),
    Panel(
        "Share of failed requests",
        "Which failures are there?",
        (
            "5xx: the service says it failed. Broken off: status 2xx with an exception, as when the client left or the "
            "connection broke; counts by status miss these. No line: no requests."
        ),
        (
            Line(first(share(total(_requests(_SERVER_ERROR)), _ALL), share(_OTEL_FAILED, _OTEL_ALL)), "5xx"),
            Line(share(total(_requests(_BROKEN_OFF)), _ALL), "broken off"),
        ),
        "percentunit",
        steps=((0.01, ORANGE), (0.05, RED)),
        least=0,
    ),
    Panel(
        "Durations out of the histogram, failures included",
        "How long do users wait (p50, p95, p99)?",
        (
            "p95 rises long before p50 and long before the CPU looks bad: believe it. Empty: the service has no "
            "histogram; Spring needs management.metrics.distribution.percentiles-histogram.http.server.requests=true. "
            "Then read the panel beside."
        ),
        tuple(Line(quantile(each), f"p{round(each * 100)}") for each in (0.5, 0.95, 0.99)),
        "s",
        steps=((0.5, ORANGE), (1, RED)),
        least=0,
    ),
    Panel(
        "Mean and recent maximum, without a histogram",
        "How long do users wait, as far as every service can tell?",
        (
            "The maximum is of the last two to three minutes: it stays up after the trouble is over, and 0 means idle, "
            "not fast. Mean low and maximum high: few requests hang, often on the pool or on a lock."
        ),
        (
            Line(MEAN, "mean"),
            Line(by_machine(of(f"{REQUESTS}_max", USERS)), "maximum {{instance}}"),
        ),
        "s",
        least=0,
    ),
    Panel(
        "Routes",
        "Which route is hurt, and which one costs most?",
        (
            "Sorted by the time spent on a route in each second: the first row is what the machine works for. High "
            "failures on one route: that code or what it calls. On all routes: the pool or the machine."
        ),
        (
            Line(total(rate(f"{REQUESTS}_sum", USERS), *_ROUTE), "busy", "percentunit"),
            Line(total(_requests(), *_ROUTE), "requests", "reqps"),
            Line(share(total(_EITHER, *_ROUTE), total(_requests(), *_ROUTE)), "failed", "percentunit"),
            Line(mean(REQUESTS, *_ROUTE, more=(USERS,)), "mean", "s"),
            Line(quantile(0.95, *_ROUTE), "p95", "s"),
            Line(most(of(f"{REQUESTS}_max", USERS), *_ROUTE), "maximum", "s"),
        ),
        kind="table",
        width=24,
        height=9,
        rows=(("method", "method"), ("uri", "route")),
        sorted_by="busy",
    ),
)

ROWS = (
    Row("1 Are users hurt?", (*GLANCE, *REQUEST_PANELS)),
    Row("1 Is the shop selling?", BUSINESS),
)
