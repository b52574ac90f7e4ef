"""Burst credits: how many, for how long, and what they would cost."""

from __future__ import annotations

from tools.dashboards.marks import INSTANCE, JOB, MARKS
from tools.dashboards.model import Board, Choice, Line, Panel, Row
from tools.dashboards.promql import BALANCE, BASELINE, CAP, CPU, THROTTLED, VCPUS, by_machine, node, of

RED, ORANGE, GREEN = "red", "orange", "green"
ON = "on (instance)"
_OVER = f"(({CPU}) - {ON} ({BASELINE}))"
_FULL_BURN = f"60 * ({BALANCE}) / {ON} (({VCPUS}) * {ON} (1 - ({BASELINE})))"
RUNWAY = f"{by_machine(of('bongsu:runway_seconds'))} or {_FULL_BURN}"
PRESENT_PACE = f"60 * ({BALANCE}) / {ON} (({VCPUS}) * {ON} ({_OVER} > 0))"
_RUNWAY_STEPS = ((1800, ORANGE), (7200, GREEN))

GLANCE = (
    Panel(
        "Credits left",
        "How full is the emptiest machine?",
        "Share of the cap, of the machine that has least: an average would hide it. Below 10 %: act now.",
        (Line(f"min(({BALANCE}) / {ON} (({CAP}) > 0))", "left"),),
        "percentunit",
        "stat",
        6,
        4,
        ((0.1, ORANGE), (0.3, GREEN)),
        RED,
    ),
    Panel(
        "At full burn they last",
        "How long until the first machine is throttled, at 100 % CPU?",
        "The worst case, and what Bongsu warns by: below 30 minutes there is hardly time to bring in a machine.",
        (Line(f"min({RUNWAY})", "runway"),),
        "s",
        "stat",
        6,
        4,
        _RUNWAY_STEPS,
        RED,
    ),
    Panel(
        "At the present pace they last",
        "How long until the first machine is throttled if nothing changes?",
        "No value is good: no machine is above its baseline, so that nothing is spent.",
        (Line(f"min({PRESENT_PACE})", "runway"),),
        "s",
        "stat",
        6,
        4,
        _RUNWAY_STEPS,
        RED,
    ),
    Panel(
        "Longest breach",
        "For how long has a service been over its baseline?",
        (
            "The longest of all services that Bongsu watches, by the clock of the tiers: 5 minutes call the on-call "
            "developer, 20 the owning department, 40 the upper one "
            "(with the times of your policy)."
        ),
        (Line('max(bongsu_breach_seconds{job="bongsu"})', "breach"),),
        "s",
        "stat",
        6,
        4,
        ((300, ORANGE), (1200, RED)),
    ),
)

COURSE = (
    Panel(
        "CPU against the baseline",
        "Who spends, and how much?",
        (
            "Above its baseline a machine spends credits, below it earns. **Flat on the baseline with a balance of 0: "
            "throttled**, whatever the CPU graph looks like. Shed cron jobs, backups and crawlers first, then add a "
            "machine."
        ),
        (
            Line(CPU, "{{instance}}"),
            Line(f"max({BASELINE})", "baseline"),
        ),
        "percentunit",
        steps=((0.95, RED),),
        least=0,
        most=1,
    ),
    Panel(
        "Balance",
        "How does the balance run?",
        (
            "vCPU-minutes, with the cap and the level that counts as empty (1 % of the cap). What the provider or "
            "the lab tells; where nobody does, Bongsu's rules integrate it from the CPU, which is right from the "
            "first time on that it was full or empty."
        ),
        (
            Line(BALANCE, "{{instance}}"),
            Line(f"max({CAP})", "cap"),
            Line(f"0.01 * max({CAP})", "empty"),
        ),
        least=0,
    ),
    Panel(
        "How long the credits last",
        "When is each machine throttled?",
        (
            "Full burn: at 100 % CPU. Present pace: at the CPU of now; no line while a machine earns. A machine takes "
            "minutes to come up and starts poor: begin while there are 30 minutes left. In the lab an hour passes in a "
            "minute at speed 60."
        ),
        (
            Line(RUNWAY, "full burn {{instance}}"),
            Line(PRESENT_PACE, "present pace {{instance}}"),
        ),
        "s",
        steps=_RUNWAY_STEPS,
        calm=RED,
        least=0,
    ),
    Panel(
        "Credits earned and spent per hour",
        "Does the account go up or down?",
        (
            "Below 0 it is spent. After a campaign it must be above 0 for long enough: a full balance takes a day at "
            "rest."
        ),
        (Line(f"-60 * ({VCPUS}) * {ON} {_OVER}", "{{instance}}"),),
        steps=((0, GREEN),),
        calm=RED,
    ),
    Panel(
        "Held back",
        "Is a machine throttled, or does a neighbour take its CPU?",
        (
            "Throttled or stolen time with an empty balance: credits. Stolen time with credits left: a neighbour. "
            "*Flat line* is 1 when Bongsu's rules call it throttled."
        ),
        (
            Line(THROTTLED, "throttled {{instance}}"),
            Line(node("steal"), "stolen {{instance}}"),
            Line(by_machine(of("bongsu:flat")), "flat line {{instance}}"),
        ),
        "percentunit",
        steps=((0.1, RED),),
        least=0,
    ),
    Panel(
        "The breach clock",
        "Who is called when?",
        (
            "For each service as Bongsu counts it, and for each machine as Prometheus' rules do. Lines at 5, 20 and 40 "
            "minutes: the usual tiers. In the lab the service's clock runs at its speed, the machines' at the wall's."
        ),
        (
            Line('max by (service, policy) (bongsu_breach_seconds{job="bongsu"})', "{{service}}: {{policy}}"),
            Line(by_machine(of("bongsu:breach_seconds")), "{{instance}}"),
        ),
        "s",
        steps=((300, ORANGE), (1200, RED), (2400, "dark-red")),
        least=0,
    ),
    Panel(
        "If it were unlimited: cost per hour",
        "What would unlimited mode cost at this pace?",
        (
            "What the CPU above the baseline costs once the credits are gone, at the price above (USD for a vCPU-hour; "
            "EC2 T3 on Linux 0.05). Compare it with one more machine. Lightsail and Azure have no such mode. 0: "
            "nothing above the baseline, or throttled already, when the CPU no longer tells what is wanted."
        ),
        (
            Line(f"$price * ({VCPUS}) * {ON} clamp_min({_OVER}, 0)", "now {{instance}}"),
            Line(
                f"$price * sum(avg_over_time((({VCPUS}) * {ON} clamp_min({_OVER}, 0))[$__range:]))",
                "all, mean of the time shown",
            ),
        ),
        "currencyUSD",
        width=24,
        height=7,
        least=0,
        decimals=3,
    ),
)

BOARD = Board(
    "burst-credits",
    "bongsu-burst",
    "Burst credits",
    "How long the credits of burstable machines last, and what to do before they are gone.",
    (
        JOB,
        INSTANCE,
        Choice(
            "price",
            "USD per vCPU-hour",
            "0.05",
            about="Surplus price of unlimited mode; EC2 T3: 0.05",
        ),
    ),
    MARKS,
    (
        Row("How long do we have?", GLANCE),
        Row("How did it come to this?", COURSE),
    ),
    span="now-6h",
)
