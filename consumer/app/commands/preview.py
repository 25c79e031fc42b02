"""`vestnik preview`: what people would read of an example, a file, a record of a topic, or a type's last events."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consumer.app.commands.shared import (
    DEFAULT_CONFIG,
    FAILED,
    USAGE,
    ConfigPath,
    Format,
    OutputFormat,
    brokers,
    leave,
    load_to_show,
    partly,
)

if TYPE_CHECKING:
    from consumer.app.previewing import Preview, Source
    from consumer.app.setup import Setup
    from consumer.core.model import Record, Trouble
    from consumer.core.routes import LoadedRoute

LAST_MOST = 100


class _Wish:
    """What was asked for."""

    def __init__(self, route: str | None, event: Path | None, at: str | None, last: int, type_: str | None) -> None:
        self.route = route
        self.event = event
        self.at = at
        self.last = last
        self.type = type_


def preview(  # noqa: PLR0913 - the options of a command, each with a name of its own
    route: Annotated[str | None, typer.Argument(help="The route's id; all routes without one.")] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    event: Annotated[Path | None, typer.Option(help="A file with one event; the route's first example else.")] = None,
    at: Annotated[str | None, typer.Option(help="A record instead: topic:partition:offset.")] = None,
    last: Annotated[int, typer.Option(min=0, max=LAST_MOST, help="The last so many events instead.")] = 0,
    *,
    event_type: Annotated[str | None, typer.Option("--type", help="With --last: of this type.")] = None,
    locale: Annotated[str | None, typer.Option(help="This language alone, e.g. en; every one else.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Again whenever a file is saved, until Ctrl-C.")] = False,
    output: OutputFormat = Format.TABLE,
) -> None:
    """What people would read: a route's wordings in every language, the most personal first."""
    if sum((event is not None, at is not None, last > 0)) > 1:
        leave("--event, --at and --last name different events; say one of them", USAGE)
    wish = _Wish(route, event, at, last, event_type)
    if watch:
        from consumer.app.watching import watched  # noqa: PLC0415

        watched(config, event, lambda: _shown(wish, config, locale, output))
        return
    raise typer.Exit(_shown(wish, config, locale, output))


def _shown(wish: _Wish, config: Path, locale: str | None, output: Format) -> int:
    """Show it once; the exit code. An example that expects something else is noted below, and is no failure here."""
    from consumer.app import told  # noqa: PLC0415
    from consumer.app.previews_told import tell_previews  # noqa: PLC0415

    setup, notes = load_to_show(config, output)
    made = _previews(setup, wish, _routes(setup, wish.route), locale)
    failures = [each for each in made if isinstance(each, str)]
    for words in failures:
        told.complain(words)
    tell_previews([each for each in made if not isinstance(each, str)], told.Output(output))
    for note in notes:
        told.complain(f"note: {note}")
    return partly(len(failures), len(made))


def _routes(setup: "Setup", route: str | None) -> "list[LoadedRoute]":
    from consumer.core.templates import nearest  # noqa: PLC0415

    known = {loaded.route.id: loaded for loaded in setup.routes.routes}
    if route is not None and route not in known:
        leave(f'unknown route "{route}"; {nearest(route, dict(known))}', USAGE)
    return [known[route]] if route is not None else list(known.values())


def _previews(setup: "Setup", wish: _Wish, routes: "list[LoadedRoute]", locale: str | None) -> "list[Preview | str]":
    from consumer.app.previewing import example_source, file_source, preview_of, previews_of  # noqa: PLC0415

    if wish.event is not None:
        source = file_source(setup, wish.event)
        if isinstance(source, str):
            return [source]
        if wish.route is not None:
            made = preview_of(setup, routes[0], source, locale)
            return [f"{wish.route}: {made}" if isinstance(made, str) else made]
        return previews_of(setup, routes, [source], locale)
    if wish.at is not None or wish.last:
        sources = _live(setup, wish, routes)
        good = [each for each in sources if not isinstance(each, str)]
        return [*(each for each in sources if isinstance(each, str)), *previews_of(setup, routes, good, locale)]
    found: list[Preview | str] = []
    for loaded in routes:
        source = example_source(setup, loaded)
        made = source if isinstance(source, str) else preview_of(setup, loaded, source, locale)
        found.append(f"{loaded.route.id}: {made}" if isinstance(made, str) else made)
    return found


def _live(setup: "Setup", wish: _Wish, routes: "list[LoadedRoute]") -> "list[Source | str]":
    """Events of the topics."""
    from consumer.app.previewing import record_source  # noqa: PLC0415
    from consumer.core.model import Trouble as Failure  # noqa: PLC0415

    found = asyncio.run(_records(setup, wish, routes))
    if isinstance(found, Failure):
        where = "; `vestnik doctor` looks at the brokers that the configuration names" if wish.at is None else ""
        leave(f"{wish.at or 'the topics'} cannot be read: {found.reason} {found.detail}".rstrip() + where, FAILED)
    if not found:
        leave("no such event is in the topics", FAILED)
    return [record_source(setup, record) for record in found]


async def _records(setup: "Setup", wish: _Wish, routes: "list[LoadedRoute]") -> "list[Record] | Trouble":
    from consumer.app.previewing import record_source  # noqa: PLC0415
    from consumer.app.validating import position_of  # noqa: PLC0415
    from consumer.core.model import Trouble as Failure  # noqa: PLC0415
    from consumer.streams.latest import latest  # noqa: PLC0415
    from consumer.streams.reading import read_one  # noqa: PLC0415

    settings = brokers(setup)
    if wish.at is not None:
        position = position_of(wish.at)
        if position is None:
            leave(f'"{wish.at}" is no place of a record; it is written topic:partition:offset', USAGE)
        record = await read_one(settings, position)
        return record if isinstance(record, Failure) else [record]
    types = {wish.type} if wish.type else {name for loaded in routes for name in loaded.route.types}

    def wanted(record: "Record") -> bool:
        source = record_source(setup, record)
        return not isinstance(source, str) and source.event.type in types

    return await latest(settings, setup.config.topics.sources, wanted, wish.last)
