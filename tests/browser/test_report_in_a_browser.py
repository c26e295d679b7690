"""The page of a report made of facts, in a real browser: thousands of customers, hostile ones."""

from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import expect
from tests.browser.chromium import NARROW, chromium, watched
from tests.browser.walks import ids, walk
from tests.reports import facts_of, hostile, many, tame

from portfolio_ml.report import page as pages

pytestmark = pytest.mark.browser

CUSTOMERS = 5000


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    """A report of five thousand customers."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    pages.write(many(facts_of(tame()), CUSTOMERS), path)
    return path


@pytest.fixture(scope="module")
def hostile_facts():
    return facts_of(hostile())


def test_a_reader_walks_through_the_page_of_five_thousand_customers(browser, report, tmp_path):
    walk(browser, report, tmp_path)


def test_of_five_thousand_customers_only_a_page_is_in_the_table(browser, report):
    with watched(browser, report) as page:
        first = ids(page)
        assert first == [f"C{number:05}" for number in range(25)]
        page.get_by_role("button", name="Next", exact=True).click()
        assert ids(page) == [f"C{number:05}" for number in range(25, 50)]
        expect(page.get_by_role("status")).to_have_text("26 to 50 of 5,000")


def test_a_link_to_a_customer_opens_it_and_one_to_a_stranger_says_so(browser, report):
    with watched(browser, report, fragment="#customer=C04321") as page:
        expect(page.get_by_role("heading", name="C04321")).to_be_focused()
        page.get_by_role("button", name="Close").click()
        expect(page.get_by_role("dialog")).to_be_hidden()
    with watched(browser, report, fragment="#customer=nobody%zz") as page:
        expect(page.get_by_role("dialog")).to_contain_text("not among those shown")


def test_arrows_walk_from_customer_to_customer(browser, report):
    with watched(browser, report) as page:
        links = page.locator("#people tbody th a")
        links.nth(0).focus()
        page.keyboard.press("ArrowDown")
        expect(links.nth(1)).to_be_focused()
        page.keyboard.press("ArrowUp")
        expect(links.nth(0)).to_be_focused()


def test_the_first_stop_of_the_keyboard_skips_to_the_content(browser, report):
    with watched(browser, report) as page:
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()


def test_everything_that_can_be_pressed_or_filled_has_a_name(browser, report):
    with watched(browser, report) as page:
        unnamed = page.evaluate(
            """() => [...document.querySelectorAll("button, a, input, select, [role=img]")]
            .filter((each) => !(each.innerText || each.textContent).trim()
              && !each.labels?.length && !each.getAttribute("aria-label"))
            .map((each) => each.outerHTML)"""
        )
        assert unnamed == []


def test_without_scripts_the_page_shows_the_first_customers_and_the_numbers(browser, report):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report.as_uri())
    assert page.locator("#people tbody tr").count() == 20
    assert page.get_by_label("Search").is_hidden()
    expect(page.locator("noscript")).to_be_visible()
    context.close()


def test_hostile_names_stay_text_wherever_they_are_shown(browser, hostile_facts, tmp_path):
    path = tmp_path / "hostile.html"
    pages.write(hostile_facts, path)
    shown = hostile_facts.people.shown
    with watched(browser, path) as page:
        assert page.locator("script").count() == 3
        assert page.locator("img, iframe, base, plaintext, link").count() == 0
        assert page.locator("style").count() == 1
        for person in shown:
            page.goto(f"{path.as_uri()}#customer={quote(person.customer_id, safe='')}")
            title = page.locator("#customer-name bdi")
            title.wait_for()
            assert title.evaluate("(each) => each.textContent") == person.customer_id
        assert page.locator("dialog script, dialog img, dialog iframe").count() == 0


def test_on_paper_only_what_can_be_read_is_left(browser, report, tmp_path):
    with watched(browser, report, viewport=NARROW, color_scheme="dark") as page:
        page.emulate_media(media="print", color_scheme="dark")
        assert page.locator("nav").is_hidden()
        assert page.get_by_label("Search").is_hidden()
        assert page.evaluate("getComputedStyle(document.body).color") == "rgb(28, 35, 39)"


def test_a_dark_page_goes_to_paper_with_light_charts(browser, report):
    with watched(browser, report, color_scheme="dark") as page:
        drawn = page.evaluate(
            """() => {
              dispatchEvent(new Event("beforeprint"));
              const drawn = () => document.documentElement.dataset.drawn;
              return new Promise((next) => setTimeout(() => next(drawn())));
            }"""
        )
        assert drawn == "light"
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        page.wait_for_selector('html[data-drawn="dark"]', state="attached")
