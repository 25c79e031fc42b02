"""What every store of a token pair keeps to, and what the sealed topic keeps to beside it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from consumer.core.model import Blocked, Deferred, Trouble
from consumer.core.secrets import SecretRef
from consumer.sinks.seal import Key, Unopened, key_of, seal, unseal
from consumer.sinks.token_topic import Place, TokenTopic, TopicStore
from consumer.sinks.tokens import FileStore, Pen, Tokens, TokenStore
from consumer.streams.memory import MemoryBroker, MemoryTable
from tests.sinks.test_bitrix24 import config
from tests.virtual import virtual

TOPIC = "vestnik.tokens"
SECRETS = {"NEW": "n" * 32, "OLD": "o" * 32, "SHORT": "s" * 31}
PAIR = {"access_token": "access-1", "refresh_token": "refresh-1", "expires_in": 3600}
NEXT = {"access_token": "access-2", "refresh_token": "refresh-2", "expires_in": 3600}


def by_name(ref: SecretRef) -> str | Trouble:
    return SECRETS.get(ref.env or "", Trouble("other", "none"))


class Shelf:
    """A broker in memory with the topic, and stores that share nothing but it."""

    def __init__(self) -> None:
        self.broker = MemoryBroker(lambda: 0.0)
        self.broker.create(TOPIC, 1)
        self.now = 1000.0

    def store(self, *keys: str, lane: str = "staff", replace: bool = False) -> TopicStore:
        first, *older = (SecretRef(env=name) for name in keys or ("NEW",))
        topic = TokenTopic(key=first, older_keys=tuple(older))
        place = Place(lane, topic, lambda: MemoryTable(self.broker, TOPIC), by_name)
        return TopicStore(place, replace=replace, wall=lambda: self.now)

    @property
    def values(self) -> list[bytes]:
        return [record.value for record in self.broker.records(TOPIC) if record.value is not None]


def stores(kind: str, folder: Path) -> Callable[[], TokenStore]:
    """Makes stores of one place, as two processes have them."""
    if kind == "file":
        return lambda: FileStore(folder / "tokens.json")
    return Shelf().store


async def held(store: TokenStore) -> Pen:
    pen = await store.hold()
    assert not isinstance(pen, (Blocked, Deferred)), pen
    return pen


async def write(store: TokenStore, document: dict[str, Any]) -> bool:
    pen = await held(store)
    try:
        return await pen.write(document)
    finally:
        await pen.release()


async def whole(store: TokenStore) -> object:
    found = await store.read()
    return dict(found.whole) if isinstance(found, Tokens) else found


def reason(found: object) -> str:
    assert isinstance(found, Blocked), found
    assert found.reason == "token_store"
    return found.detail


@pytest.mark.parametrize("kind", ["file", "topic"])
async def test_a_pair_is_read_whole_by_another_process_and_the_last_one_counts(kind: str, tmp_path: Path) -> None:
    store = stores(kind, tmp_path)
    first, second = store(), store()
    assert "authorise the application" in reason(await first.read())
    assert await write(first, PAIR)
    assert await whole(second) == PAIR
    assert await write(second, {**NEXT, "vestnik": {"obtained": 5.0}})
    assert await whole(first) == {**NEXT, "vestnik": {"obtained": 5.0}}
    assert "staff" in first.where or "tokens.json" in first.where


@pytest.mark.parametrize("kind", ["file", "topic"])
async def test_a_pen_that_writes_nothing_leaves_the_pair_as_it_was(kind: str, tmp_path: Path) -> None:
    store = stores(kind, tmp_path)
    assert await write(store(), PAIR)
    await (await held(store())).release()
    assert await whole(store()) == PAIR
    await (await held(store())).release()


async def test_nothing_in_the_topic_can_be_read_without_the_key() -> None:
    shelf = Shelf()
    assert await write(shelf.store(), PAIR)
    assert await write(shelf.store(), PAIR)
    everything = b"".join((record.key or b"") + (record.value or b"") for record in shelf.broker.records(TOPIC))
    assert [word for word in (b"access-1", b"refresh-1", b"3600") if word in everything] == []
    assert len(set(shelf.values)) == 2, "the same pair never looks the same"


async def test_a_key_is_rotated_by_naming_the_old_one_beside_the_new() -> None:
    shelf = Shelf()
    assert await write(shelf.store("OLD"), PAIR)
    assert await whole(shelf.store("NEW", "OLD")) == PAIR
    assert await write(shelf.store("NEW", "OLD"), NEXT)
    assert await whole(shelf.store("NEW")) == NEXT
    assert "another key" in reason(await shelf.store("OLD").read())


@pytest.mark.parametrize(
    "bytes_there",
    [
        b"", b"v1", b"\xff" * 200, json.dumps(PAIR).encode(), b"v2" + b"x" * 100,
        seal(Key(b"k" * 32, b"stranger"), b"staff", b"{}"),
    ],
    # A sealed text is never the same twice, and two processes must collect tests of the same names.
    ids=["nothing", "only a version", "noise", "in the clear", "another version", "another's key"],
)  # fmt: skip
async def test_what_cannot_be_opened_blocks_and_is_never_written_over(bytes_there: bytes) -> None:
    shelf = Shelf()
    shelf.broker.publish(TOPIC, bytes_there, key=b"staff")
    before = shelf.broker.records(TOPIC)
    store = shelf.store()
    assert "--replace" in reason(await store.read())
    assert "--replace" in reason(await store.hold())
    assert shelf.broker.records(TOPIC) == before
    shelf.now += 1
    assert await write(shelf.store(replace=True), PAIR)
    assert await whole(store) == PAIR, "a person said so"


async def test_foreign_bytes_that_come_during_a_refresh_are_not_written_over_either() -> None:
    shelf = Shelf()
    store = shelf.store()
    assert await write(store, PAIR)
    pen = await held(store)
    shelf.broker.publish(TOPIC, b"foreign", key=b"staff")
    before = shelf.broker.records(TOPIC)
    assert not await pen.write(NEXT)
    assert shelf.broker.records(TOPIC) == before


async def test_the_pair_of_one_lane_is_none_of_another() -> None:
    shelf = Shelf()
    assert await write(shelf.store(), PAIR)
    assert "holds no token pair" in reason(await shelf.store(lane="other").read())
    shelf.broker.publish(TOPIC, shelf.values[-1], key=b"other")
    assert "sealed for another lane" in reason(await shelf.store(lane="other").read())


async def test_a_pair_that_a_zombie_laid_upon_a_newer_one_gives_way_again() -> None:
    shelf = Shelf()
    owner = shelf.store()
    assert await write(owner, PAIR)
    (stale,) = shelf.values
    shelf.now += 100
    assert await write(owner, NEXT)
    shelf.broker.publish(TOPIC, stale, key=b"staff")
    assert await whole(shelf.store()) == PAIR
    assert await whole(owner) == NEXT
    assert await whole(shelf.store()) == NEXT, "put back for whoever comes next"


async def test_notes_of_a_zombie_do_not_bring_an_older_pair_back() -> None:
    shelf = Shelf()
    owner, zombie = shelf.store(), shelf.store()
    assert await write(owner, PAIR)
    pen = await held(zombie)
    assert await write(owner, NEXT)
    assert not await pen.write({**PAIR, "vestnik": {"learnt": {}}})
    assert await whole(shelf.store()) == NEXT
    assert await (await held(zombie)).write({**NEXT, "vestnik": {"learnt": {}}})


@virtual
async def test_a_topic_that_is_not_there_or_takes_nothing_blocks_before_anything_is_rotated() -> None:
    shelf = Shelf()
    store = shelf.store()
    assert await write(store, PAIR)
    pen = await held(store)
    shelf.broker.refuse(TOPIC, Trouble("not_authorised", ""))
    assert "cannot be written (not_authorised)" in reason(await store.hold())
    assert not await pen.write(NEXT)
    assert await whole(store) == PAIR
    shelf.broker.refuse(TOPIC, None)
    assert await pen.write(NEXT)
    shelf.broker.stall(TOPIC)
    assert "cannot be read (broker_unreachable)" in reason(await store.read())
    assert "cannot be read" in reason(await store.hold())


@pytest.mark.parametrize(("name", "word"), [("SHORT", "secret_unusable"), ("NONE", "secret_missing")])
async def test_a_key_that_is_none_blocks_by_its_place(name: str, word: str) -> None:
    store = Shelf().store("NEW", name)
    found = await store.read()
    assert isinstance(found, Blocked)
    assert (found.reason, f"environment variable {name}" in found.detail) == (word, True)
    assert SECRETS["SHORT"] not in repr(found)
    assert isinstance(await store.hold(), Blocked)


def test_sealed_bytes_open_by_their_key_in_their_place_alone_and_unchanged() -> None:
    key, other = key_of("k" * 32), key_of("o" * 32)
    assert key is not None
    assert other is not None
    sealed = seal(key, b"staff", b"text")
    assert unseal([other, key], b"staff", sealed) == b"text"
    assert isinstance(unseal([other], b"staff", sealed), Unopened)
    assert isinstance(unseal([key], b"else", sealed), Unopened)
    for at in range(len(sealed)):
        changed = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        assert isinstance(unseal([key, other], b"staff", changed), Unopened)
    assert "kkkk" not in repr(key)


def test_a_portal_names_one_place_for_its_tokens_and_check_says_when_the_extra_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    topic = {"key": {"env": "NEW"}}
    for change in ({"token_topic": topic}, {"token_file": None}):
        with pytest.raises(ValidationError, match="exactly one place"):
            config(**change)
    assert config(token_file=None, token_topic=topic).token_topic is not None
    monkeypatch.setattr("consumer.sinks.seal.find_spec", lambda name: None)
    with pytest.raises(ValidationError, match=r"vestnik\[tokens\]"):
        config(token_file=None, token_topic=topic)
