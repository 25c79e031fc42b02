"""The story of one thing, gathered: from the sources, the backfill topics, the journals, the dead letters, and the
processes that run."""

import asyncio
from collections.abc import Callable, Collection, Iterable

from consumer.app import asking, wiring
from consumer.app.dead import letter_of
from consumer.app.profiles import backfill_topic, lane_profile
from consumer.app.setup import Setup
from consumer.app.why_dossier import Dossier, Looked, Question, Sight
from consumer.core.backfill import Backfilled, backfilled_of, is_backfilled
from consumer.core.model import Plan, Position, Record, TopicPartition, Trouble
from consumer.core.ports import Entry
from consumer.core.sending import is_sending
from consumer.core.story import Asked, Chronicle
from consumer.core.story_routes import Explained, Explainer
from consumer.core.story_subject import Kind, Subject
from consumer.streams.codec import decoded
from consumer.streams.ranges import RangeReader, Stretch, at, partition_of, range_reader
from consumer.streams.reading import committed_offsets
from consumer.streams.settings import KafkaSettings
from schemas.envelope import Event

# What a terminal can tell of one customer.
SIGHTS_MOST = 200


async def investigate(setup: Setup, settings: KafkaSettings, question: Question) -> Dossier | Trouble:
    """Everything that the brokers and the processes know of the term."""
    async with range_reader(settings) as reader:
        if isinstance(reader, Trouble):
            return reader
        search = _Search(setup, settings, reader, question)
        trouble = await search.run()
    return trouble or search.dossier


class _Search:
    """One investigation, step by step; each step returns the trouble that ends it."""

    def __init__(self, setup: Setup, settings: KafkaSettings, reader: RangeReader, question: Question) -> None:
        self.dossier = Dossier(question, Subject.of(question.term))
        self._setup = setup
        self._settings = settings
        self._reader = reader
        self._question = question
        self._formats = setup.sources.formats
        profiles = {lane: lane_profile(setup.config, lane, self._formats) for lane in question.lanes}
        self._explainers = {lane: Explainer(profile, setup.routes) for lane, profile in profiles.items()}
        self._limit = max(setup.config.lane(lane).event_limit for lane in question.lanes)

    async def run(self) -> Trouble | None:
        subject = self.dossier.subject
        if subject.position is not None:
            steps = [lambda: self._see_places({subject.position})]
        elif subject.command is not None:
            steps = [self._find_command]
        else:
            steps = [self._see_sources, self._see_backfills]
        for step in (*steps, self._read_journals, self._read_letters):
            trouble = await step()
            if trouble is not None:
                return trouble
        await self._ask_groups()
        await self._ask_processes()
        return None

    # --- records ------------------------------------------------------------------------------------------------------

    async def _see_sources(self) -> Trouble | None:
        """First the partitions to which Kafka's own clients give the term as a key: where it is a customer with such
        records, those are all. Then the others."""
        key = self._question.term.encode("utf-8", "surrogatepass")
        for topic in self._setup.config.topics.sources:
            stretches = await self._reader.freeze_topic(topic, self._question.since)
            if isinstance(stretches, Trouble):
                return stretches
            likely = partition_of(key, len(stretches))
            first = [each for each in stretches if each.partition.partition == likely]
            rest = [each for each in stretches if each.partition.partition != likely]
            read = 0
            for some in (first, rest):
                before = len(self.dossier.sights)
                count = await self._scan(some, self._note)
                if isinstance(count, Trouble):
                    return count
                read += count
                seen = self.dossier.sights[before:]
                if seen and all(each.kind is Kind.CUSTOMER for each in seen):
                    self._looked(topic, len(some), len(stretches), read)
                    break
            else:
                self._looked(topic, len(stretches), len(stretches), read)
        return None

    async def _see_backfills(self) -> Trouble | None:
        return await self._through_all(map(backfill_topic, self._question.lanes), self._note)

    def _looked(self, topic: str, partitions: int, of: int, records: int) -> None:
        self.dossier.looked.append(Looked(topic, partitions, of, records))

    async def _through_all(self, topics: Iterable[str], note: Callable[[Record], None]) -> Trouble | None:
        """The same of all topics that there are."""
        for topic in topics:
            trouble = await self._through(topic, note)
            if trouble is not None and trouble.reason != "topic_missing":
                return trouble
        return None

    async def _through(
        self, topic: str, note: Callable[[Record], None], only: TopicPartition | None = None
    ) -> Trouble | None:
        """Note every record of a topic, or of one partition of it, since the question's moment, and tell once how many
        there were."""
        stretches = await self._reader.freeze_topic(topic, self._question.since)
        if isinstance(stretches, Trouble):
            return stretches
        part = [each for each in stretches if only in (None, each.partition)]
        count = await self._scan(part, note)
        if isinstance(count, Trouble):
            return count
        if only is not None and len(stretches) > 1:
            self._looked(f"{topic}/{only.partition}", 1, 1, count)
        elif all(each.topic != topic for each in self.dossier.looked):
            self._looked(topic, len(part), len(part), count)
        return None

    async def _scan(self, stretches: Collection[Stretch], note: Callable[[Record], None]) -> int | Trouble:
        """Note every record; how many there were."""
        count = 0
        async for found in self._reader.read(stretches):
            if isinstance(found, Trouble):
                return found
            if trouble := await self._setup.sources.learn([self._original(record)[0] for record in found]):
                return trouble
            count += len(found)
            for record in found:
                note(record)
            await asyncio.sleep(0)
        return count

    def _note(self, record: Record) -> None:
        """A record that names the term is a sight of it."""
        subject = self.dossier.subject
        if not subject.may_be_in(record):
            return
        original, _ = self._original(record)
        event = self._formats.read(original, self._limit).event
        if isinstance(event, Event):
            kind = subject.kind_in(event)
            if kind is not None:
                self._keep(record, kind)
        elif self._may_name(original):
            self._keep(record, Kind.CUSTOMER if subject.is_key_of(record) else None)

    def _may_name(self, record: Record) -> bool:
        """Whether a record that is no event is about the term all the same, as far as its bytes tell."""
        if self.dossier.subject.is_key_of(record):
            return True
        quoted = [b'"' + needle + b'"' for needle in self.dossier.subject.needles]
        return record.value is not None and any(each in record.value for each in quoted)

    def _original(self, record: Record) -> tuple[Record, Backfilled | None]:
        """The record as it first stood."""
        of_backfill = record.position.topic in {backfill_topic(lane) for lane in self._question.lanes}
        old = backfilled_of(record) if of_backfill and is_backfilled(record) else None
        return (old.record, old) if isinstance(old, Backfilled) else (record, None)

    def _keep(self, record: Record, kind: Kind | None) -> None:
        if len(self.dossier.sights) >= SIGHTS_MOST:
            self.dossier.left_out += 1
            return
        original, old = self._original(record)
        lane = next((each for each in self._question.lanes if backfill_topic(each) == record.position.topic), None)
        event = self._formats.read(original, self._limit).event
        explained = {
            name: explainer.explain(record)
            for name, explainer in self._explainers.items()
            if lane in (None, name) and self._has(name, record)
        }
        sending = lane is not None and is_sending(record, backfill_topic(lane))
        known = event if isinstance(event, Event) else None
        self.dossier.sights.append(Sight(record, original, kind, known, lane, old, sending, explained))

    def _has(self, name: str, record: Record) -> bool:
        """Whether the record is the lane's, which may be a share with partitions of its own."""
        return self._setup.config.share(name).has(record.position.topic, record.position.partition)

    async def _see_places(self, places: Iterable[Position | None]) -> Trouble | None:
        """Records by their places; those that are gone are passed over."""
        for place in sorted(each for each in places if each is not None and each.offset >= 0):
            stretches = await self._reader.freeze_topic(place.topic)
            if isinstance(stretches, Trouble):
                self.dossier.troubles.append(f"{stretches.reason} {stretches.detail}")
                continue
            part = at(stretches, place)
            if not part:
                self.dossier.troubles.append(f"{':'.join(map(str, place))} is not (or no more) in its topic")
                continue
            count = await self._scan(part, lambda record: self._keep(record, Kind.RECORD))
            if isinstance(count, Trouble):
                return count
            self._looked(place.topic, 1, len(stretches), 1)
        return None

    # --- one command --------------------------------------------------------------------------------------------------

    async def _find_command(self) -> Trouble | None:
        """Its records: as the journal names them, else a dead letter, else its owner, else by planning everything."""
        id_ = self.dossier.focus = self.dossier.subject.command or ""
        trouble = await self._read_journals()
        if trouble is not None:
            return trouble
        places = {
            place for chronicle in self.dossier.chronicles.values() for life in chronicle.lives.values()
            for place in life.positions
        }  # fmt: skip
        if not places:
            trouble = await self._read_letters()
            places = {letter.origin for letter in self.dossier.letters}
        if not places and trouble is None:
            await self._ask_processes()
            told = [lane.get("commands", {}).get(id_) for lane in self.dossier.live.values()]
            places = {Position(*place) for each in told if each for place in each["positions"]}
        if places or trouble is not None:
            return trouble or await self._see_places(places)
        return await self._plan_everything(id_)

    async def _plan_everything(self, id_: str) -> Trouble | None:
        """What ended without a request stands in the journal by its id alone: find the record that makes it."""

        def note(record: Record) -> None:
            planned = (each.plan(record) for name, each in self._explainers.items() if self._has(name, record))
            if any(id_ in _ids(plan) for plan in planned):
                self._keep(record, Kind.COMMAND)

        topics = [*self._setup.config.topics.sources, *map(backfill_topic, self._question.lanes)]
        return await self._through_all(topics, note)

    # --- what came of it ----------------------------------------------------------------------------------------------

    async def _read_journals(self) -> Trouble | None:
        if self.dossier.focus and self.dossier.chronicles:
            return None  # one command was looked for here first
        for lane in self._question.lanes:
            chronicle = Chronicle(self._asked(lane))

            def note(record: Record, chronicle: Chronicle = chronicle) -> None:
                chronicle.apply(Entry(record.position.offset, record.timestamp, decoded(record.value)))

            trouble = await self._through(wiring.journal_topic(lane), note, wiring.journal_place(lane))
            if trouble is not None:
                return trouble
            self.dossier.chronicles[lane] = chronicle
        return None

    def _asked(self, lane: str) -> Asked:
        """What a lane's journal is asked for: one command, or all that was seen."""
        if self.dossier.focus:
            return Asked(frozenset({self.dossier.focus}))
        ids = frozenset(id_ for id_ in self.dossier.commands(lane) if id_)
        positions = frozenset(sight.record.position for sight in self.dossier.sights)
        return Asked(ids, positions, self._recipients())

    def _recipients(self) -> frozenset[str]:
        """Whoever is told by hand, or by routes that are gone, is known by their address alone."""
        return self.dossier.subject.recipients if set(self.dossier.kinds) <= {Kind.CUSTOMER} else frozenset()

    async def _read_letters(self) -> Trouble | None:
        places = {sight.original.position for sight in self.dossier.sights}
        ids = self._commands()
        self.dossier.letters.clear()

        def note(record: Record) -> None:
            letter = letter_of(record)
            if letter is None or letter.head.lane not in self._question.lanes:
                return
            by_command = letter.command is not None and letter.command in ids
            if by_command or (not self.dossier.focus and letter.origin in places):
                self.dossier.letters.append(letter)

        return await self._through(self._setup.config.topics.dead_letters, note)

    async def _ask_groups(self) -> None:
        """How far each lane has committed the topics in which something was seen."""
        topics = sorted({sight.record.position.topic for sight in self.dossier.sights})
        if not topics:
            return
        sources = set(self._setup.config.topics.sources)

        async def ask(lane: str) -> None:
            its = [topic for topic in topics if topic in sources or topic == backfill_topic(lane)]
            found = await committed_offsets(self._settings, wiring.group_name(lane), its) if its else {}
            if isinstance(found, Trouble):
                self.dossier.troubles.append(f"the offsets of {lane}: {found.reason} {found.detail}".rstrip())
            else:
                self.dossier.committed[lane] = found

        await asyncio.gather(*map(ask, self._question.lanes))

    async def _ask_processes(self) -> None:
        """Where what has no end yet waits: only its owner knows."""
        ids = sorted(self._unfinished())
        if not ids or self.dossier.live:
            return
        for url in self._question.urls:
            told = await asking.fetched_whereabouts(url, ids)
            if isinstance(told, str):
                self.dossier.troubles.append(told)
                continue
            for name, lane in told["lanes"].items():
                if name in self._question.lanes and (lane.get("owner") or name not in self.dossier.live):
                    self.dossier.live[name] = lane

    def _unfinished(self) -> set[str]:
        ended = {id_ for each in self.dossier.chronicles.values() for id_, life in each.lives.items() if life.end}
        return self._commands() - ended

    def _commands(self) -> set[str]:
        """The commands in question."""
        if self.dossier.focus:
            return {self.dossier.focus}
        return {id_ for lane in self._question.lanes for id_ in self.dossier.commands(lane)}


def _ids(plan: Plan) -> set[str]:
    """All commands that a record is planned into."""
    commands = Explained(plan).commands
    return {command.id.hex() for command in commands}
