"""The catalogue covers every event, keeps to what its lanes can carry, and says what its examples promise."""

import json
import re
from typing import Any

import pytest

from consumer.core.check import check_routes, warn_routes
from consumer.core.model import OnUnsure
from consumer.core.profile import LaneFacts, LaneProfile
from consumer.core.routes import Route, RouteSet, load_routes
from consumer.core.units import parse_seconds
from schemas.envelope import Cardinality
from schemas.events import ANY_EVENT, EVENT_TYPES
from tests.catalogue.catalogue import (
    EXAMPLES,
    FILES,
    ROUTE_FILES,
    SHOP,
    everything_said,
    example,
    loaded_routes,
    plan,
    read,
    routes,
    routes_of,
    say,
)

CUSTOMER, STAFF = "app-push", "staff"
STAFF_TYPES = {"order.created", "order.cancelled", "order.not_redeemed"}
LOCALES = {"ru", "en"}
HOUR = parse_seconds("1h")


def by_id(route: Route) -> str:
    return route.id


def test_every_event_has_one_customer_route() -> None:
    assert sorted(name for route in routes_of(CUSTOMER) for name in route.types) == sorted(EVENT_TYPES)


def test_staff_hear_of_new_cancelled_and_unredeemed_orders() -> None:
    assert {name for route in routes_of(STAFF) for name in route.types} == STAFF_TYPES
    assert {route.to for route in routes_of(STAFF)} == {"event.order.responsible_user_ids"}


def test_there_are_two_lanes_and_no_others() -> None:
    assert {route.lane for route in routes()} == {CUSTOMER, STAFF}


@pytest.mark.parametrize("path", EXAMPLES)
def test_an_example_is_the_event_that_its_name_says(path: str) -> None:
    name = path.removeprefix("examples/").removesuffix(".json").replace("_", ".", 1)
    assert example(path).type == max((known for known in EVENT_TYPES if name.startswith(known)), key=len)


def test_an_example_is_complete() -> None:
    """An author sees in it every field that an event can have."""
    for path, text in EXAMPLES.items():
        model, given = type(example(path)), json.loads(text)
        part = "order" if "order" in given else "bonus"
        assert set(given) == set(model.model_fields), path
        assert set(given[part]) == set(type(getattr(example(path), part)).model_fields), path


def test_no_two_examples_are_the_same_event() -> None:
    assert len({example(path).event_id for path in EXAMPLES}) == len(EXAMPLES)


def test_every_example_is_used_by_a_route_and_every_route_uses_its_own_events() -> None:
    assert {each.event for route in routes() for each in route.examples} == set(EXAMPLES)
    assert all(example(each.event).type in route.types for route in routes() for each in route.examples)


LANES = {
    CUSTOMER: LaneFacts(LaneProfile(CUSTOMER, {SHOP.id: SHOP}), texts_per_minute=10, needs_title=True),
    STAFF: LaneFacts(LaneProfile(STAFF, {SHOP.id: SHOP}), texts_per_minute=120),
}


def test_check_finds_nothing_to_refuse_and_nothing_to_advise() -> None:
    assert [str(problem) for problem in check_routes(loaded_routes(), LANES, FILES)] == []
    assert [str(problem) for problem in warn_routes(loaded_routes(), LANES)] == []


def test_check_runs_every_expectation_of_the_catalogue() -> None:
    """Another text in the place of each expected one is found."""
    for path, text in ROUTE_FILES.items():
        spoilt, count = re.subn(r'(?m)(expect: \{(?:title|text): "|^        title: ")', r"\1Spoilt ", text)
        found = load_routes({path: spoilt})
        assert isinstance(found, RouteSet)
        assert count == sum(each.sent for loaded in found.routes for each in loaded.route.examples), path
        assert len(check_routes(found, LANES, FILES)) == count, path


@pytest.mark.parametrize("path", EXAMPLES)
def test_an_example_becomes_one_command_for_its_customer(path: str) -> None:
    commands = plan(CUSTOMER, EXAMPLES[path])
    if path.endswith("_no_consent.json"):
        assert commands == ()
        return
    customer = example(path).customer
    assert customer is not None
    assert [command.recipient for command in commands] == [customer.id]
    assert len(commands[0].wordings) >= 2
    assert commands[0].terms.unique[-1] is False


@pytest.mark.parametrize("route", routes(), ids=by_id)
def test_examples_show_both_languages_and_each_level(route: Route) -> None:
    shown = {(each.locale or example(each.event).customer.locale, each.level) for each in route.examples if each.sent}  # type: ignore[union-attr]
    assert shown == {(locale, level) for locale, ladder in route.ladders.items() for level in range(len(ladder))}


@pytest.mark.parametrize("route", routes(), ids=by_id)
def test_both_languages_have_the_same_ladder(route: Route) -> None:
    assert set(route.ladders) == LOCALES
    shapes = [[sorted(wording.sources()) for wording in ladder] for ladder in route.ladders.values()]
    assert shapes[0] == shapes[1]
    assert 2 <= len(shapes[0]) <= 3


@pytest.mark.parametrize("route", routes(), ids=by_id)
@pytest.mark.parametrize("locale", sorted(LOCALES))
def test_a_ladder_grows_coarser_and_ends_with_nothing_personal(route: Route, locale: str) -> None:
    ranks = [fineness(route, locale, level) for level in range(len(route.ladders[locale]))]
    assert ranks == sorted(ranks, reverse=True)
    assert ranks[-1] == Cardinality.ONE_OF_N.rank


def fineness(route: Route, locale: str, level: int) -> int:
    shown = read(route, locale, level).shown
    return max((cardinality.rank for cardinality in shown.values()), default=0)


def test_bonus_texts_are_never_somebodys_own() -> None:
    """Amounts repeat, so that many customers share a request; a balance would not."""
    bonuses = [route for route in routes_of(CUSTOMER) if route.types[0].startswith("bonus.")]
    assert all(not read(route, locale, 0).unique for route in bonuses for locale in LOCALES)


def test_every_message_fits_its_provider() -> None:
    """IMSHOP shows 50 characters of a title and 150 of a text; Bitrix24 takes 1000 bytes and no title."""
    for said in everything_said(routes_of(CUSTOMER)):
        assert 0 < len(said.message.title) <= 50, said
        assert len(said.message.text) <= 150, said
    for said in everything_said(routes_of(STAFF)):
        assert not said.message.title, said
        assert len(said.message.text.encode()) <= 1000, said


def test_the_longest_titles_of_places_still_fit() -> None:
    for route in routes_of(CUSTOMER):
        for each in route.examples:
            event = changed(each.event, "delivery", {"title": "Пункт выдачи на улице Космонавтов " * 20})
            for locale in LOCALES if event else ():
                assert all(len(message.text) <= 150 for message in say(route, locale, event)), route.id


def changed(path: str, part: str, fields: dict[str, Any]) -> Any:
    given = json.loads(EXAMPLES[path])
    if part not in given.get("order", {}):
        return None
    given["order"][part] |= fields
    return ANY_EVENT.validate_python(given, strict=False)


def test_links_lead_into_the_app_and_the_last_one_to_no_order() -> None:
    for said in everything_said(routes_of(CUSTOMER)):
        assert said.message.link is not None
        assert said.message.link.startswith("ducky://account/"), said
        if said.level == len(said.route.ladders[said.locale]) - 1:
            assert said.message.link == "ducky://account/home", said


@pytest.mark.parametrize("route", routes(), ids=by_id)
def test_an_event_that_says_only_what_it_must_can_still_be_told(route: Route) -> None:
    bare = bare_event(route.types[0])
    for locale in route.ladders:
        for message in say(route, locale, bare):
            assert "None" not in message.title + message.text


def bare_event(name: str) -> Any:
    part: dict[str, Any] = {"order": {"id": "5671"}} if name.startswith("order.") else {"bonus": {"amount": "3"}}
    moment = "2026-09-01T10:15:00+03:00"
    given = {"type": name, "version": 1, "occurred_at": moment, "customer": {"id": "1"}} | part
    return ANY_EVENT.validate_json(json.dumps(given))


@pytest.mark.parametrize("name", ["order.cancelled", "order.partially_received"])
def test_nobody_is_told_not_to_pay_when_the_event_does_not_say(name: str) -> None:
    route = next(route for route in routes_of(CUSTOMER) if name in route.types)
    assert "не нужно" not in say(route, "ru", bare_event(name))[0].text


def test_each_of_the_staff_is_told_in_the_language_of_the_shop() -> None:
    event = json.loads(EXAMPLES["examples/order_created_en.json"])
    event["order"]["responsible_user_ids"] = [17, 24]
    commands = plan(STAFF, json.dumps(event))
    assert [command.recipient for command in commands] == ["17", "24"]
    assert all(command.wordings[0].text.startswith("Новый заказ M-512") for command in commands)


@pytest.mark.parametrize("consents", [{"push": False, "marketing": True}, {}, None])
def test_nobody_is_told_without_a_consent(consents: dict[str, bool] | None) -> None:
    for text in EXAMPLES.values():
        given = json.loads(text)
        given["customer"]["consents"] = consents
        assert plan(CUSTOMER, json.dumps(given)) == ()


def test_a_reminder_to_spend_bonuses_needs_a_consent_to_advertising() -> None:
    told = {example(path).type for path, text in EXAMPLES.items() if plan(CUSTOMER, without_marketing(text))}
    assert set(EVENT_TYPES) - told == {"bonus.expiring"}


def without_marketing(text: str) -> str:
    return text.replace('"marketing": true', '"marketing": false')


def test_bonuses_are_never_told_twice_and_orders_rather_twice_than_not() -> None:
    for route in routes():
        expected = OnUnsure.STOP if route.types[0].startswith("bonus.") else OnUnsure.REPEAT
        assert route.unsure is expected, route.id


def test_news_lives_long_enough_to_arrive_in_time() -> None:
    for route in routes():
        assert 2 * HOUR <= route.ttl <= 24 * HOUR, route.id
        assert route.deliver_within is not None
        assert route.deliver_within <= route.ttl / 6, route.id


def thread(path: str, **changes: Any) -> int | None:
    given = json.loads(EXAMPLES[f"examples/{path}.json"])
    given["order" if "order" in given else "bonus"] |= changes
    return plan(CUSTOMER, json.dumps(given))[0].thread


def test_statuses_of_an_order_share_a_thread_and_news_about_money_has_its_own() -> None:
    """A status that follows within minutes must not swallow it."""
    assert thread("order_created") == thread("order_shipped") == thread("order_completed") != thread("order_created_en")
    assert thread("order_refunded") not in (thread("order_created"), None)


def test_the_life_of_one_bonus_operation_is_a_thread_that_no_order_shares() -> None:
    assert thread("bonus_accrued") == thread("bonus_expiring") == thread("bonus_expired") != thread("bonus_spent")
    assert thread("bonus_accrued", operation_id="05671863") != thread("order_created", id="05671863")


def test_bonus_operations_without_an_id_replace_nothing() -> None:
    assert thread("bonus_accrued", operation_id=None) is None


def test_only_the_newest_level_of_the_programme_is_told() -> None:
    assert thread("bonus_tier_changed", operation_id="1") == thread("bonus_tier_changed", operation_id="2")
