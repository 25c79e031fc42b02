"""Routes are held against their lanes: examples, languages, link schemes, and how many texts a lane can say."""

import json
from typing import Any

import pytest

from consumer.core.check import check_flawed, check_routes, warn_routes
from consumer.core.profile import LaneFacts, LaneProfile, ShopProfile
from consumer.core.routes import RouteSet, load_routes, read_routes
from tests.core.planning import DUCKY, READY, bonus, order, routes

IMSHOP = LaneFacts(LaneProfile("app", {"ducky": DUCKY}), 10, needs_title=True)
FREE = LaneFacts(LaneProfile("app", {"ducky": DUCKY}))


def checked(text: str, facts: LaneFacts = IMSHOP, /, **events: Any) -> list[str]:
    files = {
        f"examples/{name}.json": each if isinstance(each, str) else json.dumps(each) for name, each in events.items()
    }
    return [str(problem) for problem in check_routes(routes(text), {"app": facts}, files)]


def one(wordings: str, **keys: str) -> str:
    head = {"id": "r", "on": "order.ready_for_pickup", "lane": "app", "ttl": "12h"} | keys
    return "- " + "\n  ".join(f"{key}: {value}" for key, value in head.items()) + f"\n  wordings: {wordings}\n"


def example(entry: str) -> str:
    return f"{READY}  examples:\n    - {entry}\n"


def test_good_routes_have_no_problems() -> None:
    entry = '{event: examples/a.json, expect: {title: "Заказ М-428 ждёт вас", link: "ducky://account/orders/05671863"}}'
    assert checked(example(entry), a=order()) == []


@pytest.mark.parametrize(
    "entry",
    [
        "{event: examples/a.json, level: 1, expect: {title: Заказ готов к выдаче}}",
        "{event: examples/a.json, locale: en, expect: {title: Your order is ready, text: See the app.}}",
        "{event: examples/other.json, expect: {link: 'goose://account/orders/05671863'}}",
        "{event: examples/shopless.json, expect: {link: 'ducky://account/orders/05671863'}}",
        "{event: examples/silent.json, sent: false}",
        "{event: examples/nobody.json, sent: false}",
    ],
)
def test_an_example_that_comes_true_is_no_problem(entry: str) -> None:
    silent = order(customer__consents__push=False)
    nobody = order(customer__id=None, customer__phone=None)
    events = {"other": order(shop="goose"), "shopless": order(shop=None), "silent": silent, "nobody": nobody}
    assert checked(example(entry), a=order(), **events) == []


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("{event: a.json}", 'there is no file "a.json"'),
        ("{event: examples/poison.json}", "not an event: invalid_json Expecting value at character 0"),
        ("{event: examples/bonus.json}", "an event of another type than order.ready_for_pickup"),
        ("{event: examples/unknown.json}", "an event of another type than order.ready_for_pickup"),
        (
            "{event: examples/a.json, expect: {title: Ждёт}}",
            'title is "Заказ М-428 ждёт вас"; expected is "Ждёт"',
        ),
        (
            "{event: examples/a.json, expect: {image: 'https://x'}}",
            'image is ""; expected is "https://x"',
        ),
        ("{event: examples/a.json, level: 2}", "there is no level 2; the last one is 1"),
        ("{event: examples/a.json, sent: false}", "something is sent"),
        (
            "{event: examples/silent.json}",
            "nothing is sent: when is false; give another event, or say sent: false",
        ),
        (
            "{event: examples/nobody.json}",
            "nothing is sent: the event names nobody; give another event, or say sent: false",
        ),
        (
            "{event: examples/phone.json}",
            ("nothing is sent: customer.phone is not a phone number;"
            " give another event, or say sent: false"),
        ),
    ],
)  # fmt: skip
def test_an_example_that_does_not_come_true_is_told(entry: str, problem: str) -> None:
    consents = {"consents": {"push": True}}
    found = checked(
        example(entry),
        a=order(),
        poison="",
        bonus=bonus(),
        unknown=order(type="order.teleported"),
        silent=order(customer__consents=None),
        nobody=order(customer=consents),
        phone=order(customer=consents | {"phone": "12"}),
    )
    assert found == [f"routes.yaml:19: route order-ready: {problem}"]


def test_a_condition_that_fails_is_told_by_its_example() -> None:
    text = one("[{title: a, text: b}]", when="order.total > 5", examples="[{event: examples/a.json}]")
    assert (
        "nothing is sent: when: order.total is empty here; write `order.total and order.total > 5`"
        in checked(text, a=order(order__total=None))[0]
    )


def test_a_condition_that_fails_otherwise_is_told_as_it_is() -> None:
    text = one("[{title: a, text: b}]", when="order.id > 5", examples="[{event: examples/a.json}]")
    assert "when fails with TypeError" in checked(text, a=order())[0]


def test_a_field_that_an_example_leaves_empty_is_told_where_it_is_said() -> None:
    found = checked(example("{event: examples/bare.json}"), bare=order(order__delivery__title=None))
    assert len(found) == 1
    assert "text: with examples/bare.json order.delivery.title is empty; give it a default or an if" in found[0]
    assert not found[0].startswith("routes.yaml:19:")


def test_examples_stand_beside_the_route_file_or_its_folder() -> None:
    loaded = load_routes({"shop/routes/a.yaml": example("{event: examples/a.json}")})
    assert isinstance(loaded, RouteSet)
    for place in ("shop/routes/examples/a.json", "shop/examples/a.json", "examples/a.json"):
        assert check_routes(loaded, {"app": IMSHOP}, {place: json.dumps(order())}) == []


def test_a_lane_that_there_is_not_is_told() -> None:
    found = check_routes(routes(), {"ap": IMSHOP})
    assert [str(each) for each in found] == [
        'routes.yaml:5: route order-ready: there is no lane "app"; did you mean "ap"?'
    ]


def test_a_ttl_is_not_longer_than_the_memory() -> None:
    assert checked(one("[{title: a, text: b}]", ttl="9d")) == [
        "routes.yaml:4: route r: ttl is longer than the memory of lane app"
    ]


def test_every_shop_has_wordings_in_its_language() -> None:
    facts = LaneFacts(LaneProfile("app", {"goose": ShopProfile("goose", "goose", locale="kk")}))
    assert checked(READY, facts) == [
        "routes.yaml:10: route order-ready: no wordings in kk, the language of shop goose; add wordings.kk"
    ]
    assert checked(READY, LaneFacts(LaneProfile("app", {"a": ShopProfile("a", "a", locale="ru-RU")}))) == []


def test_wordings_without_a_language_have_the_plurals_of_the_shop_s() -> None:
    text = one("[{title: a, text: \"{{ order.items_count | plural('item', 'items') }}\"}]")
    wanted = "Russian needs three forms: one, few, many, as in plural('бонус', 'бонуса', 'бонусов')"
    assert checked(text) == [f"routes.yaml:5: route r: text: plural has 2 forms; {wanted}"]
    english = LaneFacts(LaneProfile("app", {"a": ShopProfile("a", "a", locale="en")}))
    assert checked(text, english) == []
    assert checked(text, LaneFacts(LaneProfile("app", {"a": ShopProfile("a", "a", locale="zz")}))) == []


def test_a_link_begins_with_https_or_the_slug_of_a_shop() -> None:
    assert checked(one("[{title: a, text: b, link: 'goose://x'}]")) == [
        "routes.yaml:5: route r: link: no shop of lane app has links that begin with goose:; write {{ lane.slug }}://"
    ]
    assert checked(one("[{title: a, text: b, link: 'ducky://x'}]")) == []


def test_a_lane_that_needs_titles_takes_no_wording_without() -> None:
    assert checked(one("[{text: b}]")) == [
        "routes.yaml:5: route r: the key title is missing; lane app sends nothing without one"
    ]
    assert checked(one("[{text: b}]"), FREE) == []


OWN = "[{title: a, text: '{{ order.id }}'}]"
RATE = "lane app says 10 different texts a minute"
REFUSAL = f"routes.yaml:5: route r: everybody gets a text of their own (order.id), and {RATE}"


def test_a_scarce_lane_refuses_a_route_that_has_only_personal_wordings() -> None:
    assert checked(one(OWN)) == [f"{REFUSAL}; add a coarser wording without these fields"]
    assert checked(one(OWN), FREE) == []
    coarser = "[{title: a, text: '{{ order.id }}'}, {title: a, text: b}]"
    assert checked(one(coarser)) == []
    assert checked(one(coarser, ladder='"off"')) == [f"{REFUSAL.replace(':5', ':6')}; set ladder: on"]


def test_what_a_condition_asks_is_not_shown() -> None:
    assert (
        checked(
            one("[{title: a, text: \"{{ 'x' if order.id == '1' else order.cancel_reason }}{{ 'y' if order.id }}\"}]")
        )
        == []
    )
    assert checked(one("[{title: a, text: '{{ event.occurred_at | day }}'}]")) == []
    assert checked(one("[{title: a, text: '{{ event.occurred_at | time | upper }}'}]")) == []


def test_too_many_texts_are_worth_a_warning() -> None:
    text = one(
        "[{title: '{{ order.delivery.title }}', text: '{{ order.items_count }} {{ event.source }}'}]",
        when="order.delivery.title and order.items_count",
    )
    found = [str(each) for each in warn_routes(routes(text), {"app": IMSHOP})]
    assert found == [
        "routes.yaml:1: route r: no examples; an example shows the text and keeps it right",
        (
            "routes.yaml:6: route r: the coarsest wording may have 100000 different texts"
            " (event.source, order.delivery.title, order.items_count);"
            " lane app says 10 different texts a minute; add a coarser one or give deliver_within more time"
        ),
    ]
    assert len(warn_routes(routes(text), {"app": FREE})) == 1
    assert len(warn_routes(routes(text), {})) == 1


def test_few_texts_and_shown_examples_need_no_warning() -> None:
    text = one("[{title: a, text: b}]", examples="[{event: examples/a.json}]")
    assert warn_routes(routes(text), {"app": IMSHOP, "other": IMSHOP}) == []


HOSTS = LaneFacts(LaneProfile("app", {"ducky": ShopProfile("ducky", "ducky", link_hosts=frozenset({"ducky.ru"}))}))


@pytest.mark.parametrize(
    ("link", "facts", "mend"),
    [
        ("https://evil.example/x", HOSTS, "link_hosts of the shops: ducky.ru"),
        ("https://evil.example", HOSTS, "link_hosts of the shops: ducky.ru"),
        ("https://localhost/x", FREE, "write a host's name, as in shop.example"),
    ],
)
def test_a_link_to_a_host_that_no_shop_allows_is_told(link: str, facts: LaneFacts, mend: str) -> None:
    found = checked(one(f"[{{text: b, link: '{link}'}}]"), facts)
    host = link.removeprefix("https://").removesuffix("/x")
    assert found == [f"routes.yaml:5: route r: link: no shop lets a link lead to {host}; {mend}"]


@pytest.mark.parametrize("link", ["https://m.ducky.ru/x", "https://ducky.ru", "https://{{ shop.id }}.ru/", "ducky://x"])
def test_a_link_to_a_host_that_may_be_is_no_problem(link: str) -> None:
    assert checked(one(f"[{{text: b, link: '{link}'}}]"), HOSTS) == []


def test_a_lane_without_shops_has_no_examples_to_run() -> None:
    assert checked(example("{event: nowhere.json}"), LaneFacts(LaneProfile("app", {}))) == []


# --- routes with mistakes of their own --------------------------------------------------------------------------------


def flawed(text: str, facts: LaneFacts = IMSHOP, /, **events: Any) -> list[str]:
    """What is told of routes with mistakes beside what is told of the mistakes."""
    reading = read_routes({"routes.yaml": text})
    assert reading.flawed
    files = {f"examples/{name}.json": json.dumps(each) for name, each in events.items()}
    return [str(problem) for problem in check_flawed(reading.flawed, {"app": facts}, files)]


TWO = "{event: examples/a.json}\n    - {event: examples/missing.json}"
MISSING = 'routes.yaml:20: route order-ready: there is no file "examples/missing.json"'


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("order.ready_for_pickup", "order.redy_for_pickup"),
        ("ttl: 12h", "ttl: 12"),
        ("order.public_id", "order.publik_id"),
    ],
)
def test_a_mistake_in_a_route_hides_no_file_that_is_missing(old: str, new: str) -> None:
    assert flawed(example(TWO).replace(old, new), a=order()) == [MISSING]


def test_a_mistake_in_a_route_hides_no_example_of_another_type() -> None:
    text = example("{event: examples/a.json}").replace("ttl: 12h", "ttl: 12")
    other = "routes.yaml:19: route order-ready: an event of another type than order.ready_for_pickup"
    assert flawed(text, a=order(type="order.paid")) == [other]


def test_a_route_that_was_read_whole_is_seen_beside_its_lane() -> None:
    text = one("[{text: '{{ order.ide }}', link: 'goose://x'}]", ttl="30d")
    assert flawed(text) == [
        "routes.yaml:4: route r: ttl is longer than the memory of lane app",
        "routes.yaml:5: route r: the key title is missing; lane app sends nothing without one",
        (
            "routes.yaml:5: route r: link: no shop of lane app has links that begin with goose:;"
            " write {{ lane.slug }}://"
        ),
    ]


def test_what_could_not_be_read_is_judged_by_nobody() -> None:
    """A title that is written with a slip of the pen is not missing beside."""
    assert flawed(one("[{text: b, titel: a}]", ttl="30d")) == []


def test_an_unknown_lane_hides_no_file_that_is_missing() -> None:
    elsewhere = example(TWO).replace("lane: app\n", "lane: ap\n")
    lane = 'routes.yaml:5: route order-ready: there is no lane "ap"; did you mean "app"?'
    assert checked(elsewhere, a=order()) == [lane, MISSING]
    assert flawed(elsewhere.replace("ttl: 12h", "ttl: 12"), a=order()) == [lane, MISSING]
