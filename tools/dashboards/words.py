"""The dashboards' texts in other languages than English, out of gettext catalogues beside this file."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from babel.messages.pofile import read_po

LANGUAGES = ("en", "ko")
Say = Callable[[str], str]
_LABELS = re.compile(r"\{\{.*?\}\}")


def words(language: str) -> Say:
    """How a language says an English text; what consists of labels alone needs no words.

    Raises KeyError for a text that the catalogue does not have: half a translation is worse than none.
    """
    if language == "en":
        return lambda text: text
    with Path(__file__).with_name(f"{language}.po").open("rb") as file:
        known = {str(message.id): str(message.string) for message in read_po(file, locale=language) if message.string}

    def say(text: str) -> str:
        return known[text] if any(each.isalpha() for each in _LABELS.sub("", text)) else text

    return say
