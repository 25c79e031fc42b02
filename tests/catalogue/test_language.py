"""The texts are written as a good shop writes: clean typography, one alphabet a word, a quiet voice."""

import re
from collections.abc import Iterator

import pytest

from schemas.events import ANY_EVENT
from tests.catalogue.catalogue import FILES, everything_said, routes, say

# Words that a careless hand writes without ё.
_YO = re.compile(
    r"\b(?:ждет|придет|вернем|начнем|отменен|завершен|счет\w*|еще|все упаковано|идет|везем|найдем|пришлем|"
    r"соберем|передаем|учтен\w*|зачтен\w*|учет\w*|прием\w*)\b",
    re.IGNORECASE,
)
_MIXED = re.compile(r"\b(?=\w*[A-Za-z])(?=\w*[А-Яа-яЁё])\w+\b")
_OFFICIALESE = re.compile(
    r"уважаем|данн(?:ый|ая|ое|ого)|осуществл|произведен|является|в связи с|в случае|необходимо|информируем|уведомляем|"
    r"денежные средства|просим вас",
    re.IGNORECASE,
)
_TAGS = re.compile(r"\{[{%].*?[%}]\}", re.DOTALL)


def templates(locale: str) -> Iterator[tuple[str, str]]:
    """Where a text stands, and its words without what the event fills in."""
    for route in routes():
        for level, wording in enumerate(route.ladders[locale]):
            for part in ("title", "text"):
                source = wording.sources().get(part)
                if source:
                    yield f"{route.id} {locale} {level} {part}", _TAGS.sub("\n", source)


RUSSIAN, ENGLISH = list(templates("ru")), list(templates("en"))


def offending(texts: list[tuple[str, str]], pattern: str | re.Pattern[str]) -> list[tuple[str, str]]:
    return [(where, found[0]) for where, text in texts if (found := re.search(pattern, text))]


def test_russian_texts_are_written_in_russian_letters() -> None:
    assert not offending(RUSSIAN, r"[A-Za-z]")


def test_english_texts_are_written_in_english_letters() -> None:
    assert not offending(ENGLISH, r"[А-Яа-яЁё]")


def test_no_word_mixes_two_alphabets() -> None:
    assert not [(path, _MIXED.findall(text)) for path, text in FILES.items() if _MIXED.search(text)]


def test_yo_is_written() -> None:
    assert not offending(RUSSIAN, _YO)


@pytest.mark.parametrize("texts", [RUSSIAN, ENGLISH], ids=["ru", "en"])
def test_typography_is_clean(texts: list[tuple[str, str]]) -> None:
    assert not offending(texts, r"[\"'`]"), "straight quotes"
    assert not offending(texts, r" - |--|\.\.\."), "a hyphen for a dash, dots for an ellipsis"
    assert not offending(texts, r"[ \u00a0]{2}|[ ][.,:;!?»]"), "spaces"


def test_russian_quotes_are_angles_and_english_ones_are_not() -> None:
    assert not offending(RUSSIAN, "[“”„‘’]")
    assert not offending(ENGLISH, "[«»]")


@pytest.mark.parametrize("texts", [RUSSIAN, ENGLISH], ids=["ru", "en"])
def test_nobody_shouts(texts: list[tuple[str, str]]) -> None:
    assert not offending(texts, r"!.*!|!\?|\?!"), "more than one exclamation mark"
    assert not offending(texts, r"\b[А-ЯЁA-Z]{3,}\b"), "capitals"
    assert not offending(texts, "[\u2600-\u27bf\U0001f000-\U0001faff]"), "emoji"
    assert not [where for where, text in texts if where.endswith("title") and text.rstrip().endswith((".", "!"))]


def test_no_officialese() -> None:
    assert not offending(RUSSIAN, _OFFICIALESE)


def test_people_are_addressed_with_a_small_vy() -> None:
    """«Вы» with a capital belongs in a letter to one person; it stands so only where a sentence begins."""
    assert not offending(RUSSIAN, r"(?<=[а-яё,] )(?:Вы|Вас|Вам|Ваш)\b")
    assert not offending(RUSSIAN, r"\b(?:ты|тебя|тебе|твой)\b")


def test_what_is_rendered_has_one_space_between_words_and_ends_a_text_with_a_full_stop() -> None:
    for said in everything_said(routes()):
        whole = f"{said.message.title}\n{said.message.text}"
        assert not re.search(r"[ \u00a0]{2}|[ \u00a0][.,:;!?»)]|\(\s|[.,]{2}", whole), said
        assert said.message.text[-1] in ".!?", said
        assert not said.message.text[0].islower(), said


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ("1", "1 бонус"),
        ("2", "2 бонуса"),
        ("5", "5 бонусов"),
        ("11", "11 бонусов"),
        ("21", "21 бонус"),
        ("0.5", "0,5 бонуса"),
    ],
)
def test_bonuses_are_counted_as_people_count(amount: str, words: str) -> None:
    assert title("bonus-accrued", amount) == f"Вам начислили {words}"


@pytest.mark.parametrize(
    ("amount", "words"),
    [("1", "1 бонуса"), ("3", "3 бонусов"), ("21", "21 бонуса"), ("250", "250 бонусов"), ("0.5", "0,5 бонуса")],
)
def test_expired_bonuses_stand_in_the_genitive(amount: str, words: str) -> None:
    assert title("bonus-expired", amount) == f"Закончился срок действия {words}"


def title(name: str, amount: str) -> str:
    route = next(route for route in routes() if route.id == name)
    text = FILES[f"examples/{name.replace('-', '_')}.json"].replace('"250"', f'"{amount}"')
    return say(route, "ru", ANY_EVENT.validate_json(text))[0].title
