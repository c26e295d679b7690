"""What a reader does with a report, whatever portfolio it is of."""

from pathlib import Path

from playwright.sync_api import Browser, Page, expect
from tests.browser.chromium import NARROW, shot, watched


def walk(browser: Browser, report: Path, folder: Path) -> None:
    """Sort, filter, search, open a customer, switch the theme; a picture in two widths each."""
    with watched(browser, report) as page:
        charts = page.locator("[data-chart]")
        assert charts.count() >= 1
        assert page.locator("[data-chart] svg").count() == charts.count()
        _sorts(page)
        _filters(page)
        _searches(page)
        _opens_a_customer(page)
        shot(page, folder / "wide-light.png")
        _switches_the_theme(page)
        shot(page, folder / "wide-dark.png")
    with watched(browser, report, viewport=NARROW, color_scheme="dark") as page:
        assert page.evaluate("document.documentElement.scrollWidth") == NARROW["width"]
        shot(page, folder / "narrow-dark.png")


def ids(page: Page) -> list[str]:
    """The customers in the table, from top to bottom."""
    return page.locator("#people tbody th a").all_inner_texts()


def column(page: Page, name: str) -> list[float]:
    """The amounts of a column, from top to bottom; what is absent is left out."""
    texts = page.locator(f'#people td[data-label="{name}"]').all_inner_texts()
    first = [text.split("\n")[0].replace(",", "") for text in texts]
    return [float(text) for text in first if text != "–"]


def _sorts(page: Page) -> None:
    head = page.locator("#people thead th", has_text="At stake")
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "descending")
    amounts = column(page, "At stake")
    assert amounts == sorted(amounts, reverse=True)
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    amounts = column(page, "At stake")
    assert amounts == sorted(amounts)


def _filters(page: Page) -> None:
    found = page.get_by_role("status")
    everybody = found.inner_text()
    page.get_by_role("search").get_by_label("Tier").select_option("A")
    who = page.locator("#people tbody th").all_inner_texts()
    assert who
    assert all("tier A" in text for text in who)
    assert "found among" in found.inner_text()
    page.get_by_role("button", name="Show all").click()
    assert found.inner_text() == everybody


def _searches(page: Page) -> None:
    sought = ids(page)[1]
    page.get_by_role("searchbox").fill(sought)
    assert sought in ids(page)
    page.get_by_role("searchbox").fill("nobody is called like this")
    expect(page.locator("#people tbody")).to_contain_text("No customer is found")
    page.get_by_role("button", name="Show all").click()


def _opens_a_customer(page: Page) -> None:
    first = page.locator("#people tbody th a").first
    name = first.inner_text()
    first.focus()
    page.keyboard.press("Enter")
    drawer = page.get_by_role("dialog")
    expect(drawer.get_by_role("heading", name=name)).to_be_focused()
    expect(drawer.locator("svg.timeline")).to_be_visible()
    drawer.get_by_role("button", name="Next").click()
    expect(drawer.get_by_role("heading", level=2)).not_to_have_text(name)
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    assert "#" not in page.url
    expect(first).to_be_focused()


def _switches_the_theme(page: Page) -> None:
    button = page.get_by_role("button", name="Dark")
    expect(button).to_have_attribute("aria-pressed", "false")
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    chart = page.locator("[data-chart] svg").first.inner_html()
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    page.wait_for_selector('html[data-drawn="dark"]', state="attached")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before
    assert page.locator("[data-chart] svg").first.inner_html() != chart
    page.reload()
    page.wait_for_selector('html[data-drawn="dark"]', state="attached")
