"""One running shop: what the routes work with."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from bongsu_instrument import Instrument
from shop.catalogue import TopSellers
from shop.database import Database
from shop.metrics import BusinessMetrics
from shop.settings import Settings


class Shop:
    """Database, caches and metrics of one process; the connections are opened by ``open``.

    Without an instrument the business metrics still count, for nobody to read.
    """

    def __init__(self, settings: Settings, instrument: Instrument | None) -> None:
        self.settings = settings
        self.instrument = instrument
        self.database = Database(
            settings.database_url, size=settings.pool_size, timeout=settings.pool_timeout, instrument=instrument
        )
        self.metrics = BusinessMetrics(instrument.registry if instrument is not None else CollectorRegistry())
        self.top_sellers = TopSellers(self.database)
        self.metrics.watch_top_age(self.top_sellers.age)

    def open(self) -> None:
        """Begin to connect."""
        self.database.open()

    def close(self) -> None:
        """End all connections."""
        self.database.close()
