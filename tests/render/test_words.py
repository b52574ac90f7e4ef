"""Quantities with units, and catalogues that are complete."""

from __future__ import annotations

import ast
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from babel.messages.frontend import CommandLineInterface
from babel.messages.pofile import read_po

from bongsu.render.words import Words, clean, spoken

ROOT = Path(__file__).parents[2]
LOCALES = ROOT / "src/bongsu/render/locales"
EN, KO = Words("en"), Words("ko")


@pytest.mark.parametrize(
    ("seconds", "en", "ko"),
    [
        (0, "0 s", "0초"),
        (45.9, "45 s", "45초"),
        (90, "1 min 30 s", "1분 30초"),
        (1205, "20 min", "20분"),
        (4320, "1 h 12 min", "1시간 12분"),
        (7200, "2 h", "2시간"),
        (183600, "2 d 3 h", "2일 3시간"),
        (-5, "0 s", "0초"),
    ],
)
def test_durations(seconds: float, en: str, ko: str) -> None:
    assert EN.duration(timedelta(seconds=seconds)) == en
    assert KO.duration(seconds) == ko


def test_no_number_goes_without_a_unit() -> None:
    assert (EN.percent(0.2), KO.percent(0.2)) == ("20 %", "20%")
    assert EN.percent(0.045) == "4.5 %"
    assert (EN.credits(1412.3), KO.credits(0.4)) == ("1,412 credits", "0.4 크레딧")
    assert (EN.latency(0.34), EN.latency(2.5)) == ("340 ms", "2.5 s")
    assert (EN.rate(12.34), KO.rate(0.0)) == ("12.3/s", "초당 0.0건")


def test_times_name_their_zone_and_their_date_when_it_is_another() -> None:
    at = datetime(2026, 1, 5, 20, 14, 7, tzinfo=UTC)
    assert EN.time(at, near=at) == "20:14 UTC"
    assert EN.time(at, seconds=True) == "2026-01-05 20:14:07 UTC"
    seoul = Words("ko", ZoneInfo("Asia/Seoul"))
    assert seoul.time(at, near=at - timedelta(hours=10)) == "2026-01-06 05:14 KST"


def test_the_locale_spoken_is_one_that_is_known() -> None:
    assert [spoken(each) for each in ("ko", "ko-KR", "KO_kr", "de", "", None)] == ["ko", "ko", "ko", "en", "en", "en"]


def test_clean_is_one_line() -> None:
    assert clean("a\r\nb\u2028c\x00d") == "a b c d"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every text in the sources, as ``make messages`` collects them."""
    file = tmp_path_factory.mktemp("po") / "messages.pot"
    _babel("extract", "-F", str(ROOT / "babel.cfg"), "--no-location", "-o", str(file), str(ROOT / "src"))
    return file


def _babel(*arguments: str) -> None:
    CommandLineInterface().run(["pybabel", "--quiet", *arguments])  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("locale", ["en", "ko"])
def test_the_catalogues_hold_every_text(template: Path, locale: str) -> None:
    """Mend it with ``make messages``, then translate what is new."""
    options = ("--check", "--ignore-pot-creation-date", "--no-fuzzy-matching", "--ignore-obsolete")
    _babel("update", *options, "-l", locale, "-i", str(template), "-d", str(LOCALES))


@pytest.mark.parametrize("locale", ["en", "ko"])
def test_no_text_is_fuzzy_or_wrong_and_none_is_left_in_english(locale: str) -> None:
    with (LOCALES / locale / "LC_MESSAGES/messages.po").open("rb") as file:
        catalogue = read_po(file, locale=locale, abort_invalid=True)
    assert not catalogue.obsolete
    for text in catalogue:
        if text.id:
            assert not text.fuzzy, text.id
            assert not list(text.check(catalogue)), text.id
            said = text.string if isinstance(text.string, tuple) else (text.string,)
            assert locale == "en" or all(said), f"not translated: {text.id}"


def test_no_text_hides_from_the_collector(template: Path) -> None:
    """pybabel does not look into f-strings; here every literal that is translated is looked up."""
    with template.open("rb") as file:
        known = {text.id[0] if isinstance(text.id, tuple) else text.id for text in read_po(file)}
    used = set()
    for source in (ROOT / "src/bongsu").rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr="gettext" | "ngettext") | ast.Name(id="N_"),
                    args=[ast.Constant(value=str(said)), *_],
                ):
                    used.add(said)
    assert len(used) > 100
    assert not used - known
