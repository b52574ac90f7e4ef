"""Words per locale: the gettext catalogues, quantities with their units, times, and the template environments."""

from __future__ import annotations

import functools
import io
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

from babel.support import NullTranslations, Translations
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from bongsu.config import LOCALES

FALLBACK = "en"
TEMPLATES = Path(__file__).parent / "templates"
STYLES = Path(__file__).parent / "styles"
_LOCALES = Path(__file__).parent / "locales"
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_EXACT_BELOW = timedelta(minutes=5)
"""From here on seconds say nothing."""


def N_(text: str) -> str:  # noqa: N802 - gettext's own name for "translate this later"
    """Mark a text for the catalogue that is translated where it is used."""
    return text


def clean(value: object) -> str:
    """One line: control characters and line breaks become spaces, so that a label cannot write a header or a line."""
    text = str(value)
    return (text if text.isprintable() else _CONTROLS.sub(" ", text)).strip()


@functools.cache
def translations(locale: str) -> NullTranslations:
    """A locale's catalogue: the compiled one, or the source where nothing was compiled since it changed."""
    folder = _LOCALES / locale / "LC_MESSAGES"
    source, compiled = folder / "messages.po", folder / "messages.mo"
    if compiled.is_file() and (not source.is_file() or compiled.stat().st_mtime >= source.stat().st_mtime):
        with compiled.open("rb") as file:
            return Translations(file)
    from babel.messages.mofile import write_mo  # a checkout alone needs these two
    from babel.messages.pofile import read_po

    packed = io.BytesIO()
    with source.open("rb") as file:
        write_mo(packed, read_po(file, locale=locale))
    packed.seek(0)
    return Translations(packed)


def spoken(locale: str | None) -> str:
    """The locale to speak: the asked one if there is a catalogue for it."""
    wanted = (locale or "").replace("_", "-").split("-")[0].lower()
    return wanted if wanted in LOCALES else FALLBACK


@dataclass(frozen=True, slots=True)
class Words:
    """What a locale calls things. ``zone``: in which times are shown."""

    locale: str = FALLBACK
    zone: tzinfo = UTC

    def gettext(self, text: str, /, **values: object) -> str:
        """A text in this locale, its ``%(name)s`` filled in."""
        said: str = translations(self.locale).ugettext(text)
        return said % values

    def ngettext(self, one: str, many: str, n: int, /, **values: object) -> str:
        """A text that depends on a number, which is ``%(n)s`` in it."""
        said: str = translations(self.locale).ungettext(one, many, n)
        return said % {"n": self.number(n), **values}

    def number(self, value: float, digits: int = 0) -> str:
        """A number with thousands set apart."""
        return f"{value:,.{digits}f}"

    def duration(self, span: timedelta | float) -> str:
        """The two largest units that matter: ``1 h 12 min``, ``1시간 12분``. A bare number is seconds."""
        seconds = int(span.total_seconds() if isinstance(span, timedelta) else span)
        if seconds < 0:
            return self.duration(0)
        days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
        if days:
            parts = (self.gettext("%(n)s d", n=days), hours and self.gettext("%(n)s h", n=hours))
        elif hours:
            parts = (self.gettext("%(n)s h", n=hours), minutes and self.gettext("%(n)s min", n=minutes))
        elif minutes:
            exact = seconds < _EXACT_BELOW.total_seconds() and seconds % 60
            parts = (self.gettext("%(n)s min", n=minutes), exact and self.gettext("%(n)s s", n=seconds % 60))
        else:
            parts = (self.gettext("%(n)s s", n=seconds), 0)
        return " ".join(part for part in parts if part)

    def percent(self, share: float) -> str:
        """A share 0..1 as whole per cent, with one digit below ten."""
        value = share * 100
        digits = 1 if abs(value) < 10 and not math.isclose(value, round(value), abs_tol=0.05) else 0
        return self.gettext("%(n)s %%", n=f"{value:.{digits}f}")

    def credits(self, balance: float) -> str:
        """A balance in credits (vCPU-minutes)."""
        return self.gettext("%(n)s credits", n=self.number(balance, 1 if 0 < balance < 10 else 0))

    def latency(self, seconds: float) -> str:
        """A latency."""
        if seconds < 1:
            return self.gettext("%(n)s ms", n=f"{seconds * 1000:.0f}")
        return self.gettext("%(n)s s", n=f"{seconds:.1f}")

    def rate(self, per_second: float) -> str:
        """A rate per second."""
        digits = 0 if per_second >= 100 else 1 if per_second >= 1 or per_second == 0 else 2
        return self.gettext("%(n)s/s", n=self.number(per_second, digits))

    def time(self, at: datetime, near: datetime | None = None, *, seconds: bool = False) -> str:
        """A time in the zone; with its date unless that is the date of ``near``."""
        local = at.astimezone(self.zone)
        clock = f"{local:%H:%M:%S}" if seconds else f"{local:%H:%M}"
        clock = f"{clock} {local.tzname()}"
        if near is not None and near.astimezone(self.zone).date() == local.date():
            return clock
        return f"{self.date(at)} {clock}"

    def clock(self, at: datetime) -> str:
        """A time of day alone, for an axis that says its zone elsewhere."""
        return f"{at.astimezone(self.zone):%H:%M}"

    def date(self, at: datetime) -> str:
        """A date."""
        local = at.astimezone(self.zone)
        return self.gettext(
            "%(year)s-%(month)s-%(day)s", year=local.year, month=f"{local.month:02d}", day=f"{local.day:02d}"
        )


def environment(locale: str, *folders: Path) -> Environment:
    """The Jinja environment of a locale, over the templates in ``folders`` and our own; HTML is escaped."""
    return _environment(spoken(locale), (*folders, TEMPLATES, STYLES))


@functools.cache
def _environment(locale: str, folders: tuple[Path, ...]) -> Environment:
    made = Environment(
        loader=FileSystemLoader(folders),
        autoescape=select_autoescape(["html", "svg"]),
        extensions=["jinja2.ext.i18n"],
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        keep_trailing_newline=True,
    )
    made.policies["ext.i18n.trimmed"] = True
    made.install_gettext_translations(translations(locale), newstyle=True)  # type: ignore[attr-defined]
    made.filters["cell"] = _cell
    return made


def _cell(value: object) -> str:
    """A value for a cell of a Markdown table."""
    return clean(value).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "'")


def text_of(facts: Mapping[str, object], key: str) -> str:
    """A fact as clean text; empty when it is not known."""
    value = facts.get(key)
    return "" if value is None else clean(value)


def number_of(facts: Mapping[str, object], key: str) -> float | None:
    """A fact as a number, None when it is not known."""
    value = facts.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)


def time_of(facts: Mapping[str, object], key: str) -> datetime | None:
    """A fact as a time, None when it is not known or not a time."""
    value = facts.get(key)
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return at if at is not None and at.tzinfo is not None else None
