"""Put the accounts right by the provider's own balance, and say where its word differs from the configuration."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from bongsu.core.balance import Faults
from bongsu.core.service import Service
from bongsu.engine.context import Context
from bongsu.ports import Samples, Unavailable
from bongsu.store import balances
from bongsu.store.database import Transaction

log = logging.getLogger("bongsu.anchor")


def anchor_all(context: Context) -> None:
    """Ask every provider once. One that does not answer is told; dead reckoning goes on."""
    for name, provider in context.providers.items():
        try:
            measured = provider.balances()
            doubts = provider.doubts()
        except Unavailable as error:
            log.warning("provider unavailable", extra={"service": name, "why": str(error)})
            for machine in context.db.read(lambda tx, s=name: balances.of_service(tx, s)):  # type: ignore[misc]
                context.courses.fault(name, machine, (str(error),))
            continue
        for machine, doubt in doubts.items():
            context.courses.fault(name, machine, (doubt,))
        service = context.services[name]
        context.db.write(lambda tx, s=service, m=measured: _anchor(tx, context, s, m))  # type: ignore[misc]


def _anchor(tx: Transaction, context: Context, service: Service, measured: Mapping[str, Samples]) -> None:
    ledger = balances.to_change(tx, service.name)
    for name in measured.keys() & ledger.keys():
        faults = Faults()
        for at, value in measured[name]:
            ledger.anchor(name, context.timescale.to_service(at), value, service.machine, faults)
        context.courses.fault(service.name, name, faults.told())
    balances.keep(tx, service.name, ledger)
