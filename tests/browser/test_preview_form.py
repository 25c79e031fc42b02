"""The preview form in a real Chromium: filled in without scripts, on a phone, and open to everybody."""

import json
import shutil
import time
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import ViewportSize, async_playwright

from consumer.app.admin import Admin, AdminSettings
from consumer.app.metrics import Metrics
from consumer.app.page.history import History
from consumer.app.page.preview import PreviewForm
from consumer.app.page.serving import Page
from consumer.app.state import State
from consumer.app.wiring import expected
from tests.app.support import setup_of
from tests.core.planning import order

PHONE = ViewportSize(width=390, height=844)


@pytest.mark.parametrize("scripts", [False, True])
async def test_an_event_is_put_into_the_form_and_its_wordings_are_shown(tmp_path: Path, scripts: bool) -> None:
    setup = setup_of(tmp_path)
    state = State([], time.monotonic, time.time)
    page = Page(state.report, History((), time.time), (), PreviewForm(lambda: setup).routes())
    admin = Admin(AdminSettings(port=0), state, Metrics(expected(setup, "1")), page=page)
    assert await admin.start() is None
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        context = await browser.new_context(viewport=PHONE, java_script_enabled=scripts)
        tab = await context.new_page()
        complaints: list[str] = []
        tab.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        await tab.goto(f"http://127.0.0.1:{admin.port}/?lang=ru", wait_until="domcontentloaded")
        await tab.get_by_role("link", name="Что прочитают люди").click()
        await tab.get_by_label("Событие в JSON").fill(json.dumps(order(type="order.paid", order__id="o-77")))
        await tab.get_by_role("button", name="Показать").click()
        await tab.get_by_text("Order o-77 is paid").wait_for()
        assert await tab.locator(".phone").count() == 2
        if scripts:
            wide = await tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            found = await Axe().run(tab, options={"resultTypes": ["violations"]})
            grave = [each["id"] for each in found.response["violations"] if each["impact"] in ("serious", "critical")]
            assert (wide <= 0, grave) == (True, [])
        await browser.close()
    await admin.stop()
    assert complaints == []
