"""The examples of routes: sample events in files, and what must come of each."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from consumer.app.config import Config
from consumer.app.profiles import shop_profiles
from consumer.core.decode import Undecodable
from consumer.core.event_types import SHIPPED, EventTypes
from consumer.core.model import Ignored
from consumer.core.profile import ShopProfile
from consumer.core.routes import LoadedRoute
from schemas.envelope import Event

EVENT_BYTES_LIMIT = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Sample:
    """An event from a file, and its bytes."""

    event: Event
    value: bytes


def read_sample(path: Path, types: EventTypes = SHIPPED) -> Sample | str:
    """The event in a file; in words, why there is none."""
    try:
        value = path.read_bytes()
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    event = types.decode(value, EVENT_BYTES_LIMIT)
    if isinstance(event, Undecodable):
        return f"{path} is no event: {event.reason.value}{', ' if event.detail else ''}{event.detail}"
    if isinstance(event, Ignored):
        return f"{path} is no event that is known: {event.reason} {event.event_type}".rstrip()
    return Sample(event, value)


def sample_path(loaded: LoadedRoute, name: str) -> Path:
    """Where an example's event lies: beside the route file, or beside its folder."""
    folder = Path(loaded.tree.file).parent
    beside = folder / name
    return beside if beside.exists() else folder.parent / name


def shop_of(event: Event, config: Config) -> ShopProfile:
    """The event's shop. One that is not configured is made of its name, so that examples hold in any configuration."""
    shops = shop_profiles(config)
    name = event.shop or next(iter(shops))
    return shops.get(name) or ShopProfile(name, slug=name)


def example_files(routes: Iterable[LoadedRoute]) -> dict[str, str]:
    """The texts of the files that examples name, by path; one that cannot be read is left out."""
    paths = {sample_path(loaded, example.event) for loaded in routes for example in loaded.route.examples}
    return {os.path.normpath(path): path.read_text("utf-8", "surrogateescape") for path in paths if path.is_file()}
