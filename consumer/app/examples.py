"""The examples of routes: sample events in files, and what must come of each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from consumer.app.config import Config
from consumer.app.profiles import lane_profile, shop_profiles
from consumer.core.decode import Undecodable, decode
from consumer.core.document import Problem
from consumer.core.model import Ignored, Message, Plan, Planned, Position, Record
from consumer.core.plan import Planner, preview
from consumer.core.profile import LaneProfile, Mode, ShopProfile
from consumer.core.routes import Example, LoadedRoute, RouteSet
from consumer.core.wordings import Unrendered
from schemas.envelope import Event

EVENT_BYTES_LIMIT = 1024 * 1024
PARTS = ("title", "text", "link", "image")


@dataclass(frozen=True, slots=True)
class Sample:
    """An event from a file, and its bytes."""

    event: Event
    value: bytes


def read_sample(path: Path) -> Sample | str:
    """The event in a file; in words, why there is none."""
    try:
        value = path.read_bytes()
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    event = decode(value, EVENT_BYTES_LIMIT)
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


def check_examples(config: Config, routes: RouteSet) -> Iterator[Problem]:
    """Every example that does not become what it promises. Routes of unknown lanes are passed over."""
    for loaded in routes.routes:
        if loaded.route.lane in config.lanes:
            rehearsal = Rehearsal(config, loaded)
            for index, example in enumerate(loaded.route.examples):
                flaw = rehearsal.flaw(example)
                if flaw:
                    yield loaded.problem(("examples", index), f"example {index + 1}: {flaw}")


class Rehearsal:
    """One route tried on its examples, whatever its lane's mode and its own time are; compiled once a shop."""

    def __init__(self, config: Config, loaded: LoadedRoute) -> None:
        timeless = loaded.route.model_copy(update={"from_": None, "until": None, "enabled": True})
        self._config = config
        self._loaded = LoadedRoute(timeless, loaded.tree, loaded.index)
        self._planners: dict[ShopProfile, Planner] = {}

    def flaw(self, example: Example) -> str:
        """What is wrong with an example, in words; empty when it holds."""
        sample = read_sample(sample_path(self._loaded, example.event))
        if isinstance(sample, str):
            return sample
        if sample.event.type not in self._loaded.route.types:
            return f"its event is {sample.event.type}, which this route does not take"
        return self._outcome_flaw(sample, example)

    def _outcome_flaw(self, sample: Sample, example: Example) -> str:
        shop = shop_of(sample.event, self._config)
        plan = self._plan(sample, shop)
        rejections, commands = (plan.rejections, plan.commands) if isinstance(plan, Planned) else ((), ())
        if rejections:
            return f"{rejections[0].reason}: {rejections[0].detail}"
        if bool(commands) != example.sent:
            return "nobody is told" if example.sent else "somebody is told, and sent is false"
        if not commands:
            return ""
        if example.locale is None:
            return _message_flaw(commands[0].wordings, example)
        made = preview(self._loaded, sample.event, shop, example.locale)
        return f"{made.part}: {made.detail}" if isinstance(made, Unrendered) else _message_flaw(made, example)

    def _plan(self, sample: Sample, shop: ShopProfile) -> Plan:
        planner = self._planners.get(shop)
        if planner is None:
            known = lane_profile(self._config, self._loaded.route.lane)
            profile = LaneProfile(
                known.lane, {shop.id: shop}, Mode.LIVE, default_shop=shop.id, identities=known.identities
            )
            planner = self._planners[shop] = Planner(profile, RouteSet((self._loaded,)))
        moment = sample.event.occurred_at.timestamp()
        return planner.plan(Record(Position("example", 0, 0), moment, None, sample.value))


def _message_flaw(messages: Sequence[Message], example: Example) -> str:
    if example.level >= len(messages):
        return f"there is no wording {example.level}; the last one is {len(messages) - 1}"
    message = messages[example.level]
    for part in PARTS:
        wanted, said = getattr(example.expect, part), getattr(message, part) or ""
        if wanted is not None and _plain(wanted) != _plain(said):
            return f'{part} is "{said}" and not "{wanted}"'
    return ""


def _plain(text: str) -> str:
    """Nobody sees which kind of space an author has typed."""
    return text.replace("\u00a0", " ").replace("\u202f", " ")


def previewed(config: Config, loaded: LoadedRoute, path: Path | None, locale: str | None) -> tuple[Message, ...] | str:
    """What a route says of an event, the most personal first; of its first example where no file is named."""
    if path is None and not loaded.route.examples:
        return f"route {loaded.route.id} has no example; name an event with --event"
    sample = read_sample(path or sample_path(loaded, loaded.route.examples[0].event))
    if isinstance(sample, str):
        return sample
    if sample.event.type not in loaded.route.types:
        return f"the event is {sample.event.type}; route {loaded.route.id} takes {', '.join(loaded.route.types)}"
    made = preview(loaded, sample.event, shop_of(sample.event, config), locale)
    return f"{made.part}: {made.detail}" if isinstance(made, Unrendered) else made
