"""Every mistake that was planted in a sound folder is found by `vestnik check`, with file, line and a sentence."""

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from typer.testing import CliRunner

from consumer.app.cli import app
from consumer.app.commands.shared import FINE, USAGE

SOUND = Path(__file__).parent / "planted"
ROUTES, CONFIG, PAID = "routes/orders.yaml", "vestnik.yaml", "examples/order_paid.json"
SNAPSHOT = "examples/order_paid.snapshot.yaml"
GUIDE = '        text: "Уже собираем!"'


@dataclass(frozen=True)
class Planted:
    """One edit of one file. The mistake is told at the first line of `told_in` that holds `at`, in words that hold
    `says`. `warns`: it stops nothing, unless --strict is asked."""

    name: str
    old: str
    new: str
    at: str
    says: str
    file: str = ROUTES
    told_in: str = ""
    warns: bool = field(default=False, kw_only=True)

    def __str__(self) -> str:
        return self.name

    @property
    def place(self) -> str:
        return self.told_in or self.file


def warned(*fields: str) -> Planted:
    """What is found and stops nothing."""
    return Planted(*fields, warns=True)


IDS = "id: order-paid"
WHEN = "when: event.customer.consents.push and order.public_id and order.items_count and order.total\n"
TITLE = "Заказ {{ order.public_id }} оплачен"
LINK = 'link: "{{ lane.slug }}://account/home"'
SILENT_AND_SOUND = """\
  examples:
    - event: examples/bonus_expiring.json
      expect: {title: "Бонусы сгорят 30 сентября"}
    - event: examples/bonus_expiring_silent.json
      sent: false
"""
SECOND = """
- id: order-paid-too
  on: order.paid
  when: event.customer.consents.push and order.payment.paid
  lane: push
  ttl: 1h
  wordings: {ru: [{title: a, text: b}], en: [{title: a, text: b}]}
  examples: [{event: examples/order_paid.json}]

- id: bonus-expiring"""

PLANTED = (
    # routes
    Planted("an unknown key", "  ttl: 3h", "  tll: 3h", "tll: 3h", 'unknown key "tll"; did you mean "ttl"?'),
    Planted("a missing key", "  ttl: 6h\n", "", "id: bonus-expiring", 'the key "ttl" is missing'),
    Planted("a key twice", "  ttl: 6h\n", "  ttl: 6h\n  ttl: 7h\n", "ttl: 7h", 'the key "ttl" stands here twice'),
    Planted("a tab", "  ttl: 6h\n", "\tttl: 6h\n", "ttl: 6h", "not YAML"),
    Planted("an unknown event", "on: order.paid", "on: order.payed", "order.payed", 'did you mean "order.paid"?'),
    Planted(
        "an unknown lane", "lane: push", "lane: puhs", "lane: puhs", 'there is no lane "puhs"; did you mean "push"?'
    ),
    Planted(
        "an id twice", "id: bonus-expiring", IDS, IDS + "\n  on: bonus.expiring", "this id stands twice; first in "
    ),
    Planted("an id with capitals", IDS, "id: Order_Paid", "Order_Paid", "should match pattern"),
    Planted("a duration without a unit", "ttl: 3h", "ttl: 3", "ttl: 3", "a duration needs a unit"),
    Planted("a ttl beyond the lane's memory", "ttl: 3h", "ttl: 9d", "ttl: 9d", "longer than the memory of lane push"),
    Planted("later than the ttl", "deliver_within: 10m", "deliver_within: 4h", "deliver_within: 4h", "and the ttl"),
    Planted(
        "an end before the beginning",
        "  ttl: 3h",
        "  from: 2026-02-01T00:00:00Z\n  until: 2026-01-01T00:00:00Z\n  ttl: 3h",
        "until:",
        "until is not after from",
    ),
    Planted(
        "a whole part as recipient", "to: event.customer\n", "to: event.order\n", "to: event.order", "neither an id"
    ),
    Planted("a thread that is no id", "event.order.id", "event.order.delivery", "thread:", "neither an id nor a list"),
    Planted("a condition that is none", WHEN, "when: event.customer and\n", "when: event.customer and", "template: "),
    Planted(
        "a field that is not there", WHEN, "when: event.consents.push\n", "event.consents.push", "the event has no"
    ),
    Planted(
        "only texts of one's own",
        GUIDE,
        GUIDE.replace("Уже", "{{ order.id }}"),
        "Заказ {{",
        "order.public_id, order.total), and lane push says 10 different texts a minute",
    ),
    # texts
    Planted("an unknown field", "order.public_id }} опл", "order.publicid }} опл", "publicid", '"order.public_id"?'),
    Planted(
        "another event's field",
        "bonus.amount | plural('point'",
        "order.total | plural('point'",
        "order.total | plural('p",
        'there is no "order" here',
    ),
    Planted(
        "an unknown filter",
        "на {{ order.total | money",
        "на {{ order.total | mony",
        "mony",
        'unknown filter "mony"; did you mean "money"?',
    ),
    Planted(
        "a brace too few", TITLE, "Заказ {{ order.public_id } оплачен", "public_id } опл", "template: unexpected '}'"
    ),
    Planted("a way into Python", TITLE, "{{ ''.__class__.__mro__ }}", "__mro__", "is no field of an event; a template"),
    Planted(
        "a loop", TITLE, "{% for x in order %}{{ x }}{% endfor %}", "endfor", '"for" is not possible in a template'
    ),
    Planted(
        "a date without a filter",
        'bonus.expires_at | day }}"\n        text: "Потр',
        'bonus.expires_at }}"\n        text: "Потр',
        "Бонусы сгорят {{",
        '"bonus.expires_at" is a date',
    ),
    Planted(
        "a filter for another kind",
        TITLE,
        "{{ order.public_id | money }}",
        "public_id | money",
        "is not a number, which",
    ),
    Planted("a part of the event as text", TITLE, "{{ order.payment }}", "{{ order.payment }}", "is not a text"),
    Planted(
        "too few forms of a word",
        "'товар', 'товара', 'товаров'",
        "'товар', 'товары'",
        "'товары'",
        "plural has 2 forms; Russian needs three forms: one, few, many, as in plural(",
    ),
    Planted(
        "too many forms of a word",
        "'item', 'items'",
        "'item', 'items', 'items'",
        "'items', 'items'",
        "plural has 3 forms; English needs two forms: one, other, as in plural('point', 'points')",
    ),
    Planted(
        "no title",
        '      - title: "Заказ оплачен"\n        text',
        "      - text",
        "Уже собираем",
        "the key title is missing",
    ),
    Planted("an empty text", GUIDE, '        text: ""', 'text: ""', "at least 1 character"),
    warned(
        "a count before a word",
        "{{ order.items_count | plural('item', 'items') }}",
        "{{ order.items_count }} items",
        "items_count }} items",
        "'one', 'other') }}",
    ),
    warned(
        "a text that nobody sees whole",
        GUIDE,
        f'        text: "{"Уже собираем! " * 12}"',
        "Уже собираем! Уже",
        "the text comes to 167 letters with an example, and lane push shows 150",
    ),
    warned(
        "a title that nobody sees whole",
        TITLE,
        "Ваш замечательный новый заказ с номером {{ order.public_id }} оплачен",
        "замечательный",
        "the title comes to 53 letters with an example, and lane push shows 50",
    ),
    warned(
        "a step that is never used",
        "  ttl: 6h",
        "  ladder: off\n  ttl: 6h",
        "Бонусы скоро сгорят",
        "ladder is off, so that this wording is never used",
    ),
    warned(
        "a step that says the same",
        'Успейте их потратить"',
        'Успейте их потратить"\n      - title: "Бонусы скоро сгорят"\n        text: "Успейте их потратить"',
        '      - title: "Бонусы скоро сгорят"\n        text: "Успейте их потратить"\n    en',
        "level 2 says what an earlier wording says",
    ),
    # languages
    Planted(
        "an unknown language",
        '    en:\n      - title: "Order',
        '    engl:\n      - title: "Order',
        "engl:",
        'unknown locale "engl"',
    ),
    Planted(
        "a shop's language is missing",
        '    en:\n      - title: "Points',
        '    de:\n      - title: "Points',
        'wordings:\n    ru:\n      - title: "Бонусы',
        "no wordings in en, the language of shop goose; add wordings.en",
    ),
    warned(
        "a language with fewer steps",
        '      - title: "Your points expire soon"\n        text: "Spend them in time"\n',
        "",
        'en:\n      - title: "Points',
        "1 wording in en, and 2 in ru",
    ),
    # links
    Planted(
        "a link that runs code",
        LINK,
        'link: "javascript:alert(1)"',
        "javascript:",
        "a link must not begin with javascript:",
    ),
    Planted(
        "a link in the clear", LINK, 'link: "http://ducky.example/"', "http://ducky", "a link must not begin with http:"
    ),
    Planted("a link without a scheme", LINK, 'link: "/account/home"', "/account/home", "this link has no scheme"),
    Planted(
        "another app's scheme",
        LINK,
        'link: "swan://account/home"',
        "swan://",
        "no shop of lane push has links that begin with swan:",
    ),
    Planted(
        "another shop's host",
        LINK,
        'link: "https://swan.example/home"',
        "https://swan",
        "no shop lets a link lead to swan.example",
    ),
    Planted(
        "an image of the app",
        "https://ducky.example/paid.png",
        "ducky://paid.png",
        "ducky://paid.png",
        "an image must begin with https://",
    ),
    # conditions, and routes beside one another
    warned(
        "a condition that is never true",
        WHEN,
        "when: order.payment.paid == 'yes'\n",
        "== 'yes'",
        "order.payment.paid is true or false, without quotes",
    ),
    warned(
        "a number in quotes",
        WHEN,
        "when: order.items_count > '3'\n",
        "> '3'",
        "order.items_count is a number, without quotes",
    ),
    warned(
        "a condition on another event", WHEN, "when: event.type == 'order.created'\n", "order.created", "is never true"
    ),
    warned(
        "a contradiction",
        WHEN,
        "when: order.items_count > 5 and order.items_count < 3\n",
        "< 3",
        "contradict one another",
    ),
    warned(
        "a route that shadows another",
        "\n- id: bonus-expiring",
        SECOND,
        "order-paid-too",
        "whom route order-paid tells of order.paid, this one tells too",
    ),
    warned(
        "a route that has ended", "  ttl: 3h", "  until: 2020-01-01T00:00:00Z\n  ttl: 3h", "until:", "until has passed"
    ),
    # examples and snapshots
    Planted(
        "an example that is not there",
        "event: examples/order_paid.json\n      level",
        "event: examples/order_payd.json\n      level",
        "order_payd.json",
        'there is no file "examples/order_payd.json"',
    ),
    Planted(
        "an example of another event",
        "event: examples/bonus_expiring_silent.json",
        "event: examples/order_paid.json",
        "event: examples/order_paid.json\n      sent",
        "an event of another type than bonus.expiring",
    ),
    Planted(
        "an example that says something else",
        'expect: {title: "Your order is paid"}',
        'expect: {title: "Your order was paid"}',
        "was paid",
        'title is "Your order is paid"; expected is "Your order was paid"',
    ),
    Planted(
        "an example that tells nobody",
        "\n      sent: false",
        "",
        "bonus_expiring_silent",
        "nothing is sent: when is false",
    ),
    Planted(
        "an example of a level too high", "level: 1", "level: 2", "level: 2", "there is no level 2; the last one is 1"
    ),
    Planted(
        "an example that is no JSON",
        '"type": "order.paid",',
        '"type": order.paid,',
        "event: examples/order_paid",
        "not an event: invalid_json",
        PAID,
        ROUTES,
    ),
    Planted(
        "an example with a number as money",
        '"29336.00"',
        "29336.00",
        "event: examples/order_paid",
        "not an event: schema order.total: string_type",
        PAID,
        ROUTES,
    ),
    Planted(
        "an example without what is shown",
        'text: "We are packing!"',
        'text: "{{ order.cancel_reason }}"',
        "order.cancel_reason",
        "with examples/order_paid.json order.cancel_reason is empty; give it a default or an if",
    ),
    warned(
        "a field that may be empty",
        'text: "Уже собираем!"',
        'text: "{{ order.cancel_reason }}"',
        "order.cancel_reason",
        "order.cancel_reason may be empty",
    ),
    warned(
        "a field of an example misspelt",
        '"cancel_reason"',
        '"cancel_raeson"',
        "cancel_raeson",
        'did you mean "cancel_reason"?',
        PAID,
    ),
    warned(
        "a route without examples",
        SILENT_AND_SOUND,
        "",
        "id: bonus-expiring",
        "no examples",
    ),
    warned(
        "an example that no route names",
        "    - event: examples/bonus_expiring_silent.json\n      sent: false\n",
        "",
        "{",
        "no route has this event for an example",
        ROUTES,
        "examples/bonus_expiring_silent.json",
    ),
    Planted(
        "a text that is not its snapshot's",
        GUIDE,
        '        text: "Собираем!"',
        "Уже собираем!",
        'text is "Собираем!"; the snapshot has "Уже собираем!"',
        ROUTES,
        SNAPSHOT,
    ),
    Planted(
        "a snapshot of a route that is gone",
        "id: order-paid\n",
        "id: order-is-paid\n",
        "order-paid:",
        "route order-paid says nothing of order_paid.json",
        ROUTES,
        SNAPSHOT,
    ),
    # the configuration around them
    Planted(
        "a list in the place of a name",
        "routes: routes",
        "routes: [routes, more]",
        "routes: [",
        '"more" is neither a route file nor a folder',
        CONFIG,
    ),
)


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMSHOP_KEY", "canary-of-imshop")


def told(folder: Path, *words: str) -> tuple[int, list[str], list[str]]:
    """How `check` ends, its mistakes and its warnings, with the folder's name cut off."""
    found = CliRunner().invoke(app, ["check", "-c", str(folder), "-o", "json", *words])
    document = json.loads(found.stdout)
    problems = [f"{each['file']}:{each['line']}: {each['what']}; {each['mend']}" for each in document["problems"]]
    problems, warnings = (
        [each.replace(f"{folder}/", "") for each in part] for part in (problems, document["warnings"])
    )
    return found.exit_code, problems, warnings


def line_of(text: str, fragment: str) -> int:
    """The line that holds the first line of the fragment where the whole fragment stands; 0 where it does not."""
    return text[: text.index(fragment)].count("\n") + 1 if fragment else 0


def sound(folder: Path) -> Path:
    shutil.copytree(SOUND, folder, dirs_exist_ok=True)
    return folder


def test_the_folder_is_sound_before_anything_is_planted(tmp_path: Path) -> None:
    assert told(sound(tmp_path), "--strict") == (FINE, [], [])


def test_there_are_more_than_thirty_and_each_has_a_name() -> None:
    assert len({each.name for each in PLANTED}) == len(PLANTED) >= 40


@pytest.mark.parametrize("planted", PLANTED, ids=str)
def test_a_planted_mistake_is_found(tmp_path: Path, planted: Planted) -> None:
    folder = sound(tmp_path)
    file = folder / planted.file
    text = file.read_text("utf-8")
    assert planted.old in text
    file.write_text(text.replace(planted.old, planted.new, 1), "utf-8")
    code, problems, warnings = told(folder)
    line = line_of((folder / planted.place).read_text("utf-8"), planted.at)
    where = f"{planted.place}:{line}: "
    assert code == (USAGE if problems else FINE)
    found = warnings if planted.warns else problems
    assert any(each.startswith(where) and planted.says in each for each in found), (where, planted.says, found)


def test_warnings_are_mistakes_where_they_are_asked_to_be(tmp_path: Path) -> None:
    routes = sound(tmp_path) / ROUTES
    routes.write_text(
        routes.read_text("utf-8").replace("  ttl: 6h", "  until: 2020-01-01T00:00:00Z\n  ttl: 6h"), "utf-8"
    )
    code, problems, warnings = told(tmp_path, "--strict")
    assert (code, problems, len(warnings)) == (USAGE, [], 1)
