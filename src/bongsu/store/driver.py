"""The way past SQLAlchemy, where its way takes several times as long as the database."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection


def driver_of(connection: Connection) -> Any:
    """The driver's own connection."""
    driver = connection.connection.driver_connection
    assert driver is not None
    return driver
