"""What each command of `vestnik dead` does with the brokers, from its first question to its last."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from consumer.app import dead_redrive
from consumer.app.dead import Shelf, letters_since, redriven, shelf, whole_letter
from consumer.app.dead_original import exported
from consumer.app.dead_redrive import Asked, Survey
from consumer.app.profiles import backfill_topic
from consumer.app.setup import Setup
from consumer.core.backfill import Backfilled
from consumer.core.model import Record, Trouble
from consumer.core.redrive import Letter, LetterKey, Wanted, found
from consumer.streams.ranges import RangeReader, range_reader
from consumer.streams.settings import KafkaSettings

IDS_TOLD = 5


def words(trouble: Trouble) -> str:
    """Trouble in a line."""
    return f"{trouble.reason} {trouble.detail}".strip()


async def read(setup: Setup, settings: KafkaSettings, wanted: Wanted) -> Shelf | str:
    """The letters that somebody asks for; in words, why they cannot be read."""
    async with range_reader(settings) as reader:
        if isinstance(reader, Trouble):
            return words(reader)
        letters = await shelf(setup, reader, wanted)
    return words(letters) if isinstance(letters, Trouble) else letters


async def shown(setup: Setup, settings: KafkaSettings, name: str) -> tuple[Letter, str] | str:
    """One letter with its value, and whether it was redriven; in words, why it cannot be shown."""
    async with range_reader(settings) as reader:
        if isinstance(reader, Trouble):
            return words(reader)
        letters = await shelf(setup, reader, Wanted())
        if isinstance(letters, Trouble):
            return words(letters)
        letter = one_of(letters.letters, name)
        if isinstance(letter, str):
            return letter
        whole = await whole_letter(reader, letter)
        lives = await _lives(reader, letter)
    return words(whole) if isinstance(whole, Trouble) else (whole, lives)


async def _lives(reader: RangeReader, letter: Letter) -> str:
    """Whether and when the letter was redriven."""
    times: list[float] = []

    def tell(key: LetterKey, _old: Backfilled, record: Record) -> None:
        if key == letter.key:
            times.append(record.timestamp)

    trouble = await redriven(reader, {letter.head.lane: backfill_topic(letter.head.lane)}, letter.died_at, tell)
    before = f"; it had been redriven {letter.head.redrives} times when it died" if letter.head.redrives else ""
    if trouble is not None:
        return f"unknown: {words(trouble)}{before}"
    last = datetime.fromtimestamp(max(times), UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if times else ""
    return (f"yes, last at {last}" if times else "no") + before


def one_of(letters: Sequence[Letter], name: str) -> Letter | str:
    """The newest life of the one letter that is meant; in words, why there is no such one."""
    meant = found(letters, name)
    if not meant:
        return f'no letter "{name}" among {len(letters)}; `vestnik dead list` has their ids'
    ids = sorted({letter.head.id for letter in meant})
    if len(ids) > 1:
        more = ", …" if len(ids) > IDS_TOLD else ""
        return f'"{name}" begins {len(ids)} ids: {", ".join(ids[:IDS_TOLD])}{more}'
    return max(meant, key=lambda letter: letter.died_at)


async def export(setup: Setup, settings: KafkaSettings, wanted: Wanted, write: Callable[[str], object]) -> int | str:
    """Each letter as a line of JSON; how many, or in words why no more could be read."""
    count = 0
    async with range_reader(settings) as reader:
        if isinstance(reader, Trouble):
            return words(reader)
        async for letter in letters_since(reader, setup.config.topics.dead_letters, wanted.since):
            if isinstance(letter, Trouble):
                return words(letter)
            if wanted.takes(letter):
                write(json.dumps(exported(letter), ensure_ascii=False) + "\n")
                count += 1
    return count


async def redrive(
    setup: Setup,
    settings: KafkaSettings,
    asked: Asked,
    names: Iterable[str],
    agreed: Callable[[Survey], bool],
) -> Survey | str:
    """Look at all that is asked for, and send it if that is `agreed`; in words, why it could not be looked at."""
    async with range_reader(settings) as reader:
        if isinstance(reader, Trouble):
            return words(reader)
        letters = await shelf(setup, reader, asked.wanted)
        if isinstance(letters, Trouble):
            return words(letters)
        ids = _ids(letters.letters, names)
        if isinstance(ids, str):
            return ids
        if ids:
            asked = replace(asked, wanted=replace(asked.wanted, ids=ids))
            letters = Shelf([each for each in letters.letters if each.head.id in ids], letters.read)
        begun = await dead_redrive.begin(setup, settings, reader, asked, letters)
        if isinstance(begun, Trouble):
            return words(begun)
        survey = await begun.survey()
        if survey.trouble is None and survey.going and agreed(survey):
            survey = await begun.send()
    return survey


def _ids(letters: Sequence[Letter], names: Iterable[str]) -> frozenset[str] | str:
    """The ids of the letters that are named."""
    ids: set[str] = set()
    for name in names:
        letter = one_of(letters, name)
        if isinstance(letter, str):
            return letter
        ids.add(letter.head.id)
    return frozenset(ids)
