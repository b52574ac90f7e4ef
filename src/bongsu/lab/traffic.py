"""What visitors of the shop do, and how often: mixes, a seeded population, a plan of arrival rates. Pure."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bongsu.core.errors import InvalidInput

LOGGED_IN = 0.7
"""The share of the population that is logged in; everybody has a visitor cookie."""
SALE_PRODUCT = 1
HIGHEST_RATE, LONGEST, MOST = 2000.0, 7200.0, 2_000_000
"""Bounds of any plan: arrivals per second, seconds, arrivals in all."""

MIXES: dict[str, dict[str, float]] = {
    "calm": {"list": 30, "detail": 42, "top": 15, "order": 9, "charge": 4},
    # A sale: everybody looks at one product and many buy it.
    "sale": {"list": 8, "detail": 62, "top": 6, "order": 20, "charge": 4},
}


def weights_of(mix: str) -> Mapping[str, float]:
    """The shares of a mix: its name, or written out as ``list=8+detail=62``. Raises InvalidInput."""
    if mix in MIXES:
        return MIXES[mix]
    try:
        weights = {route: float(share) for route, share in (each.split("=") for each in mix.split("+"))}
    except ValueError:
        weights = {}
    if not weights or weights.keys() - MIXES["calm"].keys() or min(weights.values()) < 0 or not sum(weights.values()):
        raise InvalidInput([f"load plan: there is no mix {mix!r}; there are {', '.join(MIXES)}, or list=8+detail=62"])
    return weights


@dataclass(frozen=True, slots=True)
class Segment:
    """So many arrivals per real second for so many seconds, of one mix."""

    seconds: float
    rate: float
    mix: str = "calm"


def parse_plan(text: str) -> tuple[Segment, ...]:
    """Read ``20x60,120x250:sale``: 20 s at 60 arrivals/s, then 120 s at 250/s of a sale. Raises InvalidInput."""
    segments, problems = [], []
    for each in text.split(","):
        numbers, _, mix = each.strip().partition(":")
        seconds, _, rate = numbers.partition("x")
        try:
            segments.append(Segment(float(seconds), float(rate), mix or "calm"))
        except ValueError:
            problems.append(f"load plan {each!r}: write SECONDSxRATE or SECONDSxRATE:MIX, such as 60x120:sale")
    if not problems:
        problems = plan_problems(segments)
    if problems:
        raise InvalidInput(problems)
    return tuple(segments)


def plan_problems(segments: Sequence[Segment]) -> list[str]:
    """What is wrong with a plan; empty when nothing is."""
    problems = []
    for each in segments:
        try:
            weights_of(each.mix)
        except InvalidInput as error:
            problems += error.problems
        if not 0 <= each.rate <= HIGHEST_RATE or each.seconds <= 0:
            problems.append(f"load plan: {each.seconds:g}x{each.rate:g}: rates go from 0 to {HIGHEST_RATE:g}")
    if sum(each.seconds for each in segments) > LONGEST:
        problems.append(f"load plan: longer than {LONGEST:g} s, the most a driver runs")
    if sum(each.seconds * each.rate for each in segments) > MOST:
        problems.append(f"load plan: more than {MOST} arrivals, the most a driver sends")
    return problems


class RatePlan:
    """Poisson arrivals over a plan's segments, which may be changed on the way. Times in seconds from any zero."""

    def __init__(self, segments: Sequence[Segment], start: float, chance: random.Random) -> None:
        self._chance = chance
        self._segments: list[tuple[float, Segment]] = []
        self.ends = start
        for segment in segments:
            self._segments.append((self.ends, segment))
            self.ends += segment.seconds

    def current(self, at: float) -> Segment:
        """The segment in force."""
        return next((each for begin, each in reversed(self._segments) if begin <= at), self._segments[0][1])

    def change(self, at: float, rate: float | None, mix: str | None) -> None:
        """From ``at`` until the plan's end, another rate or mix. Raises InvalidInput."""
        now = self.current(at)
        left = max(0.001, self.ends - at)
        changed = Segment(left, now.rate if rate is None else rate, now.mix if mix is None else mix)
        if problems := plan_problems([changed]):
            raise InvalidInput(problems)
        self._segments = [each for each in self._segments if each[0] < at] + [(at, changed)]

    def next_after(self, at: float) -> float | None:
        """When the next arrival comes; None when the plan ends first.

        Waiting for a Poisson arrival has no memory, so at a segment's border the dice are simply thrown again.
        """
        while at < self.ends:
            segment = self.current(at)
            border = min((begin for begin, _ in self._segments if begin > at), default=self.ends)
            if segment.rate > 0:
                arrival = at + self._chance.expovariate(segment.rate)
                if arrival < border:
                    return arrival
            at = border
        return None


@dataclass(frozen=True, slots=True)
class Step:
    """One request of a visit. ``body`` is JSON; ``{order}`` in the path is the order made by the step before."""

    route: str
    method: str
    path: str
    body: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Visit:
    """What one arrival does: who, with which headers, which requests in turn."""

    person: int
    logged_in: bool
    headers: Mapping[str, str]
    steps: tuple[Step, ...]


@dataclass(slots=True)
class Population:
    """The visitors: ``people`` of them, the same for the same ``seed``; person k is the shop's user k + 1."""

    people: int
    products: int
    seed: int
    chance: random.Random = field(init=False)
    _logged_in: list[bool] = field(init=False)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self._logged_in = [self.chance.random() < LOGGED_IN for _ in range(self.people)]
        self._logged_in[0] = True  # somebody has to be able to buy

    def cookie(self, person: int) -> str:
        """What a person's ``visitor`` cookie holds."""
        return f"v{self.seed}-{person}"

    def visit(self, mix: str) -> Visit:
        """The next arrival."""
        weights = weights_of(mix)
        route = self.chance.choices(list(weights), list(weights.values()))[0]
        person = self.chance.randrange(self.people)
        while route in ("order", "charge") and not self._logged_in[person]:
            person = self.chance.randrange(self.people)
        logged_in = self._logged_in[person]
        headers = {"Cookie": f"visitor={self.cookie(person)}", "User-Agent": "lab-visitor"}
        if logged_in:
            headers["X-User-Id"] = str(person + 1)
        return Visit(person, logged_in, headers, self._steps(route, mix, person))

    def _steps(self, route: str, mix: str, person: int) -> tuple[Step, ...]:
        product = SALE_PRODUCT if mix == "sale" and self.chance.random() < 0.9 else self._any_product()
        if route == "list":
            return (Step("list", "GET", f"/products?page={self.chance.randrange(1, 6)}"),)
        if route == "detail":
            return (Step("detail", "GET", f"/products/{product}"),)
        if route == "top":
            return (Step("top", "GET", "/products/top"),)
        if route == "charge":
            return (Step("charge", "POST", f"/users/{person + 1}/points/charge", {"amount": 10000}),)
        lines = [{"product_id": product, "quantity": 1}]
        return (Step("order", "POST", "/orders", {"lines": lines}), Step("pay", "POST", "/orders/{order}/payment"))

    def _any_product(self) -> int:
        """Few products are looked at often, many seldom."""
        return 1 + int(self.products * self.chance.random() ** 2)
