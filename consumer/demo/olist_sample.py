"""Real orders for `vestnik simulate --olist`: the events of the Olist files with the catalogue's routes."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from consumer.catalogue import catalogue_files
from consumer.core.model import Trouble
from consumer.core.profile import ShopProfile
from consumer.core.routes import RouteSet, load_routes
from consumer.demo.events import SHOP
from consumer.demo.olist import BRAZIL, OlistOrder, Window, happenings, publications, read_orders
from consumer.simulate.recorded import Happening, Sample

_LANE = "app-push"
_FIRST, _LAST = datetime(2016, 9, 1, tzinfo=BRAZIL), datetime(2019, 3, 1, tzinfo=BRAZIL)


@dataclass(frozen=True, slots=True)
class OlistEvents:
    """What happened to these orders within the window, from the first on at each call."""

    orders: tuple[OlistOrder, ...]
    window: Window

    def __call__(self) -> Iterator[Happening]:
        at = self.window.since.timestamp()
        for publication in publications(self.orders, self.window):
            at += publication.delay_seconds
            yield Happening(at, publication.value)


def olist_sample(folder: Path, day: datetime | None, speed: float) -> Sample | str:
    """The data set of a folder, or one day of it in its own zone; `speed` seconds of it pass in one second.

    What is wrong, in words, when the files are not there or not of that form, or nothing happened on that day.
    """
    orders = read_orders(folder)
    if isinstance(orders, Trouble):
        return orders.detail
    since, until = (_FIRST, _LAST) if day is None else (begin := day.replace(tzinfo=BRAZIL), begin + timedelta(days=1))
    chosen = [order for order in orders if any(since <= each.at < until for each in happenings(order))]
    if not chosen:
        return f"nothing happened in {folder} from {since:%Y-%m-%d} to {until:%Y-%m-%d}"
    # Times are pressed together from the first event on, so that a sped-up day begins when the real one did.
    since = max(since, min(each.at for order in chosen for each in happenings(order) if each.at >= since))
    events = OlistEvents(tuple(chosen), Window(since, until, speed, begin=since))
    shops = {SHOP: ShopProfile(SHOP, SHOP, locale="en", timezone="America/Sao_Paulo", currency="BRL")}
    return Sample(f"{folder}", events, catalogue_routes(), _LANE, shops)


def catalogue_routes() -> RouteSet:
    """The routes that `vestnik init` writes; a test keeps them without mistakes."""
    texts = {name: text for name, text in catalogue_files().items() if name.startswith("routes/")}
    routes = load_routes(texts)
    if isinstance(routes, list):
        raise TypeError("\n".join(map(str, routes)))
    return routes
