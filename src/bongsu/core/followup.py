"""What people add to an incident's report, and what they promise: editions, approval, action items, lessons.

Nothing that somebody wrote is lost: an edition is never changed, and two people who write at the same time are merged,
section by section; where both changed the same one, both texts stand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from bongsu.core.errors import IllegalTransition

SECTIONS = ("summary", "cause", "went_well", "went_badly", "lucky", "lessons")
"""The parts of a report that people write, in Markdown."""
REMIND_BEFORE = timedelta(days=1)
REMIND_EVERY = timedelta(days=7)
"""An item is brought back to mind the day before it is due, on that day, and every week from then on."""


class Frozen(IllegalTransition):
    """This report is approved; withdraw the approval before you change it."""


@dataclass(frozen=True, slots=True)
class Edition:
    """What stood in the report's written parts after somebody saved them. ``number`` counts from 1."""

    incident_id: str
    number: int
    by: str
    at: datetime
    texts: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    both: tuple[str, ...] = ()
    """Sections that two people changed at once: both texts stand, and somebody should make one of them."""


@dataclass(frozen=True, slots=True)
class Approval:
    """Who declared which edition final."""

    incident_id: str
    number: int
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Item:
    """Something to be done because of an incident: by whom (``person:x``, ``team:x``), and until when."""

    id: int
    incident_id: str
    service: str
    text: str
    owner: str
    due: date
    made_by: str
    made_at: datetime
    done_at: datetime | None = None
    done_by: str = ""
    result: str = ""
    reminded: date | None = None

    @property
    def open(self) -> bool:
        """Whether it is still to be done."""
        return self.done_at is None

    def overdue(self, today: date) -> bool:
        """Whether its day has passed."""
        return self.open and today > self.due


@dataclass(frozen=True, slots=True)
class Written:
    """Everything that people have added to an incident's report."""

    edition: Edition | None = None
    approval: Approval | None = None
    items: tuple[Item, ...] = ()
    earlier: tuple[str, ...] = ()
    """Earlier incidents of the same kind, the newest first."""

    def text(self, section: str) -> str:
        """A section's Markdown; empty when nobody wrote it."""
        return self.edition.texts.get(section, "") if self.edition is not None else ""


def merge(base: Edition | None, latest: Edition | None, mine: Edition) -> Edition:
    """``mine``, written over ``base``, on top of ``latest``; neither side's words are lost.

    A section that only one side changed is that side's. Tags of both are kept but for those that one side removed.
    """
    number = latest.number + 1 if latest is not None else 1
    if latest is None or (base is not None and base.number == latest.number):
        return Edition(mine.incident_id, number, mine.by, mine.at, _filled(mine.texts), mine.tags)
    texts: dict[str, str] = {}
    both: list[str] = []
    for section in SECTIONS:
        before, theirs, ours = _text(base, section), _text(latest, section), _text(mine, section)
        if theirs in (before, ours):
            texts[section] = ours
        elif ours == before:
            texts[section] = theirs
        else:
            texts[section] = f"{theirs}\n\n*{mine.by}:*\n\n{ours}"
            both.append(section)
    was = set(base.tags) if base is not None else set()
    removed = (was - set(latest.tags)) | (was - set(mine.tags))
    tags = tuple(dict.fromkeys(tag for tag in (*latest.tags, *mine.tags) if tag not in removed))
    return Edition(mine.incident_id, number, mine.by, mine.at, _filled(texts), tags, tuple(both))


def reminds(item: Item, today: date) -> bool:
    """Whether its owner is to be reminded today, if they were not yet."""
    if not item.open or (item.reminded is not None and item.reminded >= today):
        return False
    days = [item.due - REMIND_BEFORE, item.due]
    if today > item.due:
        days.append(item.due + (today - item.due) // REMIND_EVERY * REMIND_EVERY)
    past = [day for day in days if day <= today]
    return bool(past) and (item.reminded is None or max(past) > item.reminded)


def tags_of(text: str) -> tuple[str, ...]:
    """Tags as people write them: apart by commas or spaces, with or without ``#``; each once, in small letters."""
    found = (part.strip().lstrip("#").lower() for part in text.replace(",", " ").split())
    return tuple(dict.fromkeys(tag for tag in found if tag))


def matches(edition: Edition, words: Sequence[str], tags: Sequence[str]) -> bool:
    """Whether a written report holds every word (anywhere, whatever its case) and every tag."""
    whole = "\n".join((*edition.texts.values(), *edition.tags)).casefold()
    return all(word.casefold() in whole for word in words) and set(tags) <= set(edition.tags)


def _text(edition: Edition | None, section: str) -> str:
    return edition.texts.get(section, "").strip() if edition is not None else ""


def _filled(texts: Mapping[str, str]) -> dict[str, str]:
    return {section: texts[section].strip() for section in SECTIONS if texts.get(section, "").strip()}
