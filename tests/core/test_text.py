"""Texts have one canonical form; links and phones are clean or are none."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.text import canonical, canonical_phone, clean_link, link_scheme, shorten

SCHEMES = ("https", "ducky")


@given(st.text(st.characters(), max_size=60))
def test_a_canonical_text_stays_as_it_is(text: str) -> None:
    once = canonical(text)
    assert canonical(once) == once
    assert unicodedata.is_normalized("NFC", once)
    assert once == once.strip()
    assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in once)


@given(st.text("aЯ .,—2₽\u00a0", max_size=12))
def test_a_text_of_usual_characters_is_cleaned_as_one_with_others_in_it(text: str) -> None:
    """The shortcut says what the long way says, which a character that is dropped leads to."""
    assert canonical(text) == canonical(text + "\u200b")


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=80), st.integers(1, 40))
def test_a_shortened_text_is_no_longer_than_asked(text: str, characters: int) -> None:
    assert len(shorten(text, characters)) <= characters


@pytest.mark.parametrize(
    ("text", "characters", "short"),
    [
        ("Наушники", 8, "Наушники"),
        ("Наушники беспроводные чёрные", 12, "Наушники…"),
        ("Наушники беспроводные чёрные", 22, "Наушники беспроводные…"),
        ("Наушники, беспроводные", 11, "Наушники…"),
        ("Достопримечательность", 6, "Досто…"),
        ("до 2\u00a0450\u00a0₽ и дальше", 8, "до 2…"),
        ("ok👨‍👩‍👧‍👦", 6, "ok…"),
        ("ok👍🏽!", 4, "ok…"),
        ("ok🇷🇺🇰🇿!", 6, "ok🇷🇺…"),
        ("ok🇷🇺🇰🇿!", 4, "ok…"),
        ("okx\u0315y", 4, "ok…"),
        ("ok🏴󠁧󠁢󠁷󠁬󠁳󠁿!", 6, "ok…"),
        ("👨‍👩‍👧‍👦!", 3, "…"),
    ],
)
def test_a_text_is_cut_between_words_and_never_inside_a_letter(text: str, characters: int, short: str) -> None:
    assert shorten(text, characters) == short


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("https://shop.example/a?b=c#d", "https://shop.example/a?b=c#d"),
        ("ducky://account/orders/1", "ducky://account/orders/1"),
        (" https://shop.example/заказ ", "https://shop.example/%D0%B7%D0%B0%D0%BA%D0%B0%D0%B7"),
        ("https://shop.example:8443/%20", "https://shop.example:8443/%20"),
    ],
)
def test_a_good_link_is_kept_in_ascii(text: str, link: str) -> None:
    assert clean_link(text, SCHEMES) == link


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/account",
        "//shop.example/",
        "shop.example",
        "http://shop.example/",
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "java\tscript:alert(1)",
        "data:text/html,x",
        "intent://x#Intent;end",
        "file:///etc/passwd",
        "goose://account",
        "https:shop.example",
        "https:///path",
        "https://localhost/",
        "https://user@shop.example/",
        "https://user:secret@shop.example/",
        "https://shop.example@evil.example/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f.0x1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[bad/",
        "https://169.254.169.254/latest",
        "https://shop.example:99999/",
        "https://shop.example:0/",
        "https://магазин.рф/",
        "https://shop.example/a b",
        "https://shop.example/\\evil",
        'https://shop.example/"',
        "https://shop.example/\x00",
        "https://shop.example/\ud800",
        "https://shop.example/" + "a" * 2048,
        "https://shop.example/" + "я" * 400,
    ],
)
def test_a_bad_link_is_none(text: str) -> None:
    assert clean_link(text, SCHEMES) is None


@given(
    st.sampled_from(["ducky", "https", "http", "goose", "intent", "d+u.c-k", "9", ""]),
    st.text("aZ09._~/-", max_size=12) | st.just("a" * 2036),
)
def test_a_link_in_plain_characters_is_judged_as_one_with_more_to_it(scheme: str, rest: str) -> None:
    """The shortcut says what the long way says, which an anchor leads to."""
    link, schemes = f"{scheme}://{rest}", ("https", "ducky", "d+u.c-k")
    assert (clean_link(link, schemes) == link) is (clean_link(f"{link}#a", schemes) == f"{link}#a")
    assert clean_link(link, schemes) in (link, None)


def test_a_link_into_an_app_may_have_so_many_characters_and_no_more() -> None:
    assert clean_link("ducky://" + "a" * 2040, SCHEMES)
    assert clean_link("ducky://" + "a" * 2041, SCHEMES) is None


def test_a_scheme_that_is_never_right_is_refused_even_where_it_is_listed() -> None:
    assert clean_link("javascript://x", ("javascript",)) is None
    assert link_scheme("HTTPS://x") == "https"
    assert link_scheme("no scheme") is None


@pytest.mark.parametrize(
    ("written", "phone"),
    [
        ("79991234567", "79991234567"),
        ("+7 (999) 123-45-67", "79991234567"),
        ("8 999 123 45 67", "79991234567"),
        ("8\u00a0999\u2011123–45–67", "79991234567"),
        ("9991234567", "79991234567"),
        ("007 999 123 45 67", "79991234567"),
        ("+8 999 123-45-67", "79991234567"),
        ("+84 912 345 678", "84912345678"),
        ("+960 771 2345", "9607712345"),
        ("+375 29 123-45-67", "375291234567"),
        ("00 49 30 123456", "4930123456"),
    ],
)
def test_a_phone_is_digits_only(written: str, phone: str) -> None:
    assert canonical_phone(written) == phone


@pytest.mark.parametrize(
    "written",
    ["", "12", "0", "-5", "call me", "4155552671", "375291234567", "+0123456789", "+7999123456789012", "7999123456",
     "+", "00", "++79991234567", "٧٩٩٩١٢٣٤٥٦٧", "7999123456x"],
)  # fmt: skip
def test_what_may_be_anything_is_no_phone(written: str) -> None:
    assert canonical_phone(written) is None


@pytest.mark.parametrize(
    ("link", "may"),
    [
        ("https://shop.example/a", True),
        ("https://img.SHOP.example/a?b=1", True),
        ("https://shop.example./a", True),
        ("https://shop.example.evil.example/a", False),
        ("https://evilshop.example/a", False),
        ("https://example/a", False),
        ("ducky://account/home", True),
    ],
)
def test_a_link_by_https_leads_only_to_the_hosts_that_are_named_and_below_them(link: str, may: bool) -> None:
    assert (clean_link(link, SCHEMES, {"shop.example"}) is not None) is may
    assert (clean_link(link, SCHEMES, set()) is not None) is link.startswith("ducky")
