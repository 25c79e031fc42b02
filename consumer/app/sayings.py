"""What routes say of their examples, in every language and at every level: for lengths, snapshots and previews."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from consumer.app.config import Config
from consumer.app.examples import Sample, read_sample, sample_path, shop_of
from consumer.core.event_types import SHIPPED, EventTypes
from consumer.core.profile import ShopProfile
from consumer.core.routes import LoadedRoute, RouteSet
from consumer.core.showing import Showing, Shown


@dataclass(frozen=True, slots=True)
class Saying:
    """What one route says of one example."""

    loaded: LoadedRoute
    file: Path
    sample: Sample
    shown: list[Shown]


def sayings(routes: RouteSet, config: Config, types: EventTypes = SHIPPED) -> Iterator[Saying]:
    """Of every example of which something is said; one that cannot be read, or is of another type, is left out: that
    is told where examples are checked."""
    samples: dict[Path, Sample | str] = {}
    for loaded in routes.routes:
        showings: dict[ShopProfile, Showing] = {}
        for file in dict.fromkeys(sample_path(loaded, each.event) for each in loaded.route.examples if each.sent):
            sample = samples[file] if file in samples else samples.setdefault(file, read_sample(file, types))
            if isinstance(sample, Sample) and sample.event.type in loaded.route.types:
                shop = shop_of(sample.event, config)
                showing = showings.get(shop) or showings.setdefault(shop, Showing(loaded, shop))
                yield Saying(loaded, file, sample, showing.all(sample.event))
