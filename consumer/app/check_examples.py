"""Advice on examples: texts that are longer than people will see, fields that look like slips, files of no use."""

from collections.abc import Iterator
from pathlib import Path

from consumer.app.config import Config
from consumer.app.examples import Sample, read_sample, sample_path
from consumer.app.sayings import sayings
from consumer.core.advice import warn_example
from consumer.core.document import Path as Place
from consumer.core.document import Problem
from consumer.core.event_types import EventTypes
from consumer.core.model import Message
from consumer.core.routes import LoadedRoute, RouteSet
from consumer.sinks.texts import NO_ADVICE, Lengths, Measure


def warn_lengths(routes: RouteSet, config: Config, types: EventTypes, lengths: dict[str, Lengths]) -> Iterator[Problem]:
    """Wordings that some example makes longer than a lane's provider shows; each once, at its longest."""
    longest: dict[tuple[str, Place], tuple[int, Problem]] = {}
    for saying in sayings(RouteSet(tuple(_limited(routes, lengths))), config, types):
        limits = lengths[saying.loaded.route.lane]
        for shown in saying.shown:
            for each in limits.measures(shown.made) if isinstance(shown.made, Message) else ():
                place = (*shown.path, each.part)
                key = (saying.loaded.route.id, place)
                if each.over and each.length > longest.get(key, (0, None))[0]:
                    longest[key] = each.length, _too_long(saying.loaded, place, each)
    yield from (problem for _, problem in longest.values())


def _limited(routes: RouteSet, lengths: dict[str, Lengths]) -> Iterator[LoadedRoute]:
    return (each for each in routes.routes if lengths.get(each.route.lane, NO_ADVICE) != NO_ADVICE)


def _too_long(loaded: LoadedRoute, place: Place, said: Measure) -> Problem:
    what = f"the {said.part} comes" if said.unit == "letters" else "title and text together come"
    what += f" to {said.length} {said.unit} with an example, and lane {loaded.route.lane} shows {said.most}"
    return loaded.problem(place, what, "make it shorter, or `| shorten` a field of it")


def warn_samples(routes: RouteSet, types: EventTypes) -> Iterator[Problem]:
    """Fields of sample events that look like slips of the pen."""
    for file in sorted(_sample_files(routes)):
        sample = read_sample(file, types)
        if isinstance(sample, Sample):
            yield from warn_example(type(sample.event), str(file), sample.value.decode("utf-8"))


def warn_orphans(routes: RouteSet, types: EventTypes) -> Iterator[Problem]:
    """Sample events beside others that no route names. `routes` are all that there are: one that could not be read
    may name them."""
    named = _sample_files(routes)
    for folder in sorted({file.parent for file in named}):
        for file in sorted(folder.glob("*.json")):
            if file not in named and isinstance(read_sample(file, types), Sample):
                yield Problem(
                    str(file), 1, "no route has this event for an example", "name it in a route, or remove it"
                )


def _sample_files(routes: RouteSet) -> set[Path]:
    return {sample_path(loaded, example.event) for loaded in routes.routes for example in loaded.route.examples}
