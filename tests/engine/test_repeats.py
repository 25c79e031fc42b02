"""A provider that knows its requests by keys: what was lost goes out again as it was, and nobody is told twice."""

import asyncio
import random

import pytest

from consumer.core.model import Batch, Blocked, Deferred, Refused, Verdict
from schemas.journal import Attempt, Landing, Repeat
from tests.engine.harness import LETTERS, Process, Provider, World, people, seconds
from tests.virtual import virtual

LOST = Deferred("timeout", same_key=True)


class Keyed(Provider):
    """Executes a request once, however often it comes; `requests` are all that came."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Batch] = []
        self.known: set[str] = set()

    def _accept(self, batch: Batch) -> None:
        self.requests.append(batch)
        if batch.id not in self.known:
            self.known.add(batch.id)
            super()._accept(batch)


class KeyedWorld(World):
    def __init__(self, **broker: float) -> None:
        super().__init__(1, **broker)
        self.keyed = self.provider = Keyed()

    def keyed_process(self) -> Process:
        process = self.process(quota=None)
        process.sink.idempotent = True
        return process

    def loses(self, answers: int) -> None:
        """So many answers get lost from now on."""
        left = [LOST] * answers

        def answer(batch: Batch) -> Verdict | None:
            return left.pop() if left else None

        self.provider.answer = answer

    def count(self, kind: type) -> int:
        return sum(isinstance(record, kind) for record in self.journal())


def told_the_same(requests: list[Batch]) -> bool:
    """Whether all requests are one to the provider: id, commands, order and words."""
    seen = {(r.id, tuple(c.id for c in r.commands), tuple(p.message for p in r.parcels)) for r in requests}
    return len(seen) == 1


@virtual
async def test_lost_answers_are_asked_for_again_in_one_attempt() -> None:
    world = KeyedWorld()
    world.loses(3)
    process = world.keyed_process().start()
    for person in people(20):
        world.publish(id=person, to=person, unsure="stop")
    await world.settled()
    assert world.ends() == {"delivered": 20}
    assert world.provider.repeats == {}
    first = world.keyed.requests[0].id
    again = [request for request in world.keyed.requests if request.id == first]
    assert len(again) >= 2
    assert told_the_same(again)
    landings = [record for record in world.journal() if isinstance(record, Landing)]
    assert len(landings) == world.count(Attempt)
    assert {landing.verdict for landing in landings} == {"delivered"}
    await process.stop()
    assert all(fact.drift == 0 for fact in process.facts if hasattr(fact, "drift"))


@pytest.mark.parametrize("unsure", ["repeat", "stop"])
def test_what_a_dead_owner_left_on_the_wire_goes_out_again_under_its_key(unsure: str) -> None:
    @virtual
    async def run() -> None:
        world = KeyedWorld(session_seconds=5.0, rebalance_seconds=5.0)
        first = world.keyed_process().start()
        await seconds(2)
        second = world.keyed_process().start()
        world.provider.latency_seconds = 4.0
        world.publish(id="e1", to="u1", unsure=unsure, texts=["a", "b"], thread="o", rank=1)
        await seconds(3)
        await first.kill()
        await world.settled(600)
        assert world.ends() == {"delivered": 1}
        assert len(world.keyed.requests) == 2
        assert told_the_same(world.keyed.requests)
        assert world.provider.repeats == {}
        assert second.lane.view().in_doubt == 0
        await second.stop()

    run()


@virtual
async def test_an_attempt_in_which_three_processes_died_is_a_dead_letter() -> None:
    world = KeyedWorld()
    world.provider.latency_seconds = 20.0
    world.publish(id="bad", to="u1", unsure="repeat")
    for _ in range(3):
        process = world.keyed_process().start()
        await wait_for_request(world)
        await process.kill()
    last = world.keyed_process().start()
    world.provider.latency_seconds = 0.1
    world.publish(id="good", to="u2")
    await world.settled(3600)
    assert world.ends() == {"refused": 1, "delivered": 1}
    (letter,) = world.broker.records(LETTERS)
    assert dict(letter.headers)["vestnik-reason"] == b"kills_the_process"
    assert letter.value is not None
    assert b'"bad"' in letter.value
    assert len({request.id for request in world.keyed.requests if request.commands[0].recipient == "u1"}) <= 1
    await last.stop()


async def wait_for_request(world: KeyedWorld) -> None:
    """Until an owner has written that its request goes out."""
    before = sends(world)
    async with asyncio.timeout(600):
        while sends(world) == before:  # noqa: ASYNC110 - virtual time
            await asyncio.sleep(0.1)
    await asyncio.sleep(1)


def sends(world: KeyedWorld) -> int:
    return sum(isinstance(r, Attempt) or (isinstance(r, Repeat) and r.sent) for r in world.journal())


@virtual
async def test_an_outage_over_many_restarts_kills_nobody() -> None:
    world = KeyedWorld()
    world.loses(1000)
    world.publish(id="e1", to="u1")
    for _ in range(6):
        process = world.keyed_process().start()
        await seconds(90)
        await process.stop()
    world.loses(0)
    process = world.keyed_process().start()
    await world.settled()
    assert world.ends() == {"delivered": 1}
    assert world.provider.repeats == {}
    assert list(world.broker.records(LETTERS)) == []
    assert world.count(Attempt) == 1
    await process.stop()


@virtual
async def test_a_rebalance_in_an_outage_loses_no_attempt() -> None:
    world = KeyedWorld(session_seconds=6.0, rebalance_seconds=4.0)
    world.loses(30)
    owner = world.keyed_process().start()
    for person in people(5):
        world.publish(id=person, to=person)
    await seconds(5)
    others = []
    for _ in range(3):
        others.append(world.keyed_process().start())
        await seconds(20)
    await world.settled(7200)
    assert world.ends() == {"delivered": 5}
    assert world.provider.repeats == {}
    for process in [owner, *others]:
        await process.stop()


@pytest.mark.parametrize(("unsure", "end"), [("stop", "unknown"), ("repeat", "expired")])
def test_what_expires_before_its_answer_is_known_ends_as_its_route_wants(unsure: str, end: str) -> None:
    @virtual
    async def run() -> None:
        world = KeyedWorld()
        world.loses(1000)
        process = world.keyed_process().start()
        world.publish(id="e1", to="u1", ttl=600.0, unsure=unsure)
        await world.settled(3600)
        assert world.ends() == {end: 1}
        await process.stop()

    run()


@pytest.mark.parametrize("verdict", [Blocked("wrong_key"), Deferred("limit", 3.0, limit=True), Deferred("connect")])
def test_a_repeat_that_did_not_happen_undoes_nothing(verdict: Verdict) -> None:
    """The first request had happened; only its answer was lost."""

    @virtual
    async def run() -> None:
        world = KeyedWorld()
        answers = [LOST]
        moods = [verdict, None]

        def mood(batch: Batch) -> Verdict | None:
            return moods.pop() if moods else None

        world.provider.answer = lambda batch: answers.pop() if answers else None
        world.provider.mood = mood
        process = world.keyed_process().start()
        world.publish(id="e1", to="u1", unsure="stop")
        await world.settled()
        assert not moods
        assert world.ends() == {"delivered": 1}
        assert world.provider.repeats == {}
        assert told_the_same(world.keyed.requests)
        await process.stop()

    run()


@pytest.mark.parametrize(("unsure", "end"), [("stop", "unknown"), ("repeat", "delivered")])
def test_a_refused_repeat_tells_nobody_under_a_new_key_whom_its_route_does_not(unsure: str, end: str) -> None:
    """The first request had happened; only its answer was lost (seed 2146 of the worlds)."""

    @virtual
    async def run() -> None:
        world = KeyedWorld()
        world.loses(1)
        moods: list[Verdict | None] = [Refused("bad_text"), None]
        world.provider.mood = lambda _: moods.pop() if moods else None
        process = world.keyed_process().start()
        for person in people(3):
            world.publish(id=person, to=person, unsure=unsure)
        await world.settled()
        assert not moods
        assert world.ends() == {end: 3}
        assert len(world.provider.repeats) == (0 if unsure == "stop" else 3)
        await process.stop()

    run()


@virtual
async def test_a_request_that_always_fails_starves_nobody() -> None:
    world = KeyedWorld()
    world.provider.answer = lambda batch: LOST if batch.commands[0].recipient == "bad" else None
    process = world.keyed_process().start()
    world.publish(id="bad", to="bad", texts=["bad"], ttl=7200.0)
    await seconds(5)
    for person in people(30):
        world.publish(id=person, to=person, texts=[person])
        await seconds(1)
    await seconds(600)
    assert world.provider.told == {"bad", *people(30)}
    await process.stop()


@pytest.mark.parametrize("seed", range(20))
def test_kills_and_lost_answers_at_random_tell_everybody_once(seed: int) -> None:
    @virtual
    async def run() -> None:
        dice = random.Random(seed)
        world = KeyedWorld(session_seconds=6.0, rebalance_seconds=5.0)
        world.provider.answer = lambda _: LOST if dice.random() < 0.3 else None
        process = world.keyed_process().start()
        published = 0
        for _ in range(8):
            world.provider.latency_seconds = dice.choice([0.06, 0.5, 3.0])
            for _ in range(dice.randrange(12)):
                unsure = dice.choice(["repeat", "stop"])
                world.publish(id=f"e{published}", to=f"u{published}", texts=[f"{dice.randrange(6)}"], unsure=unsure)
                published += 1
            await seconds(dice.uniform(0.0, 25.0))
            end = process.kill if dice.random() < 0.5 else process.stop
            await end()
            process = world.keyed_process().start()
        world.loses(0)
        await world.settled()
        ends = world.ends()
        assert ends.total() == published
        assert set(ends) <= {"delivered", "refused"}
        assert world.provider.repeats == {}
        assert len(world.provider.told) >= ends["delivered"]
        await process.stop()

    run()
