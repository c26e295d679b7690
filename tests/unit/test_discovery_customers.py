"""A customers file: what its columns are, how sure that is, and whether its ids are the buyers'."""

from datetime import date, timedelta

import pytest

from portfolio_ml import customers
from portfolio_ml.config import load_settings
from portfolio_ml.discovery import (
    config_text,
    guess,
    guess_customers,
    look,
    propose,
)
from portfolio_ml.errors import ConfigError, DataError
from portfolio_ml.schema import CUSTOMERS

pytestmark = pytest.mark.unit

TODAY = date(2024, 6, 1)
PEOPLE = 40

# What each column holds for the n-th customer.
ID, TEXT, REGION, DAY, MONEY = "id", "text", "region", "day", "money"
HELD = {
    ID: lambda n: f"{n:05}",
    TEXT: lambda n: f"v{n}",
    REGION: lambda n: "north" if n % 2 else "south",
    DAY: lambda n: f"{n % 28 + 1:02}.05.{1950 + n}",
    MONEY: lambda n: f"{30 + n}.000,50",
}
LANGUAGES = {
    "english": {
        "customer_id": ("Customer ID", ID), "valid_from": ("Effective Date", DAY),
        "signup_date": ("Customer since", DAY), "region": ("State", REGION),
        "segment": ("Segment", REGION), "birthday": ("Date of Birth", DAY),
        "income": ("YearlyIncome", MONEY), "representative_id": ("Sales Rep", REGION),
        "relationship_type": ("CustomerType", REGION), "referred_by": ("Referred By", TEXT),
    },
    "german": {
        "customer_id": ("Kundennummer", ID), "valid_from": ("gültig ab", DAY),
        "signup_date": ("Anmeldedatum", DAY), "region": ("Bundesland", REGION),
        "segment": ("Kundengruppe", REGION), "birthday": ("Geburtsdatum", DAY),
        "income": ("Jahreseinkommen", MONEY), "representative_id": ("Kundenbetreuer", REGION),
        "ended_at": ("Kündigungsdatum", DAY), "service_cost": ("Betreuungskosten", MONEY),
    },
    "french": {
        "customer_id": ("N° client", ID), "signup_date": ("Date d'inscription", DAY),
        "region": ("Région", REGION), "segment": ("Segment client", REGION),
        "birthday": ("Date de naissance", DAY), "income": ("Revenu annuel", MONEY),
        "representative_id": ("Conseiller", REGION), "ended_at": ("Date de résiliation", DAY),
    },
    "spanish": {
        "customer_id": ("Código cliente", ID), "signup_date": ("Fecha de alta", DAY),
        "region": ("Provincia", REGION), "segment": ("Segmento", REGION),
        "birthday": ("Fecha de nacimiento", DAY), "income": ("Ingresos", MONEY),
        "representative_id": ("Vendedor", REGION), "ended_at": ("Fecha de baja", DAY),
    },
    "italian": {
        "customer_id": ("Codice cliente", ID), "signup_date": ("Data di registrazione", DAY),
        "region": ("Regione", REGION), "segment": ("Segmento cliente", REGION),
        "birthday": ("Data di nascita", DAY), "income": ("Reddito annuo", MONEY),
        "representative_id": ("Agente", REGION), "valid_from": ("Valido dal", DAY),
    },
    "dutch": {
        "customer_id": ("Klantnummer", ID), "signup_date": ("Klant sinds", DAY),
        "region": ("Provincie", REGION), "segment": ("Klantsegment", REGION),
        "birthday": ("Geboortedatum", DAY), "income": ("Inkomen", MONEY),
        "representative_id": ("Accountmanager", REGION), "valid_from": ("Geldig vanaf", DAY),
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the files lie, those of one test over those of the test before."""
    return tmp_path_factory.mktemp("shop")


@pytest.fixture(scope="module")
def sales(engine, folder):
    """Transactions by customers 00000 to 00039, looked at, guessed and proposed to be read."""
    days = [date(2023, 1, 2) + timedelta(days=n) for n in range(400)]
    rows = [f"{n % PEOPLE:05},{day},{n % 9}.50" for n, day in enumerate(days)]
    (folder / "sales.csv").write_text("\n".join(["customer_id,date,amount", *rows]))
    seen = look("sales.csv", engine, base=folder)
    found = guess(seen, engine)
    return seen, found, propose("sales.csv", found, engine, base=folder, today=TODAY)


@pytest.fixture
def guessed(engine, folder, sales):
    """Guesses a customers file from its text."""

    def guessed(text: str):
        (folder / "people.csv").write_text(text, encoding="utf-8")
        seen = look("people.csv", engine, base=folder, of=CUSTOMERS)
        return guess_customers(seen, sales[:2], engine, base=folder)

    return guessed


def people(columns: dict[str, tuple[str, str]], *, count: int = PEOPLE + 5) -> str:
    rows = [[name for name, _ in columns.values()]]
    rows += [[HELD[kind](n) for _, kind in columns.values()] for n in range(count)]
    return "\n".join(";".join(row) for row in rows)


def config(found, sales, folder) -> str:
    """The config that is written, which must load."""
    _, transactions, proposal = sales
    text = config_text(
        "shop", "sales.csv", transactions, proposal, base=folder, folder=folder, customers=found
    )
    (folder / "shop.yaml").write_text(text, encoding="utf-8")
    return text


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_columns_are_found_in(guessed, sales, engine, folder, language):
    columns = LANGUAGES[language]
    found = guessed(people(columns))
    assert found.columns == {role: name for role, (name, _) in columns.items()}
    assert {f.confidence for f in found.findings.values()} <= {"sure", "likely"}
    assert (found.match.found, found.match.buyers) == (PEOPLE, PEOPLE)
    config(found, sales, folder)
    table = customers.load(load_settings(folder / "shop.yaml"), engine)
    assert table.kept == PEOPLE + 5
    rows = engine.collect(table.frame)
    assert all(rows[name].null_count == 0 for name in table.columns)


class TestOtherColumns:
    TEXT = "id;Region;Ort;Newsletter\n" + "\n".join(f"{n:05};N;x;y" for n in range(PEOPLE))

    def test_are_told_and_not_mapped(self, guessed, sales, folder):
        found = guessed(self.TEXT)
        assert found.columns == {"customer_id": "id", "region": "Region"}
        assert found.others == ("Ort", "Newsletter")
        assert "# Not mapped: Ort, Newsletter." in config(found, sales, folder)

    def test_without_a_date_are_static_only_in_a_comment(self, guessed, sales, folder):
        text = config(guessed(self.TEXT), sales, folder)
        assert "    # static: [region]\n" in text
        assert "not what it was" in text
        assert load_settings(folder / "shop.yaml").data.customers.static == ()

    def test_with_a_date_need_not_be_static(self, guessed, sales, folder):
        rows = "\n".join(f"{n:05};N;2023-01-01" for n in range(PEOPLE))
        text = config(guessed(f"id;Region;valid_from\n{rows}"), sales, folder)
        assert "static" not in text


class TestTheIds:
    def of(self, form: str) -> str:
        return "id,region\n" + "\n".join(form.format(n) + ",x" for n in range(1, PEOPLE))

    @pytest.mark.parametrize("form", ["{}", "{}.0", "{:08}"])
    def test_that_differ_by_what_tools_do_to_them_are_told(self, guessed, form):
        found = guessed(self.of(form))
        assert found.match.found == 0
        assert found.match.alike == PEOPLE - 1
        assert "without leading zeros" in found.match.doubt

    def test_that_are_others_are_told(self, guessed):
        assert "is its customer_id the right column" in guessed(self.of("x{}")).match.doubt

    def test_that_are_the_same_leave_no_doubt(self, guessed):
        found = guessed(self.of("{:05}"))
        assert found.match.doubt == ""
        assert found.match.share == (PEOPLE - 1) / PEOPLE


def test_rows_that_break_a_rule_are_told(guessed, sales, folder):
    rows = "\n".join(f"{n % 30:05},x" for n in range(PEOPLE))
    found = guessed(f"customer_id,region\n{rows}")
    assert found.refused == {"duplicate_key": 10}
    text = config(found, sales, folder)
    assert "UNSURE: 10 of 40 rows broke a rule: 10 x duplicate_key; no command goes on" in text


def test_a_file_without_an_id_is_a_data_error(guessed):
    with pytest.raises(DataError, match="No column looks like the customer_id"):
        guessed("colour,region\nred,x\nblue,y\n")


def test_a_file_that_is_not_there_is_no_customers_file(engine, tmp_path):
    with pytest.raises(ConfigError, match="no customers to read"):
        look("none.csv", engine, base=tmp_path, of=CUSTOMERS)
