"""What people would read of an event: each wording in each language, its lengths, what makes it unique, its reach."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from consumer.app.checks import lane_facts
from consumer.app.examples import EVENT_BYTES_LIMIT, read_sample, sample_path, shop_of
from consumer.app.setup import Setup
from consumer.core.check import silence_of
from consumer.core.decode import Undecodable
from consumer.core.model import Ignored, Message, Record
from consumer.core.profile import LaneFacts
from consumer.core.reach import Estimate, estimates, ladders_of
from consumer.core.routes import LoadedRoute
from consumer.core.showing import Showing, Shown
from consumer.core.wordings import Unrendered
from consumer.sinks.base import limits_of
from consumer.sinks.texts import Lengths, Measure
from schemas.envelope import Event


@dataclass(frozen=True, slots=True)
class Step:
    """One wording in one language. `problem`: why it cannot be said, in the place of a message. `unique`: the fields
    for which everybody gets a text of their own. `texts` and `people_a_minute` are estimates; None is no bound. `bars`:
    how long its parts are, beside what its lane's provider shows."""

    locale: str
    level: int
    message: Message | None
    problem: str
    unique: tuple[str, ...]
    fields: tuple[str, ...]
    texts: float | None
    people_a_minute: float | None
    provider: str
    bars: tuple[Measure, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """What a route says of an event. `silence`: why it would be told to nobody, "" where it would be."""

    route: str
    lane: str
    provider: str
    source: str
    silence: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """An event, and what it is called: a file, a place in a topic."""

    name: str
    event: Event


def file_source(setup: Setup, path: Path) -> Source | str:
    """The event in a file; in words, why there is none."""
    sample = read_sample(path, setup.sources.types)
    return sample if isinstance(sample, str) else Source(str(path), sample.event)


def example_source(setup: Setup, loaded: LoadedRoute) -> Source | str:
    """The event of a route's first example."""
    if not loaded.route.examples:
        return f"route {loaded.route.id} has no example; name an event with --event"
    return file_source(setup, sample_path(loaded, loaded.route.examples[0].event))


def record_source(setup: Setup, record: Record) -> Source | str:
    """The event of a record, read as the lanes read it; in words, why there is none."""
    position = record.position
    name = f"{position.topic}:{position.partition}:{position.offset}"
    event = setup.sources.formats.read(record, EVENT_BYTES_LIMIT).event
    if isinstance(event, Undecodable):
        return f"{name} is no event: {event.reason.value} {event.detail}".rstrip()
    if isinstance(event, Ignored):
        return f"{name} is no event that is known: {event.reason} {event.event_type}".rstrip()
    return Source(name, event)


# --- previews ---------------------------------------------------------------------------------------------------------


def preview_of(setup: Setup, loaded: LoadedRoute, source: Source, locale: str | None = None) -> Preview | str:
    """What a route says of an event, in every language or in one; in words, why it takes no such event."""
    route, event = loaded.route, source.event
    if event.type not in route.types:
        return f"the event is {event.type}; route {route.id} takes {', '.join(route.types)}"
    showing = Showing(loaded, shop_of(event, setup.config))
    facts = lane_facts(setup)[route.lane]
    wanted = (showing.nearest_locale(locale),) if locale else ()
    shown = sorted(showing.all(event, wanted), key=lambda each: each.locale != showing.locale_of(event))
    reach = _reach(loaded, facts)
    provider = setup.accounts[route.lane]
    limits = (provider.type, limits_of(provider).lengths)
    return Preview(
        route.id,
        route.lane,
        provider.type,
        source.name,
        silence_of(route, event, facts.profile),
        tuple(_step(each, reach.get((each.locale, each.level)), limits) for each in shown),
    )


def _reach(loaded: LoadedRoute, facts: LaneFacts) -> Mapping[tuple[str, int], Estimate]:
    return {
        (ladder.locale.replace("_", "-").lower(), estimate.level): estimate
        for ladder in ladders_of(loaded.route, facts.profile.shops.values())
        for estimate in estimates(loaded.route, ladder, facts)
    }


def _step(shown: Shown, estimate: Estimate | None, limits: tuple[str, Lengths]) -> Step:
    provider, lengths = limits
    message = shown.made if isinstance(shown.made, Message) else None
    problem = f"{shown.made.part}: {shown.made.detail}" if isinstance(shown.made, Unrendered) else ""
    return Step(
        shown.locale,
        shown.level,
        message,
        problem,
        shown.unique,
        estimate.fields if estimate else (),
        None if estimate is None or estimate.is_unique else estimate.texts,
        _finite(estimate.pushes_per_minute) if estimate else None,
        provider,
        tuple(lengths.measures(message)) if message else (),
    )


def _finite(value: float) -> float | None:
    return None if value == float("inf") else value


def previews_of(
    setup: Setup, routes: Sequence[LoadedRoute], sources: Sequence[Source], locale: str | None = None
) -> list[Preview | str]:
    """Of several events: each by every one of the routes that takes it; in words, where none does."""
    made: list[Preview | str] = []
    for source in sources:
        takers = [each for each in routes if source.event.type in each.route.types]
        made += [preview_of(setup, each, source, locale) for each in takers]
        if not takers:
            made.append(f"{source.name}: no route takes {source.event.type}")
    return made
