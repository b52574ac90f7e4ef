"""A first ``bongsu.toml``, with a line about everything in it."""

from __future__ import annotations

import json
from datetime import timedelta

from bongsu.core.setup import Setup
from bongsu.render.words import clean, environment


def toml(setup: Setup) -> str:
    """The text of the file."""
    return environment("en").get_template("bongsu.toml").render(s=setup, q=quoted, span=span)


def quoted(value: object) -> str:
    """A TOML string; what JSON escapes, TOML escapes alike."""
    return json.dumps(clean(value), ensure_ascii=False)


def span(length: timedelta) -> str:
    """An ISO 8601 duration in seconds: PT5S."""
    return f"PT{length.total_seconds():g}S"
