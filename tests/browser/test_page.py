"""The admin page in a real Chromium: quick, live, readable without scripts and on a phone, and open to everybody."""

import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, Page, ViewportSize, async_playwright

from consumer.app.admin import Admin, AdminSettings
from consumer.app.families import Expected, LaneNames
from consumer.app.metrics import Metrics
from consumer.app.page.history import History
from consumer.app.page.serving import Page as AdminPage
from consumer.app.show import Value
from consumer.app.state import LaneSheet, State
from consumer.core import facts
from consumer.core.explain import Waiting
from consumer.core.model import Message
from tests.app.support import sample

# One loop and one browser for all: starting one takes seconds.
pytestmark = pytest.mark.asyncio(loop_scope="module")

LOAD_SECONDS = 1.0
LOADS = 3
LIVE_SECONDS = 15.0
PHONE = ViewportSize(width=390, height=844)
DESK = ViewportSize(width=1200, height=900)
GROUPS = [
    Waiting("Заказ готов к выдаче", 1, 412, 61.0, 239.0, 0, 0.0),
    Waiting("Вам начислили 21 бонус", 0, 38, 5.0, 900.0, 1, 6.0),
]
SETTINGS = [
    Value("lanes.app-push.provider.key", "********", "vestnik.yaml"),
    Value("kafka.bootstrap", "kafka:9092", "VESTNIK_KAFKA_BOOTSTRAP"),
]


@dataclass
class Office:
    """An admin port with a lane that works, and a browser's complaints."""

    state: State
    history: History
    admin: Admin
    complaints: list[str] = field(default_factory=list)

    def url(self, language: str = "en") -> str:
        return f"http://127.0.0.1:{self.admin.port}/?lang={language}"

    def tell(self, *told: facts.Fact) -> None:
        for fact in told:
            self.state.see(fact)
            self.history.see(fact)


@pytest_asyncio.fixture(loop_scope="module")
async def office() -> AsyncIterator[Office]:
    sheets = [LaneSheet("app-push", "imshop", "live"), LaneSheet("staff", "bitrix24", "shadow")]
    state = State(sheets, time.monotonic, time.time, lambda lane, limit: GROUPS if lane == "app-push" else [])
    history = History([sheet.lane for sheet in sheets], time.time)
    metrics = Metrics(
        Expected((LaneNames("app-push", "imshop", "live", ("order-paid",)),), ("shop.orders",), "1", "abc")
    )
    page = AdminPage(state.report, history, SETTINGS)
    made = Office(state, history, Admin(AdminSettings(port=0), state, metrics, page=page))
    assert await made.admin.start() is None
    for lane in ("app-push", "staff"):
        made.tell(
            facts.LaneMoved(lane, "working", 3), sample(facts.LaneGauges, lane=lane, waiting=450, seconds_to_clear=12.0)
        )
    made.tell(pushed("Заказ М-428 ждёт вас"))
    yield made
    await made.admin.stop()


def pushed(title: str) -> facts.Pushed:
    message = Message(title, "ПВЗ на Ленина, 1, хранится до 5 марта")
    return facts.Pushed("app-push", "imshop", "1.1", "order-ready", 0, message, ("79161234567",), (3.0,), 1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    async with async_playwright() as playwright:
        # The sandbox wants rights that containers and build machines do not give; nothing but our own page is opened.
        launched = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield launched
        await launched.close()


@asynccontextmanager
async def opened(
    browser: Browser, office: Office, size: ViewportSize = DESK, *, scripts: bool = True
) -> AsyncIterator[Page]:
    """The page in a tab of its own; what the browser complains about is kept."""
    context: BrowserContext = await browser.new_context(viewport=size, java_script_enabled=scripts)
    tab = await context.new_page()
    tab.on("console", lambda said: office.complaints.append(said.text) if said.type in ("error", "warning") else None)
    tab.on("pageerror", lambda error: office.complaints.append(str(error)))
    tab.on("request", lambda request: office.complaints.append(request.url) if "127.0.0.1" not in request.url else None)
    await tab.goto(office.url(), wait_until="domcontentloaded")
    try:
        yield tab
    finally:
        await context.close()


async def loaded(tab: Page, office: Office) -> float:
    """Seconds that a load takes until everything is there and drawn."""
    await tab.goto(office.url(), wait_until="load")
    took: float = await tab.evaluate("performance.getEntriesByType('navigation')[0].loadEventStart")
    return took / 1000


async def overflow(tab: Page) -> int:
    """By how many pixels the page is wider than the window."""
    wide: int = await tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return wide


async def test_it_loads_within_a_second_and_nothing_is_complained_about(browser: Browser, office: Office) -> None:
    async with opened(browser, office) as tab:
        await tab.locator("#charts canvas").nth(1).wait_for()
        assert await tab.locator(".word").inner_text() == "Working"
        # The best of a few: a machine that tests has other things to do as well.
        assert min([await loaded(tab, office) for _ in range(LOADS)]) < LOAD_SECONDS
    assert office.complaints == []


async def test_it_is_live_beyond_the_life_of_a_connection(browser: Browser, office: Office) -> None:
    async with opened(browser, office) as tab:
        office.tell(pushed("Только что"))
        await tab.get_by_text("Только что").wait_for()
        # Each connection lives for eight seconds; then the browser has to come again.
        async with tab.expect_request("**/events*", timeout=LIVE_SECONDS * 1000):
            pass
        office.tell(pushed("И ещё раз"))
        await tab.get_by_text("И ещё раз").wait_for()
    assert office.complaints == []


async def test_a_blocked_lane_is_the_first_word_with_its_reason(browser: Browser, office: Office) -> None:
    async with opened(browser, office) as tab:
        office.tell(facts.LaneBlocked("app-push", "key_refused", "HTTP 401"))
        await tab.get_by_role("status").get_by_text("Blocked").wait_for()
        assert "app-push: key_refused HTTP 401" in await tab.locator(".verdict").inner_text()
        office.tell(facts.LaneUnblocked("app-push", "key_refused", 3.0))
        await tab.get_by_role("status").get_by_text("Working").wait_for()


async def test_it_says_so_when_the_process_is_gone(browser: Browser, office: Office) -> None:
    async with opened(browser, office) as tab:
        await office.admin.stop()
        await tab.get_by_text("No connection to the process.").wait_for(timeout=LIVE_SECONDS * 1000)


async def test_it_is_readable_without_scripts(browser: Browser, office: Office) -> None:
    async with opened(browser, office, scripts=False) as tab:
        text = await tab.locator("body").inner_text()
        for expected in ("Working", "app-push", "412", "Заказ М-428 ждёт вас", "lanes.app-push.provider.key"):
            assert expected in text or expected in await tab.content()
        assert await tab.locator("svg.line polyline").count() == 2
        assert "79161234567" not in await tab.content()


async def test_it_fits_a_phone(browser: Browser, office: Office) -> None:
    async with opened(browser, office, PHONE) as tab:
        await tab.locator("#charts canvas").nth(1).wait_for()
        assert await overflow(tab) <= 0
        # Nor is anything cut off inside of it that one would have to push aside to read.
        tables = await tab.locator("#live .wide").all()
        assert len(tables) >= 2
        assert max([await table.evaluate("it => it.scrollWidth - it.clientWidth") for table in tables]) <= 0


async def test_it_speaks_russian(browser: Browser, office: Office) -> None:
    async with opened(browser, office) as tab:
        await tab.get_by_role("link", name="ru").click()
        await tab.get_by_role("status").get_by_text("Работает").wait_for()
        assert await tab.locator("html").get_attribute("lang") == "ru"
        assert "работает" in await tab.locator("#lane-1").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_everybody_can_use_it(browser: Browser, office: Office, scheme: str) -> None:
    office.tell(facts.LaneBlocked("app-push", "key_refused", "HTTP 401"), facts.BreakerMoved("staff", True, "timeouts"))
    async with opened(browser, office) as tab:
        await tab.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        await tab.locator("details summary").click()
        # Axe is put into the page past its policy, as a person's own tools are.
        found = await Axe().run(tab, options={"resultTypes": ["violations"]})
        grave = [each for each in found.response["violations"] if each["impact"] in ("serious", "critical")]
        assert [(each["id"], [node["html"] for node in each["nodes"]][:3]) for each in grave] == []
