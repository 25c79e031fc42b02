"""The story of one thing in lines, in the order of time: from its record to the provider's answer and the commit."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from consumer.app import why_words as words
from consumer.app.masking import clipped
from consumer.app.why_dossier import Dossier, Sight
from consumer.core.model import Command, Ignored, Position, Rejected
from consumer.core.redrive import Letter
from consumer.core.redrive_advice import ADVICE
from consumer.core.story import Life
from consumer.core.story_routes import Answer, Explained
from schemas.bonus import BonusEvent
from schemas.order import OrderEvent


class Line(NamedTuple):
    """One thing that happened. `at` is seconds since 1970, None for how it stands now. `more` is for machines."""

    at: float | None
    lane: str
    what: str
    words: str
    more: dict[str, Any]


@dataclass(slots=True)
class Chapter:
    """One record, or commands of which no record is at hand."""

    title: str
    place: str
    lines: list[Line] = field(default_factory=list)
    event: dict[str, Any] = field(default_factory=dict)

    def say(self, at: float | None, lane: str, what: str, text: str, **more: Any) -> None:
        self.lines.append(Line(at, lane, what, text, more))


@dataclass(slots=True)
class Story:
    """All chapters, and how the commands stand: the number of each outcome, of those that wait, and of the unknown."""

    chapters: list[Chapter]
    states: Counter[str]


def tell(dossier: Dossier, *, reveal: bool) -> Story:
    """The dossier as a story."""
    return _Teller(dossier, reveal=reveal).story()


def spelt_place(place: Position) -> str:
    return ":".join(map(str, place))


class _Teller:
    def __init__(self, dossier: Dossier, *, reveal: bool) -> None:
        self._dossier = dossier
        self._reveal = reveal
        self._now = dossier.question.now
        self._told: dict[tuple[str, str], str] = {}
        self._states: Counter[str] = Counter()

    def story(self) -> Story:
        sights = sorted(self._dossier.sights, key=lambda sight: (sight.record.timestamp, sight.record.position))
        chapters = [self._chapter(sight) for sight in sights]
        chapters += self._loose()
        for chapter in chapters:
            chapter.lines.sort(key=lambda line: self._now if line.at is None else line.at)
        return Story(chapters, self._states)

    # --- one record ---------------------------------------------------------------------------------------------------

    def _chapter(self, sight: Sight) -> Chapter:
        chapter = Chapter(*_titled(sight))
        self._seen(chapter, sight)
        for lane, explained in sight.explained.items():
            self._plan(chapter, sight, lane, explained)
        if sight.explained and all(isinstance(each.plan, Ignored) for each in sight.explained.values()):
            self._states["ignored"] += 1
        for letter in self._dossier.letters:
            if letter.origin == sight.original.position and sight.lane in (None, letter.head.lane):
                self._letter(chapter, letter)
        self._committed(chapter, sight)
        return chapter

    def _seen(self, chapter: Chapter, sight: Sight) -> None:
        record, event = sight.record, sight.event
        key = (record.key or b"").decode("utf-8", "backslashreplace")
        text = f"published with the key {words.person(key, reveal=self._reveal)}" if key else "published without a key"
        happened = None
        if event is not None:
            happened = event.occurred_at.timestamp()
            before = sight.original.timestamp - happened
            text += f"; it happened {words.short(before)} before" if before >= 0 else "; it happens in the future"
            chapter.event = {
                "type": event.type,
                "event_id": event.event_id,
                "occurred_at": event.occurred_at.isoformat(),
                "shop": event.shop,
            }
        if sight.sending:
            text = "a message that a person sent with `vestnik send`"
        if sight.backfilled is not None:
            old = sight.backfilled
            how = f"redriven from the dead letter {old.letter}" if old.letter else f"brought again by {old.replay}"
            first = words.moment(old.record.timestamp, self._now)
            text = f"{how}; first at {spelt_place(sight.original.position)}, {first}"
        place = dict(zip(("topic", "partition", "offset"), record.position, strict=True))
        chapter.say(record.timestamp, sight.lane or "", "seen", text, **place, occurred_at=happened)

    def _plan(self, chapter: Chapter, sight: Sight, lane: str, explained: Explained) -> None:
        at, plan, focus = sight.record.timestamp, explained.plan, self._dossier.focus
        if focus is not None and all(command.id.hex() != focus for command in explained.commands):
            return
        if isinstance(plan, Rejected):
            reason = f"{plan.rejection.reason}: {plan.rejection.detail}"
            chapter.say(
                at, lane, "unreadable", f"cannot be read as an event: {clipped(reason)}", reason=plan.rejection.reason
            )
        elif isinstance(plan, Ignored):
            more = {"reason": plan.reason, "other_routes": explained.others}
            chapter.say(at, lane, "ignored", words.ignored(plan.reason), **more)
        for command in explained.commands:
            if focus in (None, command.id.hex()):
                self._command(chapter, sight, lane, command)
        for answer in explained.answers:
            if answer.answer not in (Answer.PLANNED, Answer.ENDED) and focus is None:
                told = words.unplanned(answer)
                chapter.say(at, lane, "not_planned", told, route=answer.route, answer=str(answer.answer))

    # --- one command --------------------------------------------------------------------------------------------------

    def _command(self, chapter: Chapter, sight: Sight, lane: str, command: Command) -> None:
        id_, at = command.id.hex(), sight.record.timestamp
        first = self._told.get((lane, id_))
        more = {"command": id_, "route": command.terms.route}
        if first is not None:
            text = f"the same message as at {first} (command {id_}): it is told once"
            chapter.say(at, lane, "duplicate", text, **more, first=first)
            self._states["duplicate"] += 1
            return
        self._told[lane, id_] = spelt_place(sight.record.position)
        chapter.say(at, lane, "planned", words.planned(command, self._now, reveal=self._reveal), **more)
        chronicle = self._dossier.chronicles.get(lane)
        life = chronicle.lives.get(id_) if chronicle is not None else None
        if life is not None:
            self._life(chapter, lane, life, command)
        if life is None or life.end is None:
            self._waits(chapter, lane, command, life)

    def _life(self, chapter: Chapter, lane: str, life: Life, command: Command | None) -> None:
        for nap in life.naps:
            text = f"parked until {words.moment(nap.until, self._now)}: {nap.reason.replace('_', ' ')}"
            chapter.say(nap.at, lane, "parked", text, command=life.id, until=nap.until, reason=nap.reason)
        for made in life.tries:
            chapter.say(
                made.at, lane, "request", words.requested(made),
                command=life.id, attempt=made.attempt, epoch=made.epoch, member=made.member, people=made.people,
                texts=made.texts, wording=made.level,
            )  # fmt: skip
            for again in made.agains:
                text = "the very same request goes out again" if again.sent else "the answer was lost once more"
                chapter.say(again.at, lane, "again", text, command=life.id, reason=again.reason)
            if made.landed_at is not None:
                text = words.answered(made)
                chapter.say(
                    made.landed_at, lane, "answer", text, command=life.id, verdict=made.verdict, reason=made.reason
                )
        if life.end is not None:
            self._end(chapter, lane, life, command)

    def _end(self, chapter: Chapter, lane: str, life: Life, command: Command | None) -> None:
        end = life.end
        if end is None:
            return
        self._states[end.outcome] += 1
        text = words.ended(end.outcome, end.reason)
        if end.outcome == "delivered":
            text = words.delivered(life, end.at, command)
        if end.outcome == "superseded" and command is not None and (newer := self._newer(lane, command)):
            text += f": {newer}"
        chapter.say(end.at, lane, "outcome", text, command=life.id, outcome=end.outcome, reason=end.reason)

    def _newer(self, lane: str, command: Command) -> str:
        """The message that took its place, where it is one of this story."""
        explained = (sight.explained[lane] for sight in self._dossier.sights if lane in sight.explained)
        same = [
            each
            for one in explained
            for each in one.commands
            if each.thread is not None and each.thread == command.thread and each.rank > command.rank
        ]
        newest = max(same, key=lambda each: each.rank, default=None)
        return "" if newest is None else f"that of route {newest.terms.route}, command {newest.id.hex()}"

    def _waits(self, chapter: Chapter, lane: str, command: Command, life: Life | None) -> None:
        """What is known of a command without an end."""
        id_ = command.id.hex()
        told = self._dossier.live.get(lane, {})
        where = told.get("commands", {}).get(id_)
        more: dict[str, Any] = {"command": id_}
        if where is not None:
            state, text = "waiting", words.waits(told, where, self._now)
            more |= {"where": where["where"], "held_by": told.get("holds") if where["where"] == "open" else None}
        elif life is not None and life.naps and life.naps[-1].until > self._now:
            state, text = "waiting", f"sleeps until {words.moment(life.naps[-1].until, self._now)}"
            more |= {"where": "parked"}
        elif life is not None and life.tries and life.tries[-1].landed_at is None:
            state, text = "waiting", "the journal has no answer to its last request yet"
        elif any(letter.origin in self._places(id_) for letter in self._dossier.letters):
            state, text = "dead", "no outcome yet: its dead letter is written first"
        else:
            state = "not ended"
            asked = (
                "and no process that runs was asked: say --url to ask its admin port"
                if not told
                else ("and the process that was asked does not have it: has it read the record yet?")
            )
            text = f"no word of it in the journal, {asked}"
        self._states[state] += 1
        chapter.say(None, lane, "waits", text, **more)

    def _places(self, id_: str) -> set[Position]:
        return {letter.origin for letter in self._dossier.letters if letter.command == id_}

    # --- letters and offsets ------------------------------------------------------------------------------------------

    def _letter(self, chapter: Chapter, letter: Letter) -> None:
        head = letter.head
        if self._dossier.focus is not None and letter.command != self._dossier.focus:
            return
        detail = f" ({clipped(head.detail)})" if head.detail else ""
        text = (
            f"dead letter {head.id}: {head.reason}{detail}. {ADVICE[head.reason].means} `vestnik dead show {head.id}`"
        )
        if letter.command is None:
            self._states["dead"] += 1
        chapter.say(
            letter.died_at, head.lane, "dead_letter", text,
            letter=head.id, reason=str(head.reason), route=head.route, redrives=head.redrives, command=head.command,
        )  # fmt: skip

    def _committed(self, chapter: Chapter, sight: Sight) -> None:
        place = sight.record.position
        for lane, offsets in self._dossier.committed.items():
            if lane not in sight.explained:
                continue
            next_ = offsets.get(place.topic_partition)
            done = next_ is not None and next_ > place.offset
            if next_ is None:
                text = "nothing of this partition yet"
            elif done:
                text = "yes: it will not be read again"
            else:
                text = f"not yet: the lane stands at offset {next_}, for the oldest of what waits there"
            chapter.say(None, lane, "committed", text, committed=done, next_offset=next_)

    # --- what no record tells -----------------------------------------------------------------------------------------

    def _loose(self) -> Iterator[Chapter]:
        """Commands that the journal knows, and no record at hand is planned into: by older routes, or records that are
        gone."""
        for lane, chronicle in self._dossier.chronicles.items():
            for life in chronicle.lives.values():
                if (lane, life.id) in self._told:
                    continue
                chapter = Chapter(f"command {life.id}", ", ".join(sorted(map(spelt_place, life.positions))))
                who = f" for {words.person(life.recipient, reveal=self._reveal)}" if life.recipient else ""
                at = life.arrived or (life.end.at if life.end is not None else self._now)
                text = f"by route {life.route}{who}, as the journal has it; the routes at hand make no such message"
                chapter.say(at, lane, "planned", text, command=life.id, route=life.route)
                self._life(chapter, lane, life, None)
                if life.end is None:
                    self._states["not ended"] += 1
                yield chapter
        told = {sight.original.position for sight in self._dossier.sights}
        for letter in self._dossier.letters:
            if letter.origin not in told:
                chapter = Chapter(f"dead letter {letter.head.id}", spelt_place(letter.origin))
                self._letter(chapter, letter)
                yield chapter


def _titled(sight: Sight) -> tuple[str, str]:
    event, place = sight.event, spelt_place(sight.record.position)
    if event is None:
        return ("a message by hand" if sight.sending else "a record that is no event"), place
    parts = [event.type]
    if event.event_id is not None:
        parts.append(event.event_id)
    if isinstance(event, OrderEvent):
        parts.append(f"order {event.order.public_id or event.order.id}")
    elif isinstance(event, BonusEvent) and event.bonus.operation_id:
        parts.append(f"operation {event.bonus.operation_id}")
    # Ids stand as they are: somebody looks for them.
    return " · ".join("".join(letter for letter in part if letter.isprintable()) for part in parts), place
