"""``python -m bench.restore``: damage at random in the real shop while customers buy; found, repaired, nothing harmed.

For each seed: a new database, customers, a backup, more customers, five kinds of damage at once, then
``verify``, ``plan`` and ``apply`` as a person would run them, while customers go on buying. The last line is JSON.
``rto_s``: from the damage to the commit, the longest; ``rpo_s``: how far back the oldest accepted order, payment or
charge lies that is missing in the end, 0 if none is.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import psycopg

from bench.damage import KINDS, Untouched, Vandal, found, repaired
from bench.instrument import SHOP, database, shop
from bongsu.adapters.backup_folder import BackupFolder
from bongsu.adapters.clock import SystemClock
from bongsu.adapters.servicedata import ServiceData
from bongsu.config.invariants import load_invariants
from bongsu.core.recovery_plan import parse, render

INVARIANTS = Path(__file__).parents[1] / "shop" / "src" / "shop" / "invariants"
SEEDS = (1, 2, 3, 4, 5)
CUSTOMERS, USERS, PRODUCTS, EACH = 4, 200, 120, 8
BEFORE_S, BETWEEN_S, AFTER_S = 1.5, 1.5, 0.5


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the shop told a customer was done."""

    kind: str
    at: float
    ask: str
    values: tuple[Any, ...]


class Customers:
    """Threads that order, pay and charge until told to stop, and keep what was accepted."""

    def __init__(self, port: int, seed: int) -> None:
        self._port = port
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.accepted: list[Accepted] = []
        self.refused = 0
        self._threads = [threading.Thread(target=self._buy, args=(seed, number)) for number in range(CUSTOMERS)]

    def __enter__(self) -> Self:
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Finish what is under way."""
        self._stop.set()
        for each in self._threads:
            each.join()

    def _buy(self, seed: int, number: int) -> None:
        chance = random.Random(f"{seed} {number}")
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        count = 0
        while not self._stop.is_set():
            count += 1
            user, key = chance.randrange(1, USERS + 1), f"c{seed}-{number}-{count}"
            if chance.random() < 0.2:
                amount = chance.randrange(1, 1000)
                told = self._post(connection, f"/users/{user}/points/charge", {"amount": amount}, user, key)
                if told:
                    self._note("charge", "SELECT 1 FROM point_ledger WHERE user_id = %s AND reason = 'charge' "
                               "AND delta = %s", user, amount)  # fmt: skip
                continue
            wanted = chance.sample(range(1, PRODUCTS + 1), chance.randrange(1, 4))
            lines = [{"product_id": each, "quantity": chance.randrange(1, 4)} for each in wanted]
            order = self._post(connection, "/orders", {"lines": lines}, user, key)
            if order is None:
                continue
            self._note("order", "SELECT 1 FROM orders WHERE id = %s AND user_id = %s AND total = %s AND %s = "
                       "(SELECT count(*) FROM order_lines WHERE order_id = orders.id)",
                       order["id"], user, order["total"], len(lines))  # fmt: skip
            if chance.random() < 0.8 and self._post(connection, f"/orders/{order['id']}/payment", {}, user, key + "p"):
                self._note("payment", "SELECT 1 FROM orders WHERE id = %s AND status = 'paid' AND -total = "
                           "(SELECT sum(delta) FROM point_ledger WHERE order_id = orders.id)", order["id"])  # fmt: skip

    def _note(self, kind: str, ask: str, *values: Any) -> None:
        with self._lock:
            self.accepted.append(Accepted(kind, time.monotonic(), ask, values))

    def _post(
        self, connection: http.client.HTTPConnection, path: str, body: object, user: int, key: str
    ) -> dict[str, Any] | None:
        headers = {"X-User-Id": str(user), "Idempotency-Key": key, "Content-Type": "application/json"}
        connection.request("POST", path, json.dumps(body), headers)
        answer = connection.getresponse()
        told = answer.read()
        if answer.status not in (200, 201):
            self.refused += 1
            return None
        return dict(json.loads(told))


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one seed."""

    damaged: int
    found: int
    repaired: int
    harmed: int
    rto: float
    rpo: float
    waited: float
    steps: int
    accepted: int


def one(seed: int, url: str, port: int, folder: Path) -> Outcome:
    """Customers, a backup, damage, a recovery, and a look at everything."""
    invariants, rules = load_invariants(INVARIANTS)
    data = ServiceData("shop", url, invariants, rules, BackupFolder(folder / "backups", "shop"), SystemClock(),
                       keep_for=timedelta(days=1))  # fmt: skip
    with Customers(port, seed) as customers:
        time.sleep(BEFORE_S)
        backup = data.back_up()
        assert data.verify().good, [each for each in data.verify().verdicts if not each.holds]
        time.sleep(BETWEEN_S)
        vandal = Vandal(url, seed)
        damaged = vandal.strike(EACH)
        struck = time.monotonic()
        untouched = Untouched(url)
        assert not data.verify().good
        made = data.plan(backup)
        applied = data.apply(parse("plan.sql", render(made.plan)))
        rto = time.monotonic() - struck
        time.sleep(AFTER_S)
        customers.stop()
    why = [each.why for each in made.plan.steps]
    seen, mended = found(damaged, why), repaired(url, damaged)
    prices = {each.values[0] for each in damaged if each.kind == "wrong bulk update"}
    harmed = untouched.harmed(url, prices)
    with psycopg.connect(url) as connection:
        lost = [a for a in customers.accepted if not connection.execute(a.ask.encode(), a.values).fetchone()]
    missed = [each for each in damaged if each not in seen or each not in mended]
    for each in [*missed, *harmed[:5], *lost[:5]]:
        print(f"  seed {seed}: {each}", file=sys.stderr)
    assert data.verify().good, [each.name for each in data.verify().verdicts if not each.holds]
    assert {each.kind for each in damaged} == set(KINDS)
    rpo = max((struck - each.at for each in lost), default=0.0)
    return Outcome(len(damaged), len(seen), len(mended), len(harmed) + len(lost), rto, max(0.0, rpo), applied.waited,
                   applied.steps, len(customers.accepted))  # fmt: skip


@contextmanager
def fresh(server: str, seed: int) -> Iterator[str]:
    """A database of its own for each seed, with tables, products and users."""
    name = f"seed{seed}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    url = server.rpartition("/")[0] + f"/{name}"
    for arguments in (["migrate"], ["seed", "--products", str(PRODUCTS), "--users", str(USERS)]):
        environment = {**os.environ, "SHOP_DATABASE_URL": url}
        subprocess.run([SHOP, "-m", "shop", *arguments], check=True, env=environment, capture_output=True)
    yield url


def main() -> None:
    """Measure and print."""
    outcomes = []
    with tempfile.TemporaryDirectory(dir="/tmp") as top, database(Path(top)) as server:
        for seed in SEEDS:
            folder = Path(top) / str(seed)
            folder.mkdir()
            with fresh(server, seed) as url, shop(url, folder, watched=False) as served:
                outcome = one(seed, url, served.port, folder)
            outcomes.append(outcome)
            print(
                f"seed {seed}: {outcome.damaged} rows damaged, {outcome.found} found, {outcome.repaired} repaired by "
                f"{outcome.steps} steps, {outcome.harmed} harmed; {outcome.accepted} accepted by customers, "
                f"of whom writers waited {outcome.waited * 1000:.0f} ms; recovered in {outcome.rto:.1f} s"
            )
    total = {key: sum(getattr(each, key) for each in outcomes) for key in ("damaged", "found", "repaired", "harmed")}
    print(f"recovery time: median {statistics.median(each.rto for each in outcomes):.1f} s")
    rto, rpo = max(each.rto for each in outcomes), max(each.rpo for each in outcomes)
    print(json.dumps({**total, "rto_s": round(rto, 1), "rpo_s": round(rpo, 1)}))
    if total["repaired"] != total["damaged"] or total["found"] != total["damaged"] or total["harmed"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
