"""What is done to a page before it is printed."""

from xml.etree import ElementTree

from bongsu.render.pdf import LONGEST_WORD, keep_whole

NOWRAP = "white-space: nowrap"


def kept(page: str) -> tuple[str, list[str]]:
    """The page afterwards, and the words in it that are not broken."""
    root = ElementTree.fromstring(page)
    before = "".join(root.itertext())
    keep_whole(root)
    assert "".join(root.itertext()) == before, "not a letter is lost or moved"
    return ElementTree.tostring(root, "unicode"), [e.text or "" for e in root.iter("span") if e.get("style") == NOWRAP]


def test_korean_words_are_kept_whole_and_others_break_where_they_may() -> None:
    page, words = kept("<p>shop 서비스가 멈췄습니다,<b>최소 112명</b>이\n<i/>다시 /products/{id} 열었다.</p>")
    assert words == ["서비스가", "멈췄습니다,", "최소", "112명", "이", "다시", "열었다."]
    assert "shop <span" in page
    assert "/products/{id} <span" in page


def test_what_is_no_prose_stays_as_it_is() -> None:
    svg = '<svg xmlns="http://www.w3.org/2000/svg"><text>버스트 크레딧</text></svg>'
    head = "<head><title>장애 보고서</title></head>"
    page, words = kept(f"<html>{head}<body><style>.가 나 {{}}</style>{svg}</body></html>")
    assert not words
    assert "<span" not in page


def test_what_is_too_long_for_a_word_may_still_break() -> None:
    assert kept(f"<p>{'가' * LONGEST_WORD} {'나' * (LONGEST_WORD + 1)}</p>")[1] == ["가" * LONGEST_WORD]
