"""Pages of metrics as services expose them (Prometheus text format 0.0.4, and OpenMetrics where it is the same).

Names and labels are what matters here, so lines are read by themselves: a page that is broken in one place still tells
what the rest holds, where a strict parser would stop.
"""

from __future__ import annotations

import io
import re
from dataclasses import replace

from bongsu.adapters.fetch import PATIENCE, Answer, get, shown
from bongsu.core.checkup import Page, Values
from bongsu.core.errors import BongsuError
from bongsu.core.scraping import EXPOSE, SPRING_PATH

MOST_SERIES = 300_000
"""Series examined of one page; memory is bounded by it."""
_MOST_VALUES = 1_000  # values kept of one label
_MOST_LABELS = 200
_LONGEST_LINE = 64 * 1024
_ACCEPT = {"Accept": "text/plain;version=0.0.4,*/*;q=0.1"}

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')  # names in quotes: Prometheus 3
_LABEL = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*|"(?:[^"\\]|\\.)*")\s*=\s*"((?:[^"\\]|\\.)*)"\s*')
_NUMBER = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[iI]nf(?:inity)?|[nN]a[nN])", re.ASCII)
_TIME = re.compile(r"-?\d+(?:\.\d+)?", re.ASCII)


class NotMetrics(BongsuError):
    """What was read is no page of metrics."""


class _Malformed(Exception):
    """This line is no sample."""


def examine(url: str, patience: float = PATIENCE) -> Page:
    """Fetch and parse a page. Raises Unavailable, or NotMetrics with a sentence that says what is there instead."""
    answer = get(url, patience=patience, headers=_ACCEPT)
    where = shown(answer.url)
    if answer.status != 200:
        raise NotMetrics(f"{where} answers {answer.status}{_advice(answer)}")
    try:
        page = parse(answer.body, cut=answer.cut)
    except NotMetrics as error:
        why = f"{answer.cut}, and {error}" if answer.cut else str(error)
        raise NotMetrics(f"{where} is no page of metrics: {why}") from None
    return replace(
        page,
        url=where,
        asked=shown(url),
        seconds=answer.seconds,
        content_type=answer.content_type,
        unfinished=page.unfinished or (not answer.cut and _lacks_its_end(answer)),
    )


def _advice(answer: Answer) -> str:
    if answer.status == 404 and answer.url.endswith(SPRING_PATH):
        return f": the endpoint is not exposed, or this is no Spring service. {EXPOSE}"
    if answer.status in (401, 403):
        return ": it wants a login; permit this path to Prometheus, or give http://user:password@host/path"
    return ": not the path of its metrics" if answer.status == 404 else ""


def _lacks_its_end(answer: Answer) -> bool:
    openmetrics = answer.content_type.startswith("application/openmetrics-text")
    return openmetrics and not answer.body.rstrip().endswith(b"# EOF")


def _whole(text: str) -> bool:
    """Whether a last line without an end is one all the same."""
    try:
        return text == "# EOF" or bool(sample(text))
    except _Malformed:
        return False


class _Reader:
    """Takes lines in and keeps a bounded summary of them."""

    def __init__(self) -> None:
        self.names: dict[str, list[int]] = {}
        self.labels: dict[str, set[str]] = {}
        self.malformed: list[tuple[int, str]] = []
        self.malformed_lines = self.series = self.duplicates = 0
        self.duplicate = ""
        self._seen: set[int] = set()

    def line(self, number: int, text: str) -> None:
        if not text or text.startswith("#"):
            return
        try:
            name, labels, value, identity = sample(text)
        except _Malformed:
            self.malformed_lines += 1
            if len(self.malformed) < 3:
                self.malformed.append((number, text[:200]))
            return
        self.series += 1
        counts = self.names.setdefault(name, [0, 0, 0])
        counts[0] += 1
        counts[1] += value != value  # NaN alone is not itself
        counts[2] += value < 0
        for label, content in labels:
            values = self.labels.get(label)
            if values is None:
                if len(self.labels) >= _MOST_LABELS:
                    continue
                values = self.labels[label] = set()
            if len(values) < _MOST_VALUES:
                values.add(content[:200])
        known = len(self._seen)
        self._seen.add(hash(identity))
        if len(self._seen) == known:
            self.duplicates += 1
            self.duplicate = self.duplicate or identity[:200]


def parse(body: bytes, cut: str = "") -> Page:
    """A page out of its bytes; ``cut`` says why they are not all. Raises NotMetrics and nothing else."""
    reader, unfinished = _Reader(), False
    for number, raw in enumerate(io.BytesIO(body), 1):
        text = raw[:_LONGEST_LINE].decode("utf-8", errors="replace").strip()
        if not raw.endswith(b"\n") and not cut:
            unfinished = not _whole(text)
        if not unfinished:
            reader.line(number, text)
        if reader.series >= MOST_SERIES:
            cut = f"more than {MOST_SERIES:,} series"
            break
        if number == 1_000 and not reader.series and reader.malformed_lines:
            break  # a thousand lines and no sample: it will not become one
    if not reader.series:
        raise NotMetrics(_instead(body))
    return Page(
        url="",
        names={name: Values(*counts) for name, counts in reader.names.items()},
        labels={label: frozenset(values) for label, values in reader.labels.items()},
        series=reader.series,
        size=len(body),
        cut=cut,
        unfinished=unfinished,
        malformed=tuple(reader.malformed),
        malformed_lines=reader.malformed_lines,
        duplicates=reader.duplicates,
        duplicate=reader.duplicate,
    )


def sample(text: str) -> tuple[str, list[tuple[str, str]], float, str]:
    """Name, labels, value and identity (all but the value) of one line. Raises _Malformed."""
    match = _NAME.match(text)
    name, at = (match.group(), match.end()) if match else ("", 0)
    while text[at : at + 1] in (" ", "\t"):
        at += 1
    labels: list[tuple[str, str]] = []
    if text[at : at + 1] == "{":
        at += 1
        if not name:
            quoted = _QUOTED.match(text, at)
            if quoted is None:
                raise _Malformed
            name, at = quoted.group(1), quoted.end()
            at += text[at : at + 1] == ","
        at = _labels(text, at, labels)
    elif at == len(name):
        raise _Malformed
    identity = text[:at].rstrip().replace(",}", "}")
    fields = text[at:].partition(" # ")[0].split()  # behind " # " stands an exemplar
    if not (1 <= len(fields) <= 2 and _NUMBER.fullmatch(fields[0])):
        raise _Malformed
    if len(fields) == 2 and not _TIME.fullmatch(fields[1]):
        raise _Malformed
    return name, labels, float(fields[0]), identity


def _labels(text: str, at: int, labels: list[tuple[str, str]]) -> int:
    """Read labels up to the closing brace, with or without a comma before it; where the rest begins."""
    while True:
        pair = _LABEL.match(text, at)
        if pair is not None:
            labels.append((pair.group(1).strip('"'), pair.group(2)))
            at = pair.end()
            if text[at : at + 1] == ",":
                at += 1
                continue
        while text[at : at + 1] == " ":
            at += 1
        if text[at : at + 1] != "}":
            raise _Malformed
        return at + 1


def _instead(body: bytes) -> str:
    """What a body that holds no sample is."""
    start = body[:2048].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not start:
        return "the answer is empty; does the service register any metric?"
    if start.startswith(b"<"):
        return "it is HTML, perhaps a start or login page; give the path of the metrics"
    if start.startswith((b"{", b"[")):
        return "it is JSON; give the path of the metrics in Prometheus' text format"
    if start.startswith(b"\x1f\x8b"):
        return "it is compressed, though that was not asked for"
    if b"\x00" in start:
        return "it is binary"
    if start.startswith(b"#"):
        return "it has comments and not one sample"
    return "not one line is a sample"
