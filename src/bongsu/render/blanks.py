"""Form letters: what a template says around its values is rendered once, and every mail is put together from that.

Rendering takes longer than all else about a mail, and the mails of a storm differ in their values alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from markupsafe import escape

_OPENS, _CLOSES = "\ue000", "\ue001"
_MARK = re.compile(f"{_OPENS}([a-z0-9]+){_CLOSES}")


def mark(name: str) -> str:
    """Stands for a value while a template is rendered; ``name``: small letters and digits."""
    return f"{_OPENS}{name}{_CLOSES}"


class Blank:
    """A rendered template with marks in it. ``html``: values are escaped."""

    def __init__(self, rendered: str, *, html: bool) -> None:
        self._pieces = _MARK.split(rendered)  # what stands around the marks, and every other one a mark's name
        self._names, self._html = self._pieces[1::2], html

    def filled(self, values: Mapping[str, str]) -> str:
        """With a value for every mark, as it would have been rendered with them."""
        pieces = self._pieces.copy()
        if self._html:
            pieces[1::2] = [str(escape(values[name])) for name in self._names]
        else:
            pieces[1::2] = [values[name] for name in self._names]
        return "".join(pieces)
