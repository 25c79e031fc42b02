"""Routes against the lanes they are for: examples, languages, link schemes, and how many texts a lane can say.

`check_routes` refuses, `warn_routes` advises. Both find everything at once and name file and line.
"""

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from jinja2 import nodes

from consumer.core.advice import warn_languages, warn_texts
from consumer.core.compiled import FALLBACK_LOCALE, CompiledRoute, Failed, Names, Unaddressed
from consumer.core.decode import Undecodable
from consumer.core.document import Path, Problem
from consumer.core.emptiness import empty_fields, named
from consumer.core.fields import plural_flaws
from consumer.core.filters import find_locale
from consumer.core.matching import warn_shadowed, warn_unmatched
from consumer.core.model import Ignored, Message
from consumer.core.needs import warn_needs
from consumer.core.plan import link_rule, names_of
from consumer.core.profile import LaneFacts, LaneProfile, ShopProfile
from consumer.core.reach import Ladder, estimates, ladders_of
from consumer.core.routes import (
    UNREAD,
    Example,
    Expectation,
    LoadedRoute,
    Route,
    RouteSet,
    WordingText,
    expression_tree,
)
from consumer.core.templates import Flaw, nearest, read_template, sandbox
from consumer.core.text import clean_link, link_scheme
from consumer.core.wordings import PARTS, Unrendered, literal_start
from schemas.envelope import Cardinality, Event


@dataclass(frozen=True, slots=True)
class _Checked:
    """One route beside the lane that it is for, and the files of examples."""

    loaded: LoadedRoute
    facts: LaneFacts
    files: Mapping[str, str]

    @property
    def shops(self) -> tuple[ShopProfile, ...]:
        return tuple(self.facts.profile.shops.values())

    def ladders(self) -> Iterator[Ladder]:
        return ladders_of(self.loaded.route, self.shops)


def check_routes(
    routes: RouteSet, lanes: Mapping[str, LaneFacts], files: Mapping[str, str] | None = None
) -> list[Problem]:
    """Everything for which these routes must not run on these lanes. `files`: texts of the examples' events by name."""
    problems = check_lanes(routes.routes, lanes)
    for loaded in routes.routes:
        facts = lanes.get(loaded.route.lane)
        if facts is not None:
            checked = _Checked(loaded, facts, files or {})
            problems += _lane_problems(checked)
        else:
            problems += _file_problems(loaded, lanes, files or {})
    return sorted({*problems, *check_examples(routes, lanes, files or {})})


def check_flawed(
    routes: Iterable[LoadedRoute], lanes: Mapping[str, LaneFacts], files: Mapping[str, str]
) -> list[Problem]:
    """The same for routes with mistakes of their own, as far as these let it be seen: nothing is said with them, and
    what could not be read is judged by nobody."""
    flawed = list(routes)
    problems = check_lanes(flawed, lanes)
    for loaded in flawed:
        facts = lanes.get(loaded.route.lane)
        if facts is not None and loaded.whole:
            problems += _lane_problems(_Checked(loaded, facts, files))
        problems += _file_problems(loaded, lanes, files)
    return problems


def check_examples(routes: RouteSet, lanes: Mapping[str, LaneFacts], files: Mapping[str, str]) -> Iterator[Problem]:
    """Examples of which something else comes than is expected: what is said can be shown all the same."""
    for loaded in routes.routes:
        facts = lanes.get(loaded.route.lane)
        if facts is not None:
            yield from _example_problems(_Checked(loaded, facts, files))


def check_lanes(routes: Iterable[LoadedRoute], lanes: Mapping[str, object]) -> list[Problem]:
    """Lanes that routes name and that do not exist; also for routes that have mistakes of their own."""
    return [
        loaded.problem(("lane",), f'there is no lane "{loaded.route.lane}"', nearest(loaded.route.lane, list(lanes)))
        for loaded in routes
        if loaded.route.lane not in (*lanes, UNREAD)
    ]


def warn_routes(routes: RouteSet, lanes: Mapping[str, LaneFacts]) -> list[Problem]:
    """What is possible and probably not meant."""
    warnings: list[Problem] = []
    for loaded in routes.routes:
        if not loaded.route.examples:
            warnings.append(loaded.problem(("id",), "no examples", "an example shows the text and keeps it right"))
        warnings += warn_texts(loaded)
        warnings += warn_needs(loaded)
        facts = lanes.get(loaded.route.lane)
        if facts is not None:
            warnings += warn_unmatched(loaded, facts)
            warnings += _crowded(_Checked(loaded, facts, {})) if facts.scarce else []
    for lane, facts in lanes.items():
        warnings += warn_shadowed(routes.of_lane(lane), facts)
        warnings += warn_languages(routes.of_lane(lane))
    return sorted(set(warnings))


def _lane_problems(checked: _Checked) -> Iterator[Problem]:
    loaded, profile = checked.loaded, checked.facts.profile
    if loaded.route.ttl > profile.memory_seconds:
        yield loaded.problem(("ttl",), f"ttl is longer than the memory of lane {profile.lane}")
    yield from _language_problems(checked)
    for ladder in checked.ladders():
        yield from _refused(checked, ladder)
        for level, wording in enumerate(ladder.wordings):
            yield from _wording_problems(checked, (*ladder.path, level), wording, ladder.locale)


def _language_problems(checked: _Checked) -> Iterator[Problem]:
    written = {code.replace("_", "-").lower() for code in checked.loaded.route.ladders}
    for shop in checked.shops:
        spelt = shop.locale.replace("_", "-").lower()
        if "" not in written and not written & {spelt, spelt.partition("-")[0]}:
            what = f"no wordings in {shop.locale}, the language of shop {shop.id}"
            yield checked.loaded.problem(("wordings",), what, f"add wordings.{shop.locale}")


def _wording_problems(checked: _Checked, path: Path, wording: WordingText, code: str) -> Iterator[Problem]:
    loaded = checked.loaded
    if checked.facts.needs_title and wording.title is None:
        yield loaded.problem(path, "the key title is missing", f"lane {loaded.route.lane} sends nothing without one")
    if wording.link is not None:
        yield from _scheme_problems(checked, (*path, "link"), wording.link)
    for part in ("link", "image"):
        yield from _host_problems(checked, (*path, part), wording.sources().get(part, ""))
    locale = find_locale(code)
    for part, source in wording.sources().items():
        tree = read_template(source, sandbox(locale)) if locale else None
        if locale and tree and not isinstance(tree, Flaw):
            yield from (loaded.flaw((*path, part), flaw) for flaw in plural_flaws(tree, locale))


def _scheme_problems(checked: _Checked, path: Path, source: str) -> Iterator[Problem]:
    tree = read_template(source, sandbox(FALLBACK_LOCALE))
    start = None if isinstance(tree, Flaw) else literal_start(tree)
    scheme = link_scheme(start) if start else None
    known = frozenset({"https"}).union(*(link_rule(shop).schemes for shop in checked.shops))
    if scheme and scheme not in known:
        what = f"link: no shop of lane {checked.facts.profile.lane} has links that begin with {scheme}:"
        yield checked.loaded.problem(path, what, "write {{ lane.slug }}://")


def _host_problems(checked: _Checked, path: Path, source: str) -> Iterator[Problem]:
    """A host that no shop of the lane may lead to, so that the message would never be said."""
    tree = read_template(source, sandbox(FALLBACK_LOCALE))
    start = "" if isinstance(tree, Flaw) else literal_start(tree) or ""
    host, slash, _ = start.removeprefix("https://").partition("/")
    if start.startswith("https://") and (slash or start == source):
        rules = [link_rule(shop) for shop in checked.shops]
        if rules and not any(clean_link(f"https://{host}/", rule.schemes, rule.hosts) for rule in rules):
            known = sorted({name for rule in rules for name in rule.hosts or ()})
            mend = (
                f"link_hosts of the shops: {', '.join(known)}" if known else "write a host's name, as in shop.example"
            )
            yield checked.loaded.problem(path, f"{path[-1]}: no shop lets a link lead to {host}", mend)


# --- how many texts -------------------------------------------------------------------------------------------------


def _refused(checked: _Checked, ladder: Ladder) -> Iterator[Problem]:
    """Each recipient would take a request of the lane's few, and nothing could be done about it when many come."""
    route = checked.loaded.route
    fixed, wordings = route.ladder == "off", ladder.read(route)
    if checked.facts.scarce and wordings[0].unique and (fixed or all(wording.unique for wording in wordings)):
        names = sorted(name for name, each in wordings[0].shown.items() if each is Cardinality.UNIQUE)
        what = f"everybody gets a text of their own ({', '.join(names)}), and {_rate(checked)}"
        mend = "set ladder: on" if fixed else "add a coarser wording without these fields"
        yield checked.loaded.problem((*ladder.path, 0), what, mend)


def _crowded(checked: _Checked) -> Iterator[Problem]:
    minutes = checked.loaded.route.deliver_within_seconds / 60
    for ladder in checked.ladders():
        coarsest = estimates(checked.loaded.route, ladder, checked.facts)[-1]
        if coarsest.texts > (checked.facts.texts_per_minute or 0) * minutes and not coarsest.is_unique:
            what = f"the coarsest wording may have {coarsest.texts:.0f} different texts ({', '.join(coarsest.fields)})"
            mend = f"{_rate(checked)}; add a coarser one or give deliver_within more time"
            yield checked.loaded.problem((*ladder.path, coarsest.level), what, mend)


def _rate(checked: _Checked) -> str:
    return f"lane {checked.facts.profile.lane} says {checked.facts.texts_per_minute:g} different texts a minute"


# --- examples -------------------------------------------------------------------------------------------------------


def _example_problems(checked: _Checked) -> Iterator[Problem]:
    if not checked.shops:
        return
    route = CompiledRoute.of(checked.loaded.route, checked.shops)
    for index, example in enumerate(checked.loaded.route.examples):
        event = _fitting(checked, _event_of(checked, example))
        where: Path = ("examples", index)
        if isinstance(event, str):
            yield checked.loaded.problem((*where, "event"), event)
        else:
            made = _made_of(route, example, event, checked.facts.profile)
            if isinstance(made, _Unsaid):
                what = f"{made.part}: with {example.event} {made.detail}"
                yield checked.loaded.problem((*_ladder_path(checked, made.locale), example.level, made.part), what)
            else:
                for part, what, mend in made:
                    yield checked.loaded.problem((*where, *part), what, mend)


def _file_problems(loaded: LoadedRoute, lanes: Mapping[str, LaneFacts], files: Mapping[str, str]) -> Iterator[Problem]:
    """Examples whose files hold no event that the route is for, whatever lane it is on: all read an event alike. Of a
    type that nobody knows no file is."""
    known = len(loaded.route.models) == len(loaded.route.types)
    for facts in list(lanes.values())[:1]:
        checked = _Checked(loaded, facts, files)
        for index, example in enumerate(loaded.route.examples):
            event = _event_of(checked, example)
            event = _fitting(checked, event) if known else event
            if isinstance(event, str):
                yield loaded.problem(("examples", index, "event"), event)


def _ladder_path(checked: _Checked, locale: str) -> Path:
    codes = {code.replace("_", "-").lower(): code for code in checked.loaded.route.ladders}
    return ("wordings", codes[locale]) if locale in codes else ("wordings",)


def _event_of(checked: _Checked, example: Example) -> Event | Ignored | str:
    """What the example's file holds; its file stands beside the route's or beside the folder of the routes."""
    folder = posixpath.dirname(checked.loaded.tree.file)
    places = [posixpath.join(folder, example.event), example.event, posixpath.join(folder, "..", example.event)]
    text = next((checked.files[name] for name in map(posixpath.normpath, places) if name in checked.files), None)
    if text is None:
        return f'there is no file "{example.event}"'
    profile = checked.facts.profile
    event = profile.formats.types.decode(text.encode("utf-8", "surrogatepass"), profile.event_bytes_limit)
    return f"not an event: {event.reason} {event.detail}".rstrip() if isinstance(event, Undecodable) else event


def _fitting(checked: _Checked, event: Event | Ignored | str) -> Event | str:
    """The event, where the route is for such."""
    types = checked.loaded.route.types
    if isinstance(event, Ignored) or (isinstance(event, Event) and event.type not in types):
        return f"an event of another type than {', '.join(types)}"
    return event


_Difference = tuple[Path, str, str]


def silence_of(route: Route, event: Event, profile: LaneProfile) -> str:
    """Why an event would be told to nobody by a route; empty when it would be told."""
    shop = _shop_of(event, profile) if profile.shops else ShopProfile(event.shop or "")
    compiled = CompiledRoute.of(route, (shop,))
    return _silence(compiled, names_of(event, profile, shop, compiled.to_customer), profile)


@dataclass(frozen=True, slots=True)
class _Unsaid:
    """What of a wording cannot be said, and in which language."""

    locale: str
    part: str
    detail: str


def _made_of(route: CompiledRoute, example: Example, event: Event, profile: LaneProfile) -> list[_Difference] | _Unsaid:
    shop = _shop_of(event, profile)
    names = names_of(event, profile, shop, route.to_customer)
    silence = _silence(route, names, profile)
    if silence or not example.sent:
        if silence and example.sent:
            return [(("event",), f"nothing is sent: {silence}", "give another event, or say sent: false")]
        return [] if silence else [(("sent",), "something is sent", "")]
    customer = event.customer if route.to_customer else None
    locale = route.locale_for(example.locale or (customer.locale if customer else None), shop)
    ladder = route.ladders[locale]
    if example.level >= len(ladder):
        return [(("level",), f"there is no level {example.level}", f"the last one is {len(ladder) - 1}")]
    wording = ladder[example.level]
    made = wording.render(names, link_rule(shop))
    if isinstance(made, Unrendered):
        unsaid = named(made, wording, names)
        return _Unsaid(locale, unsaid.part, unsaid.detail)
    return list(_unlike(made, example.expect))


def _silence(route: CompiledRoute, names: Names, profile: LaneProfile) -> str:
    """Why an event is told to nobody; empty when it is told."""
    wanted = route.wants(names)
    if isinstance(wanted, Failed):
        return _failure(route.route.when or "", names) or f"when fails with {wanted.detail}"
    if not wanted:
        return "when is false"
    recipients = route.recipients(names, profile.identities)
    if isinstance(recipients, Unaddressed):
        return recipients.detail
    return "" if recipients else "the event names nobody"


def _failure(when: str, names: Names) -> str:
    """The condition's fields that are empty, and how it is written; "" where none is."""
    tree = expression_tree(when)
    empty = empty_fields(tree, names)
    if not empty:
        return ""
    rest = when if isinstance(tree, nodes.Compare) else "…"
    return f"when: {empty[0]} is empty here; write `{empty[0]} and {rest}`"


def _shop_of(event: Event, profile: LaneProfile) -> ShopProfile:
    """The event's shop. An example may be about a shop that the lane does not serve: then it is like the first one,
    with its own name as its slug."""
    name = event.shop or profile.default_shop or ""
    first = next(iter(profile.shops.values()))
    return profile.shops.get(name) or (replace(first, id=name, slug=name) if name else first)


def _unlike(made: Message, expect: Expectation) -> Iterator[_Difference]:
    for part in PARTS:
        wanted, got = getattr(expect, part), getattr(made, part)
        if wanted is not None and _seen(wanted) != _seen(got or ""):
            yield ("expect", part), f'{part} is "{got or ""}"', f'expected is "{wanted}"'


def _seen(text: str) -> str:
    """Nobody sees whether a space may break."""
    return text.replace("\u00a0", " ")
