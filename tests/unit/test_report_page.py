"""The report's page: made of its facts and nothing else, safe whatever customers are called."""

import json
import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

import pytest
from tests.reports import HOSTILE, facts_of, hostile, tame

from portfolio_ml.cli.show.report import reported
from portfolio_ml.errors import DataError
from portfolio_ml.pipeline import Reported
from portfolio_ml.report import page, phrases, shipped
from portfolio_ml.report.facts import Facts

pytestmark = pytest.mark.unit

CUSTOMERS = 12


class Structure(HTMLParser):
    """What a page consists of, and the text of its data."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.words: list[str] = []
        self.data = ""
        self._is_data = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        self._is_data = dict(attrs).get("id") == "data"

    def handle_endtag(self, tag):
        self.elements.append((f"/{tag}", ()))
        self._is_data = False

    def handle_data(self, data):
        if self._is_data:
            self.data += data
        self.words.append(data)


@pytest.fixture(scope="module")
def tame_facts():
    return facts_of(tame())


@pytest.fixture(scope="module")
def tame_page(tame_facts):
    return page.render(tame_facts)


@pytest.fixture(scope="module")
def hostile_facts():
    return facts_of(hostile(), customers=CUSTOMERS)


@pytest.fixture(scope="module")
def hostile_page(hostile_facts):
    return page.render(hostile_facts)


def test_facts_that_were_written_as_json_come_back_and_give_the_same_page(tame_facts, tame_page):
    again = Facts.from_json(tame_facts.to_json())

    assert again == tame_facts
    assert page.render(again) == tame_page


def test_facts_of_another_shape_are_refused_in_a_sentence():
    with pytest.raises(DataError, match="The facts of a report cannot be read"):
        Facts.from_json(b'{"name": "b2b"}')


def test_two_hundred_hostile_texts_add_no_element_to_the_page(hostile_page, tame_page):
    assert len(HOSTILE) >= 200
    assert Structure(hostile_page).elements == Structure(tame_page).elements


@pytest.mark.parametrize("first", range(0, len(HOSTILE), 60))
def test_every_hostile_text_is_kept_to_the_letter_in_the_pages_data(first):
    texts = HOSTILE[first : first + 60]

    told = shipped.safe({"texts": list(texts)})

    assert json.loads(told) == {"texts": list(texts)}
    assert not {*"<>&\u2028\u2029\x00"} & {*told}
    assert told.isascii()


def test_hostile_customers_are_in_the_pages_data_as_they_are_called(hostile_facts, hostile_page):
    data = json.loads(Structure(hostile_page).data)
    place = data["people"]["columns"].index("id")

    assert [row[place] for row in data["people"]["rows"]] == [
        person.customer_id for person in hostile_facts.people.shown
    ]
    assert Facts.from_json(hostile_facts.to_json()) == hostile_facts


def test_the_policy_allows_the_own_style_sheet_and_the_own_scripts_by_their_hash(tame_page):
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', tame_page)
    style = re.findall(r"<style>(.*?)</style>", tame_page, re.DOTALL)
    scripts = re.findall(r"<script>(.*?)</script>", tame_page, re.DOTALL)

    def allowed(texts):
        digests = [b64encode(sha256(text.encode()).digest()).decode() for text in texts]
        return " ".join(f"'sha256-{digest}'" for digest in digests)

    assert policy.replace("&#39;", "'").split("; ") == [
        "default-src 'none'",
        f"script-src {allowed(scripts)}",
        f"style-src {allowed(style)}",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    assert len(scripts) == 2


def test_no_element_carries_a_style_or_a_handler_or_loads_anything(tame_page):
    elements = Structure(tame_page).elements

    assert not [name for _, names in elements for name in names if name[:2] == "on"]
    assert not {"style", "src", "srcset"} & {name for _, names in elements for name in names}
    assert not {"link", "iframe", "object", "embed", "form", "base"} & {tag for tag, _ in elements}


def test_without_its_script_the_page_still_shows_the_first_customers(tame_facts, tame_page):
    words = {text.strip() for text in Structure(tame_page).words}

    assert {person.customer_id for person in tame_facts.people.shown} <= words
    assert "The portfolio today" in words


def test_the_head_of_the_daily_list_passes_over_who_is_left_alone(tame_facts):
    today = tame_facts.today

    assert [person.listed.rank for person in today.first] == [1, 2, 4]
    assert (today.lines, today.held_out) == (4, 1)
    assert [kind.occasion for kind in today.kinds] == ["at_risk", "reorder", "win_back", "key_date"]


def test_those_on_the_list_come_first_and_then_the_most_at_stake(tame_facts):
    people = tame_facts.people

    assert (people.customers, people.worth_attention, len(people.shown)) == (12, 12, 11)
    assert [p.listed.rank if p.listed else None for p in people.shown[:5]] == [1, 2, 3, 4, None]
    assert [p.worth for p in people.shown[4:]] == [29.0, 28.0, 27.0, 26.0, 25.0, 24.0, 15.0]
    assert "11 of 12 customers" in phrases.who_is_shown(people)


def test_a_page_that_is_to_name_nobody_names_nobody():
    told = facts_of(tame(), most=0)
    names = {text.strip() for text in Structure(page.render(told)).words}

    assert told.people.shown == told.today.first == ()
    assert told.people.worth_attention == 12
    assert "The config shows none of them: report.customers is 0." in names
    assert "0 of 12 customers" in phrases.who_is_shown(told.people)


def test_what_changed_is_told_against_the_day_of_then(tame_facts):
    known, newcomer = tame_facts.people.shown[0], tame_facts.people.shown[4]

    assert known.changed == (
        "Bought for 60.00 in the last 365 days, 50.0 % less than in the 365 before (120.00).",
        "Has missed 2 purchases that its own rhythm would have had.",
    )
    assert newcomer.changed[-1] == "Became a customer after 2023-07-01."


@pytest.mark.parametrize(
    ("now", "before", "told"),
    [
        (741, 729, "▲ +1.6 %"),
        (700, 1000, "▼ −30.0 %"),
        (5, 0, "▲"),
        (7, 7, ""),
        (100_030, 100_000, "▲ <0.1 %"),
    ],
)
def test_a_number_tells_how_it_changed_with_an_arrow_and_a_sign(tame_facts, now, before, told):
    assert phrases.since(now, before, tame_facts).change == told


def test_a_number_without_a_then_tells_no_change(tame_facts):
    assert phrases.since(5, None, tame_facts) is None


def test_the_summary_says_where_the_page_is_and_whom_it_shows(tame_facts, tmp_path):
    where = tmp_path / "report.html"
    where.write_text("four")
    told = reported(Reported(where, tmp_path / "report.json", tame_facts, reckoned=None))

    assert told["file"] == str(where)
    assert (told["bytes"], told["customers"], told["shown"]) == (4, 12, 11)
    assert (told["worth_attention"], told["to_contact_today"]) == (12, 3)


def test_all_bands_have_a_name_and_a_symbol_of_their_own(tame_page):
    marks = phrases.BANDS.values()

    assert len({mark.symbol for mark in marks}) == len({mark.name for mark in marks}) == 3
    assert all(mark.symbol in tame_page for mark in marks)
