"""Makes the picture of the page in README.md, of a demo that has run for a while. Run it with `make picture`."""

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from playwright.sync_api import ViewportSize, sync_playwright

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "images" / "page.png"
SIZE = ViewportSize(width=1200, height=860)
# By then the quota of a minute is used up, and there is a queue to be seen.
RUN_SECONDS = 75.0
DEMO = (sys.executable, "-c", "from consumer.app.cli import app; app()", "demo", "--seconds", "120")


def main() -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise SystemExit("a picture needs Chromium; on Debian: apt-get install chromium (or `make tools`)")
    with subprocess.Popen(DEMO, stdout=subprocess.PIPE, text=True) as demo:
        try:
            take(chromium, address_of(demo))
        finally:
            demo.terminate()


def address_of(demo: "subprocess.Popen[str]") -> str:
    """Where the demo shows its page, as its first line says."""
    line = demo.stdout.readline() if demo.stdout is not None else ""
    found = re.search(r"http://\S+", line)
    if found is None:
        raise SystemExit(f"the demo does not say where its page is: {line!r}")
    return found[0]


def take(chromium: str, address: str) -> None:
    time.sleep(RUN_SECONDS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE, color_scheme="light")
        page.goto(f"{address}?lang=en")
        page.screenshot(path=PICTURE)
        browser.close()


if __name__ == "__main__":
    main()
