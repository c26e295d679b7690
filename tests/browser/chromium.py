"""A browser without a network, and a page that is watched: what it asks for and complains of."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

ARGUMENTS = [
    "--no-sandbox",  # the tests run as root
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium; the test is skipped where it is not installed."""
    program = which("chromium")
    if program is None:
        pytest.skip("no chromium is installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def watched(
    browser: Browser, report: Path, *, fragment: str = "", **context: object
) -> Iterator[Page]:
    """The report, opened and drawn.

    When the test is done with it, nothing may have been asked of any address, and nothing may
    have been said on the console.
    """
    told: list[str] = []
    asked: list[str] = []
    opened = browser.new_context(offline=True, **{"viewport": WIDE, **context})
    page = opened.new_page()
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("dialog", lambda dialog: (told.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: asked.append(request.url.partition("#")[0]))
    page.goto(f"{report.as_uri()}{fragment}")
    page.wait_for_selector("html[data-drawn]", state="attached", timeout=60_000)
    yield page
    opened.close()
    assert told == []
    assert {*asked} == {report.as_uri()}


def shot(page: Page, path: Path) -> None:
    """The whole page as a picture, drawn and not empty."""
    page.screenshot(path=path, full_page=True)
    assert path.stat().st_size > 20_000
