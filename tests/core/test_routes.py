"""Route files are read whole: every mistake at once, with its file, its line and what would be right."""

import pytest

from consumer.core.filters import FILTERS
from consumer.core.model import OnUnsure
from consumer.core.routes import EXPRESSION_SANDBOX, RouteSet, expression_tree, load_routes
from consumer.core.templates import Flaw, read_expression
from tests.core.planning import READY, routes

PLANTED = """\
- id: created
  on: order.creatd
  lane: app
  ttl: 12h
  wordings: [{title: a, text: b}]
- id: many
  on: order.created
  lane: app
  ttl: 12
  whn: event.customer.consents.push
  when: event.customer.consent.push
  thread: event.ordr.id
  to: event.customer.consents
  wordings:
    ru:
      - title: "{{ bonus.amount }}"
        text: |
          {{ order.total | mony }}
          {{ order.delivery.storage_until }}
        links: "https://x"
      - title: "{{ order.items_count | plural('товар') }}"
        text: "{{ order.payment }} {{ order.payment.paid }} {{ order.responsible_user_ids }}"
        link: javascript:alert(1)
    xx: [{text: b}]
    en: []
- id: created
  on: [order.paid, bonus.accrued]
  lane: app
  ttl: 40d
  deliver_within: 41d
  from: 2026-09-02T00:00:00Z
  until: 2026-09-01T00:00:00Z
  when: order.total | nothing
  thread: event.customer
  wordings:
    - {title: "{{ lane.slag }} {{ lane }} {{ shp.id }}", text: "{{ 'a' * 9 }}", link: /account, image: "ducky://x"}
"""


def problems(text: str) -> list[str]:
    found = load_routes({"routes.yaml": text})
    assert isinstance(found, list)
    return [str(problem) for problem in found]


def test_every_mistake_is_found_at_once() -> None:
    assert problems(PLANTED) == [
        (
            'routes.yaml:2: route created: unknown event "order.creatd"; did you mean "order.created"?'
            " `vestnik event list` shows all"
        ),
        'routes.yaml:9: "ttl": a duration needs a unit: ms, s, m, h or d, as in "30s" or "1h30m"',
        'routes.yaml:10: unknown key "whn"; did you mean "when"?',
        (
            'routes.yaml:11: route many: when: the event has no field "event.customer.consent.push";'
            ' did you mean "event.customer.consents.push"?'
        ),
        'routes.yaml:12: route many: thread: the event has no field "event.ordr.id"; did you mean "event.order.id"?',
        "routes.yaml:13: route many: to: this is neither an id nor a list of ids; e.g. event.order.id",
        'routes.yaml:16: route many: title: there is no "bonus" here; there are customer, event, lane, order, shop',
        'routes.yaml:18: route many: text: unknown filter "mony"; did you mean "money"?',
        (
            'routes.yaml:19: route many: text: "order.delivery.storage_until" is a date;'
            " write {{ order.delivery.storage_until | day }}, or | date, or | time"
        ),
        'routes.yaml:20: unknown key "links"; did you mean "link"?',
        (
            "routes.yaml:21: route many: title: plural has 1 forms; "
            "Russian needs three forms: one, few, many, as in plural('бонус', 'бонуса', 'бонусов')"
        ),
        'routes.yaml:22: route many: text: "order.payment" is not a text; there are method, paid',
        'routes.yaml:22: route many: text: "order.payment.paid" is a choice, not a text',
        'routes.yaml:22: route many: text: "order.responsible_user_ids" is a list, not a text',
        (
            "routes.yaml:23: route many: link: a link must not begin with javascript:;"
            " begin it with https:// or {{ lane.slug }}://"
        ),
        'routes.yaml:24: route many: unknown locale "xx"; locales are written as in CLDR: ru, en, kk, en-GB',
        'routes.yaml:25: "en": list should have at least 1 item after validation, not 0',
        "routes.yaml:26: route created: this id stands twice; first in routes.yaml:1; an id is for one route only",
        "routes.yaml:29: route created: ttl is not between 1s and 30d",
        "routes.yaml:30: route created: deliver_within is not between 0s and the ttl",
        "routes.yaml:32: route created: until is not after from",
        (
            'routes.yaml:33: route created: when: there is no "order" here in bonus.accrued;'
            " there are bonus, customer, event, lane, shop"
        ),
        'routes.yaml:33: route created: when: unknown filter "nothing"; there are ' + ", ".join(sorted(FILTERS)),
        "routes.yaml:34: route created: thread: this is neither an id nor a list of ids; e.g. event.order.id",
        "routes.yaml:36: route created: image: an image must begin with https://",
        "routes.yaml:36: route created: link: this link has no scheme; begin it with https:// or {{ lane.slug }}://",
        'routes.yaml:36: route created: text: "mul" is not possible in a template; fields, filters and if are',
        'routes.yaml:36: route created: title: there is no "lane" in order.paid; did you mean "lane.id"?',
        'routes.yaml:36: route created: title: there is no "lane.slag" in order.paid; did you mean "lane.slug"?',
        'routes.yaml:36: route created: title: there is no "shp" here in order.paid; did you mean "shop"?',
    ]


def test_a_date_needs_a_filter() -> None:
    text = READY.replace("order.delivery.storage_until | day", "order.delivery.storage_until")
    assert problems(text) == [
        (
            'routes.yaml:13: route order-ready: text: "order.delivery.storage_until" is a date;'
            " write {{ order.delivery.storage_until | day }}, or | date, or | time"
        )
    ]


@pytest.mark.parametrize("text", ["- 5", "- {}", "- null", "- [a]", "- id: a\n  wordings: 5", "- wordings: [1]"])
def test_whatever_an_entry_is_its_mistakes_are_told(text: str) -> None:
    assert problems(text)


@pytest.mark.parametrize("text", ["routes: []", "id: a", "5"])
def test_a_file_is_a_list_of_routes(text: str) -> None:
    assert problems(text) == ['routes.yaml:1: a list of routes is expected here; each route begins with "- id: "']


def test_mistakes_of_all_files_are_told() -> None:
    found = load_routes({"b.yaml": "- : :", "a.yaml": "5", "empty.yaml": "", "good.yaml": READY})
    assert isinstance(found, list)
    assert [problem.file for problem in found] == ["a.yaml", "b.yaml"]


def test_good_routes_are_read_in_the_order_of_their_files() -> None:
    second = READY.replace("order-ready", "second").replace("lane: app", "lane: staff")
    found = load_routes({"b.yaml": second, "a.yaml": READY, "c.yaml": ""})
    assert isinstance(found, RouteSet)
    assert [each.route.id for each in found.routes] == ["order-ready", "second"]
    assert [each.route.id for each in found.of_lane("staff")] == ["second"]
    assert found.find("second") is found.routes[1]
    assert found.find("third") is None


def test_a_route_says_what_it_leaves_out() -> None:
    route = routes("- {id: a, on: [order.paid, bonus.spent], lane: x, ttl: 5m, wordings: [{text: b}]}").routes[0].route
    assert (route.to, route.ladder, route.enabled) == ("event.customer", "on", True)
    assert (route.deliver_within_seconds, route.unsure) == (300.0, OnUnsure.STOP)
    assert route.types == ("order.paid", "bonus.spent")


def test_an_expression_that_is_none_is_told() -> None:
    text = READY.replace("thread: event.order.id", "thread: event.order.id event.order.id")
    assert problems(text) == ["routes.yaml:6: route order-ready: thread: more than one expression"]


def test_only_a_checked_expression_has_a_tree() -> None:
    with pytest.raises(TypeError, match="not an expression"):
        expression_tree("a b")


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{{ order.public_id | money }}", '"order.public_id" is not a number, which money wants'),
        (
            "{{ order.payment.paid | plural('a', 'b', 'c') }}",
            '"order.payment.paid" is not a number, which plural wants',
        ),
        ("{{ order.total | day }}", '"order.total" is not a date, which day wants'),
        ("{{ order.delivery.storage_until | time }}", '"order.delivery.storage_until" is not a time, which time wants'),
        ("{{ order.items_count | phone }}", '"order.items_count" is not a text, which phone wants'),
    ],
)
def test_a_field_that_a_filter_cannot_say_is_told(source: str, problem: str) -> None:
    text = READY.replace("Заказ {{ order.public_id }} ждёт вас", source)
    assert problems(text) == [f"routes.yaml:12: route order-ready: title: {problem}"]


@pytest.mark.parametrize("source", ["{{ event.type | shorten }}", "{{ order.total | number }}"])
def test_a_field_that_a_filter_can_say_is_fine(source: str) -> None:
    assert isinstance(load_routes({"a.yaml": READY.replace("Заказ {{ order.public_id }} ждёт вас", source)}), RouteSet)


def test_an_arrow_for_a_comparison_is_understood() -> None:
    flaw = read_expression("order.total => 5", EXPRESSION_SANDBOX)
    assert isinstance(flaw, Flaw)
    assert flaw.mend == 'did you mean ">="?'


@pytest.mark.parametrize(
    ("source", "advice"),
    [
        ("{{ order.totl | money }}", 'did you mean "order.total"?'),
        ("{{ event.order.totl | money }}", 'did you mean "event.order.total"?'),
        ("{{ order.delivry.title }}", 'did you mean "order.delivery.title"?'),
        ("{{ order.payment.xxxxxx }}", "order.payment has method, paid"),
        ("{{ order.id.number }}", "order.id has no fields of its own"),
    ],
)
def test_advice_names_a_field_so_that_it_can_be_copied(source: str, advice: str) -> None:
    """The whole path, also below a step that was wrong; or what there is where it went wrong."""
    text = READY.replace("{{ order.delivery.title }}", source, 1)
    assert text != READY
    (found,) = problems(text)
    assert found.endswith(f"; {advice}")


def test_an_event_like_no_other_may_be_one_of_the_shops_own() -> None:
    assert problems(READY.replace("order.ready_for_pickup", "gift.made")) == [
        (
            'routes.yaml:3: route order-ready: unknown event "gift.made"; `vestnik event list` shows all;'
            " one of the shop's own needs a schema file, which own_events names"
        )
    ]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("event.customer.consents.push", "event.customer.consents.push and (", "when: template: unexpected 'end"),
        ("event.customer.consents.push", "event.customer.consnts.push", 'mean "event.customer.consents.push"?'),
        ("event.order.id", "event.order.id | mony", 'thread: unknown filter "mony"; did you mean "money"?'),
        ("{{ order.public_id }}", "{{ order.public_id | mony }}", 'title: unknown filter "mony"'),
        ("{{ order.public_id }}", "{{ customer.ide }}", 'title: the event has no field "customer.ide"'),
        ("{{ lane.slug }}", "{{ lane.slag }}", 'there is no "lane.slag"; did you mean "lane.slug"?'),
    ],
)
def test_an_unknown_event_hides_no_other_mistake_of_its_route(old: str, new: str, problem: str) -> None:
    found = problems(READY.replace("order.ready_for_pickup", "order.redy_for_pickup").replace(old, new, 1))
    assert len(found) == 2
    assert problem in found[1]


def test_of_an_unknown_event_nobody_knows_the_fields() -> None:
    odd = READY.replace("order.ready_for_pickup", "gift.made").replace("order.public_id", "gift.name")
    assert [each for each in problems(odd.replace("event.order.id", "event.gift.id")) if "gift.made" not in each] == []


def test_fields_are_looked_for_in_the_events_that_are_known() -> None:
    some = READY.replace("order.ready_for_pickup", "[order.ready_for_pickup, gift.made]")
    assert 'the event has no field "order.publik_id"' in problems(some.replace("public_id", "publik_id"))[1]
