"""The form on the admin port shows what people would read, in both languages, without scripts, and trusts nobody."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from consumer.app.admin import Admin, AdminSettings
from consumer.app.metrics import Metrics
from consumer.app.page.history import History
from consumer.app.page.preview import FORM_BYTES, PreviewForm
from consumer.app.page.serving import Page
from consumer.app.setup import Setup
from consumer.app.state import State
from consumer.app.wiring import expected
from consumer.catalogue import catalogue_files
from tests.app.support import CONFIG, Hand, setup_of
from tests.core.planning import order

ROUTES = """\
- id: order-paid
  on: order.paid
  when: event.customer.consents.push
  lane: app-push
  ttl: 3h
  wordings:
    en:
      - {title: "Order {{ order.public_id }} is paid", text: "Thank you for {{ order.total | money }}"}
      - {title: "Your order is paid", text: "Thank you"}
    ru:
      - {title: "Заказ {{ order.public_id }} оплачен", text: "Спасибо за {{ order.total | money }}"}
      - {title: "Заказ оплачен", text: "Спасибо"}
  examples:
    - {event: order_paid.json}
- id: order-created
  on: order.created
  lane: app-push
  ttl: 3h
  wordings: {ru: [{title: a, text: b}]}
"""


class Office:
    """An admin port with the form on it."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        state = State([], Hand(), Hand())
        form = PreviewForm(lambda: self.setup)
        page = Page(state.report, History((), Hand()), (), form.routes())
        self.admin = Admin(AdminSettings(port=0), state, Metrics(expected(setup, "1")), page=page)

    async def ask(self, query: str = "", form: Mapping[str, str] | None = None) -> tuple[int, str]:
        url = f"http://127.0.0.1:{self.admin.port}/preview{query}"
        async with (
            aiohttp.ClientSession() as session,
            session.request("GET" if form is None else "POST", url, data=form) as response,
        ):
            assert "form-action 'self'" in response.headers["Content-Security-Policy"]
            return response.status, await response.text()


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    (tmp_path / "routes").mkdir()
    (tmp_path / "routes" / "order_paid.json").write_text(catalogue_files()["examples/order_paid.json"])
    opened = Office(setup_of(tmp_path, CONFIG, ROUTES))
    assert await opened.admin.start() is None
    yield opened
    await opened.admin.stop()


async def test_the_form_names_routes_and_languages(office: Office) -> None:
    status, text = await office.ask()
    assert status == 200
    assert all(
        word in text for word in ("<option>order-paid</option>", "<option>en</option>", "What people would read")
    )
    assert "<script" not in text
    assert "Что прочитают люди" in (await office.ask("?lang=ru"))[1]


async def test_an_example_is_shown_in_every_language_or_in_one(office: Office) -> None:
    _, text = await office.ask("?route=order-paid")
    assert all(words in text for words in ("Заказ М-428 оплачен", "Order М-428 is paid", "Your order is paid"))
    assert text.count('class="phone"') == 4
    assert "order.public_id, order.total" in text
    assert "<meter" in text
    _, text = await office.ask("?route=order-paid&locale=en")
    assert text.count('class="phone"') == 2


async def test_an_event_of_the_readers_is_shown(office: Office) -> None:
    event = order(type="order.paid", order__public_id="<b>X</b>", customer__consents__push=False)
    status, text = await office.ask(form={"route": "order-paid", "event": json.dumps(event)})
    assert status == 200
    assert "Order &lt;b&gt;X&lt;/b&gt; is paid" in text
    assert "<b>X</b> is paid" not in text
    assert "Nobody would be told: when is false" in text


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"route": "order-payd"}, "unknown route"),
        ({"route": "order-created"}, "route order-created has no example"),
        ({"route": "order-paid", "event": "{"}, "invalid_json"),
        ({"route": "order-paid", "event": '{"type": "order.teleported"}'}, "unknown_type"),
        ({"route": "order-created", "event": json.dumps(order(type="order.paid"))}, "the event is order.paid"),
        (
            {"route": "order-paid", "event": json.dumps(order(type="order.paid", order__total=None))},
            "order.total is empty",
        ),
    ],
)
async def test_what_cannot_be_shown_says_why(office: Office, form: dict[str, str], words: str) -> None:
    status, text = await office.ask(form=form)
    assert status == 200
    assert words in text


async def test_a_form_has_a_bound(office: Office) -> None:
    status, _ = await office.ask(form={"route": "order-paid", "event": " " * FORM_BYTES})
    assert status == 413


async def test_the_form_shows_what_is_deployed_at_the_moment(office: Office, tmp_path: Path) -> None:
    example = str(tmp_path / "routes" / "order_paid.json")
    routes = ROUTES.replace("is paid", "was paid").replace("order_paid.json", example)
    office.setup = replace(office.setup, routes=setup_of(tmp_path / "new", CONFIG, routes).routes)
    assert "was paid" in (await office.ask("?route=order-paid"))[1]
