"""What goes wrong in a world, and how it is put right again."""

import asyncio
import math
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from consumer.core.control import Order, order_row
from consumer.core.model import Blocked, Deferred, Position, TopicPartition, Trouble
from consumer.core.ports import Row
from consumer.core.suppressions import Suppression, suppression_row
from tests.world.adapters import CONTROL, GROUP, JOURNAL, LETTERS, LISTED, SOURCE
from tests.world.evidence import Word
from tests.world.lives import Mine
from tests.world.moments import CALLS, MOMENTS
from tests.world.pods import LIST_KEY, Pod, Span, Surroundings, Town


class Nemesis:
    """Until `end`, it draws one fault after another; then every spell is lifted."""

    def __init__(self, around: Surroundings, town: Town, dice: random.Random) -> None:
        self.spans: list[Span] = []
        self.clock_steps: list[float] = []
        self.words: list[Word] = []
        self.done: list[str] = []
        self._around = around
        self._town = town
        self._dice = dice
        self._spells: set[asyncio.Task[None]] = set()
        self._mood = around.provider.mood
        self._air = around.design.weather
        self.skew = 0.0

    async def rage(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        faults = self._around.design.faults
        while faults:
            pause = self._dice.expovariate(1.0 / self._around.design.pause_seconds)
            if loop.time() + pause > until:
                break
            await asyncio.sleep(pause)
            self._cast(self._dice.choice(faults))
        await asyncio.sleep(max(until - loop.time(), 0.0))

    def _cast(self, fault: str) -> None:
        self.done.append(fault)
        self._around.witness.note("fault", fault)
        spell: Callable[[], Awaitable[None]] = getattr(self, f"fault_{fault}")
        self._start(_awaited(spell))

    async def end(self) -> None:
        """Faults stop; what was broken is whole again."""
        for task in self._spells:
            task.cancel()
        await asyncio.gather(*self._spells, return_exceptions=True)
        for pod in self._town.alive:
            pod.life.mine = None
        failed = [task.exception() for task in self._spells if not task.cancelled() and task.exception()]
        if failed:
            raise RuntimeError("the nemesis itself failed") from failed[0]

    def _start(self, spell: Coroutine[Any, Any, None]) -> None:
        self._spells.add(self._around.outside.spawn(spell))

    def _victim(self) -> Pod | None:
        alive = [pod for pod in self._town.alive if pod.life.runs]
        if not alive:
            return None
        owners = [pod for pod in alive if pod.lane is not None and pod.lane.view().state == "working"]
        return self._dice.choice(owners if owners and self._dice.random() < 0.7 else alive)

    def _while(self) -> float:
        """How long a spell lasts: mostly seconds, sometimes minutes."""
        return min(self._dice.lognormvariate(2.0, 1.2), 120.0)

    @asynccontextmanager
    async def _span(self, what: str, pod: Pod | None = None) -> AsyncIterator[None]:
        span = Span(asyncio.get_running_loop().time(), what=what)
        (self.spans if pod is None else pod.spans).append(span)
        try:
            yield
        finally:
            span.until = asyncio.get_running_loop().time()

    # --- processes ----------------------------------------------------------------------------------------------------

    async def fault_kill(self) -> None:
        pod = self._victim()
        if pod is not None:
            pod.life.kill()

    async def fault_mine(self) -> None:
        pod = self._victim()
        if pod is not None:
            call = self._dice.choice(CALLS)
            pod.life.mine = Mine(call, self._dice.choice([1, 1, 1, 2, 5, 20]), self._dice.random() < 0.5)

    async def fault_freeze(self) -> None:
        pod = self._victim()
        if pod is None:
            return
        async with self._span("frozen", pod):
            pod.life.freeze()
            pod.tie("frozen")
            try:
                await asyncio.sleep(self._while())
            finally:
                pod.life.thaw()
                pod.untie("frozen")

    async def fault_cut(self) -> None:
        pod = self._victim()
        if pod is None:
            return
        async with self._span("cut", pod):
            pod.tie("cut")
            try:
                await asyncio.sleep(self._while())
            finally:
                pod.untie("cut")

    async def _until_aloft(self) -> Pod | None:
        """A process that has a request on the wire, if there is one soon."""
        for _ in range(300):
            for pod in self._town.alive:
                if pod.life.runs and pod.lane is not None and pod.lane.view().requests_in_flight:
                    return pod
            await asyncio.sleep(0.1)
        return None

    async def fault_zombie(self) -> None:
        """An owner is cut off or stands still while a request of it is on its way, and comes back after another took
        over: before that one guesses, or long after."""
        self._start(self._spell(latency_seconds=self._dice.choice([0.3, 3.0, 8.0])))
        pod = await self._until_aloft()
        if pod is None:
            return
        what = self._dice.choice(["cut", "frozen"])
        design = self._around.design
        async with self._span(what, pod):
            if what == "frozen":
                pod.life.freeze()
            pod.tie(what)
            try:
                await asyncio.sleep(design.session_seconds + self._dice.uniform(0.0, 1.5 * design.timeout_seconds))
            finally:
                pod.life.thaw()
                pod.untie(what)
        if self._dice.random() < 0.5:
            await self._give_back_to(pod)

    async def _give_back_to(self, pod: Pod) -> None:
        """Whoever took over dies, so that the one that was away may own the lane again, with all that it believes."""
        await asyncio.sleep(self._dice.uniform(0.2, 4.0))
        for other in list(self._town.alive):
            if other is not pod:
                other.life.kill()

    async def fault_stop(self) -> None:
        pod = self._victim()
        if pod is not None:
            pod.stop()

    async def fault_stop_amid(self) -> None:
        """SIGTERM at a moment of a certain kind, if one comes soon."""
        moment = self._dice.choice(sorted(MOMENTS))
        for _ in range(200):
            for pod in self._town.alive:
                view = pod.view
                if pod.life.runs and view is not None and MOMENTS[moment](view):
                    self.done.append(f"stop {moment}")
                    pod.stop()
                    return
            await asyncio.sleep(0.1)

    async def fault_rolling(self) -> None:
        for pod in list(self._town.alive):
            pod.stop()
            await asyncio.sleep(self._dice.uniform(1.0, 10.0))

    async def fault_crash_loop(self) -> None:
        for _ in range(5):
            await self.fault_kill()
            await asyncio.sleep(5.0)

    # --- the broker ---------------------------------------------------------------------------------------------------

    async def fault_outage(self) -> None:
        around = self._around
        if around.broker_down:
            return
        async with self._span("outage"):
            around.broker_down = True
            pods = list(self._town.alive)
            for pod in pods:
                pod.tie("outage")
            try:
                await asyncio.sleep(self._while())
            finally:
                around.broker_down = False
                for pod in self._town.pods:
                    if pod._ties["outage"]:
                        pod.untie("outage")

    async def fault_journal(self) -> None:
        await self._topic(JOURNAL)

    async def fault_letters(self) -> None:
        await self._topic(LETTERS)

    async def _topic(self, name: str) -> None:
        """No writes, or neither reads nor writes."""
        broker = self._around.broker
        door = self._dice.choice([broker.refuse, broker.stall])
        async with self._span(name):
            door(name, Trouble("other", "full"))
            try:
                await asyncio.sleep(self._while())
            finally:
                door(name, None)

    async def fault_rebalance(self) -> None:
        self._around.outside.call(self._around.broker.group(GROUP).rebalance)

    async def fault_storm(self) -> None:
        for _ in range(self._dice.randrange(3, 12)):
            await self.fault_rebalance()
            await asyncio.sleep(2.0)

    async def _weather_spell(self, **changes: Any) -> None:
        before = {name: getattr(self._air, name) for name in changes}
        async with self._span("weather"):
            for name, value in changes.items():
                setattr(self._air, name, value)
            try:
                await asyncio.sleep(self._while())
            finally:
                for name, value in before.items():
                    setattr(self._air, name, value)

    async def fault_weather(self) -> None:
        dice = self._dice
        await self._weather_spell(
            delay_seconds=dice.choice([0.01, 0.5, 2.0]),
            read_seconds=dice.choice([0.0, 0.5, 3.0]),
            stuck=dice.choice([0.0, 0.05]),
            doubled=dice.choice([0.0, 0.2]),
        )

    async def fault_clock(self) -> None:
        """The broker's clock steps, and may come back."""
        self.skew = self._dice.choice([0.0, self._dice.uniform(-180.0, 180.0)])
        self.clock_steps.append(self.skew)

    async def fault_trim(self) -> None:
        """Retention takes records, perhaps some that nobody has read."""
        around = self._around
        for topic in around.design.topics:
            for partition, log in enumerate(around.broker.topics[topic].logs):
                committed = around.broker.group(GROUP).offsets.get(TopicPartition(topic, partition), 0)
                before = self._dice.randint(log.beginning, max(log.beginning, (committed + log.end) // 2))
                for offset in range(max(log.beginning, committed), before):
                    around.witness.trimmed.add(Position(topic, partition, offset))
                around.broker.trim(topic, partition, before)

    async def fault_grow(self) -> None:
        count = len(self._around.broker.topics[SOURCE].logs)
        if count < 4:
            self._around.outside.call(self._around.broker.create, SOURCE, count + 1)

    async def fault_coordinator(self) -> None:
        """Nobody commits, and a rebalance comes to no end; records are read and written all the same."""
        group = self._around.broker.group(GROUP)
        if group.down:
            return
        async with self._span("coordinator"):
            group.lose()
            try:
                await asyncio.sleep(self._while())
            finally:
                self._around.outside.call(group.regain)

    async def fault_tables(self) -> None:
        """What people say cannot be read."""
        await self._topic(self._dice.choice([LISTED, CONTROL]))

    # --- people -------------------------------------------------------------------------------------------------------

    async def _say(self, who: str, begins: Row, ends: Row, seconds: float) -> None:
        """Publish a word, and after a while take it back, even when the world calms down before."""
        broker, loop = self._around.broker, asyncio.get_running_loop()
        topic = LISTED if who else CONTROL
        since, place = loop.time(), len(self.words)
        self.words.append(Word(who, since))
        broker.publish(topic, begins.value, key=begins.key)
        try:
            await asyncio.sleep(seconds)
        finally:
            broker.publish(topic, ends.value, key=ends.key)
            self.words[place] = Word(who, since, loop.time())

    async def fault_pause(self) -> None:
        if any(not word.who and word.until == math.inf for word in self.words):
            return
        since = datetime.fromtimestamp(self._around.broker.clock(), UTC)
        pause, resume = (Order(paused=paused, who="somebody", since=since) for paused in (True, False))
        await self._say("", Row(*order_row("push", pause)), Row(*order_row("push", resume)), self._while())

    async def fault_listing(self) -> None:
        """Some of those whom the shop has news for do not want to be told any more, for some time."""
        recent = list(self._around.witness.shop.expected.values())[-30:]
        listed = {word.who for word in self.words if word.until == math.inf}
        chosen = {wanted.recipient: None for wanted in self._dice.sample(recent, min(len(recent), 5))}
        for who in chosen:
            if who not in listed:
                on, off = (Row(*suppression_row(LIST_KEY, who, said)) for said in (Suppression(reason="asked"), None))
                self._start(self._say(who, on, off, self._dice.uniform(20.0, 150.0)))

    # --- the provider -------------------------------------------------------------------------------------------------

    async def _spell(self, **changes: Any) -> None:
        provider = self._around.provider
        provider.mood = replace(provider.mood, **changes)
        try:
            await asyncio.sleep(self._while())
        finally:
            provider.mood = self._mood

    async def fault_sick(self) -> None:
        dice = self._dice
        await self._spell(
            bad_gateway=dice.choice([0.1, 0.5]), reset=dice.choice([0.1, 0.3]), hang=dice.choice([0.0, 0.3])
        )

    async def fault_down(self) -> None:
        await self._spell(no_connection=self._dice.choice([0.5, 1.0]))

    async def fault_blocked(self) -> None:
        await self._spell(blocked=True)

    async def fault_unfit(self) -> None:
        await self._spell(unfit=self._dice.choice([Blocked("token"), Deferred("token", 2.0), Deferred("token")]))

    async def _late_once(self) -> None:
        """One request gets lost among many that do not, so that the lane is not made careful by it."""
        provider = self._around.provider
        before = len(provider.requests)
        provider.mood = replace(provider.mood, late=1.0)
        try:
            while len(provider.requests) == before:  # noqa: ASYNC110 - virtual time
                await asyncio.sleep(0.1)
        finally:
            provider.mood = self._mood

    async def fault_late(self) -> None:
        """Bytes come after the timeout; perhaps nobody is there any more who knows of them."""
        if self._dice.random() < 0.5:
            await self._late_once()
            return
        self._start(self._spell(late=0.5))
        await self._until_aloft()
        await self.fault_kill()


async def _awaited(spell: Callable[[], Awaitable[None]]) -> None:
    await spell()
