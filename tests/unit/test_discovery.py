"""Exports in many dialects: what each column is, how it is written, and what is unsure."""

import functools
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from portfolio_ml.config import load_settings, settings_from
from portfolio_ml.discovery import config_text, guess, look, propose
from portfolio_ml.discovery.proposal import fitting_horizon
from portfolio_ml.errors import ConfigError, DataError
from portfolio_ml.timeline import Span
from portfolio_ml.training import Recipe
from portfolio_ml.transactions import load

pytestmark = pytest.mark.unit

TODAY = date(2025, 6, 1)
FIRST = date(2024, 1, 3)


@dataclass(frozen=True)
class Line:
    """One made line of an order."""

    n: int

    @property
    def day(self) -> date:
        return FIRST + timedelta(days=3 * (self.n // 2))

    @property
    def customer(self) -> str:
        return f"{(7 * (self.n // 2)) % 23 + 1:05}"

    order = property(lambda line: f"R{1000 + line.n // 2}")
    product = property(lambda line: f"P-{line.n % 11}")
    quantity = property(lambda line: line.n % 4 + 1)
    price = property(lambda line: 2.25 + 312.4 * (line.n % 7))
    total = property(lambda line: round(line.price * line.quantity, 2))


LINES = [Line(n) for n in range(240)]


def german(value: float, digits: int = 2) -> str:
    return f"{value:,.{digits}f}".translate(str.maketrans(",.", ".,"))


def comma(value: float) -> str:
    return f"{value:.2f}".replace(".", ",")


@dataclass(frozen=True)
class Export:
    """A made file and what must be found in it."""

    columns: dict
    mapping: dict
    delimiter: str = ","
    encoding: str = "utf-8"
    before: str = ""
    quote: str = ""
    end: str = "\n"
    format: dict = field(default_factory=dict)
    unsure: tuple = ()
    says: str = ""

    def text(self, lines=LINES) -> str:
        table = [
            [*self.columns],
            *([str(f(line)) for f in self.columns.values()] for line in lines),
        ]
        rows = (self.delimiter.join(f"{self.quote}{v}{self.quote}" for v in row) for row in table)
        return self.before + self.end.join(rows) + self.end


def day(form: str):
    return lambda line: line.day.strftime(form)


def low(form: str):
    """Days of which none is over 12, in no order."""
    return lambda line: date(2024, line.n * 5 % 12 + 1, line.n * 7 % 12 + 1).strftime(form)


def customer(line):
    return line.customer


def order(line):
    return line.order


def product(line):
    return line.product


def quantity(line):
    return line.quantity


MONTHS_DE = "Januar Februar März April Mai Juni Juli August September Oktober November Dezember"
MONTHS_FR = "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc."


def month_in(names: str, form: str):
    return lambda line: form.format(
        d=line.day.day, m=names.split()[line.day.month - 1], y=line.day.year
    )


EXPORTS = {
    "english, ISO": Export(
        {"order_id": order, "customer_id": customer, "order_date": day("%Y-%m-%d"),
         "amount": lambda n: n.total},
        {"customer_id": "customer_id", "timestamp": "order_date", "amount": "amount",
         "order_id": "order_id"},
        format={"delimiter": ","},
    ),
    "american dates and dollars": Export(
        {"Customer Number": customer, "Transaction Date": day("%m/%d/%Y"),
         "Total Amount": lambda n: f'"${n.total:,.2f}"', "Store City": lambda n: "Boston"},
        {"customer_id": "Customer Number", "timestamp": "Transaction Date",
         "amount": "Total Amount"},
        format={"thousands": ",", "date_format": "%m/%d/%Y", "delimiter": ","},
    ),
    "british with a time": Export(
        {"ClientRef": customer, "Date": day("%d/%m/%Y 14:05"), "Net Amount": lambda n: n.total},
        {"customer_id": "ClientRef", "timestamp": "Date", "amount": "Net Amount"},
        format={"date_format": "%d/%m/%Y"},
    ),
    "unit price and quantity": Export(
        {"InvoiceNo": order, "StockCode": product, "Quantity": quantity,
         "InvoiceDate": day("%Y-%m-%d 10:00:00"), "UnitPrice": lambda n: f"{n.price:.2f}",
         "CustomerID": customer},
        {"customer_id": "CustomerID", "timestamp": "InvoiceDate",
         "amount": "UnitPrice * Quantity", "order_id": "InvoiceNo", "product_id": "StockCode",
         "quantity": "Quantity"},
    ),
    "german": Export(
        {"Belegnr": order, "Kundennummer": customer, "Rechnungsdatum": day("%d.%m.%Y"),
         "Lieferdatum": day("%d.%m.%Y"), "Artikelnr": product, "Menge": quantity,
         "Betrag": lambda n: german(n.total)},
        {"customer_id": "Kundennummer", "timestamp": "Rechnungsdatum", "amount": "Betrag",
         "order_id": "Belegnr", "product_id": "Artikelnr", "quantity": "Menge"},
        delimiter=";", format={"delimiter": ";", "decimal": ",", "date_format": "%d.%m.%Y"},
    ),
    "german from Excel, Windows-1252": Export(
        {"Kunden-Nr.": customer, "Verkäufer": lambda n: "Jürgen Groß", "Datum": day("%d.%m.%y"),
         "Umsatz in €": lambda n: german(n.total) + " €"},
        {"customer_id": "Kunden-Nr.", "timestamp": "Datum", "amount": "Umsatz in €"},
        delimiter=";", encoding="cp1252", end="\r\n",
        format={"decimal": ",", "date_format": "%d.%m.%y", "encoding": "windows-1252"},
    ),
    "german unit prices": Export(
        {"Bestellnummer": order, "KdNr": customer, "Bestelldatum": day("%d.%m.%Y %H:%M"),
         "Stückpreis": lambda n: comma(n.price), "Anzahl": quantity},
        {"customer_id": "KdNr", "timestamp": "Bestelldatum", "amount": "Stückpreis * Anzahl",
         "order_id": "Bestellnummer", "quantity": "Anzahl"},
        delimiter=";", format={"decimal": ",", "date_format": "%d.%m.%Y"},
    ),
    "german month names": Export(
        {"Kunde": customer, "Datum": month_in(MONTHS_DE, "{d}. {m} {y}"),
         "Gesamtpreis": lambda n: comma(n.total)},
        {"customer_id": "Kunde", "timestamp": "Datum", "amount": "Gesamtpreis"},
        delimiter=";", format={"date_format": "%d. %b %Y", "decimal": ","},
    ),
    "german with a minus behind": Export(
        {"Debitor": customer, "Buchungsdatum": day("%d.%m.%Y"),
         "Nettobetrag": lambda n: german(n.total) + ("-" if n.n % 9 == 0 else "")},
        {"customer_id": "Debitor", "timestamp": "Buchungsdatum", "amount": "Nettobetrag"},
        delimiter="\t", format={"delimiter": "\t", "decimal": ","},
    ),
    "french with thin blanks": Export(
        {"N° client": customer, "Date commande": day("%d/%m/%Y"),
         "Montant TTC": lambda n: german(n.total).replace(".", "\u202f") + " €"},
        {"customer_id": "N° client", "timestamp": "Date commande", "amount": "Montant TTC"},
        delimiter=";", format={"decimal": ",", "date_format": "%d/%m/%Y"},
    ),
    "french, Latin-1, month names": Export(
        {"Numéro de client": customer, "Date de facture": month_in(MONTHS_FR, "{d} {m} {y}"),
         "Prix unitaire": lambda n: comma(n.price), "Quantité": quantity,
         "Référence article": product},
        {"customer_id": "Numéro de client", "timestamp": "Date de facture",
         "amount": "Prix unitaire * Quantité", "product_id": "Référence article",
         "quantity": "Quantité"},
        delimiter=";", encoding="latin-1",
        format={"encoding": "windows-1252", "date_format": "%d %b %Y"},
    ),
    "spanish": Export(
        {"Código cliente": customer, "Fecha de compra": day("%d-%m-%Y"), "Nº pedido": order,
         "Importe total": lambda n: german(n.total), "Fecha de nacimiento": lambda n: "01-02-1980"},
        {"customer_id": "Código cliente", "timestamp": "Fecha de compra",
         "amount": "Importe total", "order_id": "Nº pedido"},
        delimiter=";", format={"decimal": ",", "date_format": "%d-%m-%Y"},
    ),
    "italian": Export(
        {"Codice Cliente": customer, "Data ordine": day("%d/%m/%Y"), "Numero ordine": order,
         "Articolo": product, "Quantità": quantity, "Importo": lambda n: comma(n.total)},
        {"customer_id": "Codice Cliente", "timestamp": "Data ordine", "amount": "Importo",
         "order_id": "Numero ordine", "product_id": "Articolo", "quantity": "Quantità"},
        delimiter=";", encoding="utf-8-sig",
        format={"decimal": ",", "date_format": "%d/%m/%Y", "delimiter": ";"},
    ),
    "dutch with bars": Export(
        {"Klantnummer": customer, "Besteldatum": day("%d-%m-%Y"),
         "Bedrag": lambda n: comma(n.total), "Factuurnummer": order},
        {"customer_id": "Klantnummer", "timestamp": "Besteldatum", "amount": "Bedrag",
         "order_id": "Factuurnummer"},
        delimiter="|", format={"delimiter": "|", "decimal": ",", "date_format": "%d-%m-%Y"},
    ),
    "portuguese": Export(
        {"ID do cliente": customer, "Data da compra": day("%d/%m/%Y"), "Pedido": order,
         "Valor total": lambda n: "R$ " + german(n.total)},
        {"customer_id": "ID do cliente", "timestamp": "Data da compra", "amount": "Valor total",
         "order_id": "Pedido"},
        delimiter=";", format={"decimal": ",", "date_format": "%d/%m/%Y"},
    ),
    "polish, Windows-1250": Export(
        {"ID klienta": customer, "Data sprzedaży": day("%Y-%m-%d"), "Numer zamówienia": order,
         "Wartość": lambda n: comma(n.total) + " zł", "Miasto": lambda n: "Łódź-Śródmieście"},
        {"customer_id": "ID klienta", "timestamp": "Data sprzedaży", "amount": "Wartość",
         "order_id": "Numer zamówienia"},
        delimiter=";", encoding="cp1250", format={"encoding": "windows-1250", "decimal": ","},
    ),
    "compact dates": Export(
        {"household_id": customer, "day": day("%Y%m%d"), "basket_id": order,
         "sales_value": lambda n: n.total},
        {"customer_id": "household_id", "timestamp": "day", "amount": "sales_value",
         "order_id": "basket_id"},
    ),
    "compact with the day first": Export(
        {"customer": customer, "date": day("%d%m%Y"), "revenue": lambda n: n.total},
        {"customer_id": "customer", "timestamp": "date", "amount": "revenue"},
        format={"date_format": "%d%m%Y"},
    ),
    "compact with the time": Export(
        {"card_number": customer, "purchase_time": day("%Y%m%d%H%M%S"),
         "total_price": lambda n: n.total},
        {"customer_id": "card_number", "timestamp": "purchase_time", "amount": "total_price"},
        format={"date_format": "%Y%m%d%H%M%S"},
    ),
    "UTF-16 from Excel": Export(
        {"Customer ID": customer, "Order Date": day("%d-%b-%Y"), "Sales": lambda n: n.total},
        {"customer_id": "Customer ID", "timestamp": "Order Date", "amount": "Sales"},
        delimiter="\t", encoding="utf-16",
        format={"encoding": "utf-16", "delimiter": "\t", "date_format": "%d-%b-%Y"},
    ),
    "instants": Export(
        {"user_id": customer, "created_at": day("%Y-%m-%dT23:30:00Z"),
         "order_total": lambda n: n.total, "currency": lambda n: "EUR"},
        {"customer_id": "user_id", "timestamp": "created_at", "amount": "order_total",
         "currency": "currency"},
    ),
    "a title above the table": Export(
        {"Kundennr": customer, "Datum": day("%d.%m.%Y"), "Summe": lambda n: comma(n.total)},
        {"customer_id": "Kundennr", "timestamp": "Datum", "amount": "Summe"},
        delimiter=";", before="Umsatzliste\nStand 01.02.2025\n", format={"skip_lines": 2},
        says="2 lines before the header",
    ),
    "Excel's own first line": Export(
        {"Klant": customer, "Datum": day("%d-%m-%Y"), "Omzet": lambda n: comma(n.total)},
        {"customer_id": "Klant", "timestamp": "Datum", "amount": "Omzet"},
        delimiter=";", before="sep=;\n", format={"skip_lines": 1, "delimiter": ";"},
    ),
    "single quotes": Export(
        {"member_id": customer, "date": day("%Y-%m-%d"), "spend": lambda n: n.total},
        {"customer_id": "member_id", "timestamp": "date", "amount": "spend"},
        quote="'", format={"quote": "'"},
    ),
    "swiss apostrophes": Export(
        {"Kunde": customer, "Datum": day("%d.%m.%Y"),
         "Betrag": lambda n: f"{n.total:,.2f}".replace(",", "'")},
        {"customer_id": "Kunde", "timestamp": "Datum", "amount": "Betrag"},
        delimiter=";", format={"thousands": "'"},
    ),
    "no day over 12": Export(
        {"customer_id": customer, "date": low("%d/%m/%Y"), "amount": lambda n: n.total},
        {"customer_id": "customer_id", "timestamp": "date", "amount": "amount"},
        unsure=("timestamp",), says="no day is over 12", format={"date_format": "%m/%d/%Y"},
    ),
    "no day over 12, german": Export(
        {"Kunde": customer, "Datum": low("%d/%m/%Y"), "Betrag": lambda n: comma(n.total)},
        {"customer_id": "Kunde", "timestamp": "Datum", "amount": "Betrag"},
        delimiter=";", unsure=("timestamp",), format={"date_format": "%d/%m/%Y"},
    ),
    "months on their first day": Export(
        {"customer_id": customer, "date": lambda n: f"01/{n.n // 2 % 12 + 1:02}/2024",
         "amount": lambda n: n.total},
        {"customer_id": "customer_id", "timestamp": "date", "amount": "amount"},
        unsure=("timestamp",), format={"date_format": "%d/%m/%Y"},
    ),
    "two amounts": Export(
        {"customer_id": customer, "date": day("%Y-%m-%d"), "net_amount": lambda n: n.total,
         "gross_amount": lambda n: round(n.total * 1.19, 2)},
        {"customer_id": "customer_id", "timestamp": "date", "amount": "net_amount"},
        unsure=("amount",), says="'gross_amount' fits about as well",
    ),
    "customers who never return": Export(
        {"customer_id": lambda n: f"c{n.n}", "date": day("%Y-%m-%d"), "amount": lambda n: n.total},
        {"customer_id": "customer_id", "timestamp": "date", "amount": "amount"},
        unsure=("customer_id",), says="hardly anyone would buy twice",
    ),
    "an order's total on each line": Export(
        {"order_id": order, "customer_id": customer, "date": day("%Y-%m-%d"), "product": product,
         "amount": lambda n: round(LINES[n.n // 2 * 2].price + n.n // 2, 2)},
        {"customer_id": "customer_id", "timestamp": "date", "amount": "amount",
         "order_id": "order_id", "product_id": "product"},
        unsure=("amount",), says="the same on every line of an order",
    ),
    "a price that may be a line's": Export(
        {"customer_id": customer, "date": day("%Y-%m-%d"), "price": lambda n: f"{n.price:.2f}",
         "qty": quantity},
        {"customer_id": "customer_id", "timestamp": "date", "amount": "price * qty",
         "quantity": "qty"},
        unsure=("amount",), says="is taken as the price of one unit",
    ),
    "unknown words": Export(
        {"aaa": customer, "bbb": day("%Y-%m-%d"), "ccc": lambda n: n.total},
        {"customer_id": "aaa", "timestamp": "bbb", "amount": "ccc"},
        unsure=("customer_id", "timestamp", "amount"), says="its name says nothing known",
    ),
    "several currencies": Export(
        {"customer_id": customer, "date": day("%Y-%m-%d"), "amount": lambda n: n.total,
         "currency": lambda n: ("EUR", "USD")[n.n % 2]},
        {"customer_id": "customer_id", "timestamp": "date", "amount": "amount"},
        says="several currencies",
    ),
    "an email for a customer": Export(
        {"Email": lambda n: f"c{n.customer}@example.org", "Purchase Date": day("%b %d, %Y"),
         "Amount": lambda n: f"({n.total})" if n.n % 9 == 0 else f"{n.total:,.2f}"},
        {"customer_id": "Email", "timestamp": "Purchase Date", "amount": "Amount"},
        quote='"', format={"date_format": "%b %d, %Y", "thousands": ","},
    ),
}  # fmt: skip


@pytest.fixture
def write(tmp_path):
    """Writes a made export; gives its path."""

    def write(export: Export, name: str = "sales.csv") -> Path:
        file = tmp_path / name
        file.write_bytes(export.text().encode(export.encoding))
        return file

    return write


def guessed(file: Path, engine, **chosen):
    seen = look(str(file), engine, base=file.parent)
    return guess(seen, engine, chosen=chosen)


@pytest.fixture(scope="module")
def understood(engine, tmp_path_factory):
    """Gives a made export's file by the export's name, and what is guessed of it, once."""

    @functools.cache
    def understood(name: str):
        file = tmp_path_factory.mktemp("export") / "sales.csv"
        file.write_bytes(EXPORTS[name].text().encode(EXPORTS[name].encoding))
        return file, guessed(file, engine)

    return understood


NOT_EVERY_TIME = {
    *("german month names", "french, Latin-1, month names", "portuguese", "italian"),
    *("dutch with bars", "british with a time", "compact with the time"),
}
"""What is near enough to others to wait for `make test-long`."""


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.long] * (n in NOT_EVERY_TIME)) for n in EXPORTS],
)
class TestAnExport:
    def test_is_understood(self, understood, name):
        export = EXPORTS[name]
        _, found = understood(name)
        assert found.columns == export.mapping
        written = found.written.model_dump()
        assert {key: written[key] for key in export.format} == export.format

    def test_says_what_is_unsure(self, understood, name):
        export = EXPORTS[name]
        _, found = understood(name)
        unsure = {role for role, f in found.findings.items() if f.confidence == "unsure"}
        said = [*found.doubts, *(d for f in found.findings.values() for d in f.doubts)]
        assert unsure == {*export.unsure}
        assert export.says in " ".join(said)

    def test_is_read_whole_by_the_config_that_is_written(self, engine, understood, name):
        file, found = understood(name)
        folder = file.parent
        proposal = propose(file.name, found, engine, base=folder, today=TODAY)
        text = config_text("shop", file.name, found, proposal, base=folder, folder=folder)
        (folder / "shop.yaml").write_text(text, encoding="utf-8")
        settings = load_settings(folder / "shop.yaml")
        assert settings.data.transactions.columns == found.columns
        history = load(settings, engine, today=TODAY)
        assert (history.kept, history.quarantined) == (len(LINES), 0)
        if any(f.doubts for f in found.findings.values()):
            assert "# UNSURE:" in text


def test_amounts_and_days_are_those_that_were_written(engine, understood):
    """The same lines in five dialects make the same history."""
    names = ["german", "american dates and dollars", "portuguese", "UTF-16 from Excel", "italian"]
    digests = set()
    for name in names:
        file, found = understood(name)
        values = {
            "source": file.name,
            "columns": found.columns,
            "format": found.written.model_dump(),
        }
        settings = settings_from(
            {"name": "shop", "data": {"transactions": values}}, base=file.parent
        )
        digests.add(load(settings, engine, today=TODAY).digest)
    assert len(digests) == 1


def test_leading_zeros_stay(engine, write, tmp_path):
    file = write(EXPORTS["german"])
    found = guessed(file, engine)
    values = {"source": file.name, "columns": found.columns, "format": found.written.model_dump()}
    settings = settings_from({"name": "shop", "data": {"transactions": values}}, base=tmp_path)
    lines = engine.collect(load(settings, engine, today=TODAY).lines)
    assert {*lines["customer_id"].to_pylist()} == {line.customer for line in LINES}


class TestOptionalColumns:
    """Named clearly, they are mapped; otherwise they are left alone."""

    def found(self, engine, write, **columns):
        export = EXPORTS["english, ISO"]
        by_name = {name.replace("_", " "): held for name, held in columns.items()}
        return guessed(write(Export({**export.columns, **by_name}, {})), engine)

    @pytest.mark.parametrize(
        "names",
        [
            {"category": "Category", "cost": "Cost", "discount": "Discount", "channel": "Channel"},
            {"category": "Warengruppe", "cost": "Kosten", "discount": "Rabattbetrag",
             "channel": "Vertriebskanal", "quantity": "Anzahl"},
            {"category": "Catégorie", "cost": "TotalProductCost", "discount": "Remise",
             "channel": "Canal_de_venta"},
            {"category": "Product_Group"},
            {"category": "product_category"},
        ],
        ids=lambda names: names["category"],
    )  # fmt: skip
    def test_are_found(self, engine, write, names):
        held = {"category": lambda n: "tea", "channel": lambda n: "web"}
        columns = {name: held.get(r, lambda n: n.n % 5 + 1) for r, name in names.items()}
        found = self.found(engine, write, **columns)
        assert {role: found.columns[role] for role in names} == {
            role: name.replace("_", " ") for role, name in names.items()
        }
        assert "product_id" not in found.columns

    @pytest.mark.parametrize(
        "name",
        ["Shipping_Cost", "UnitCost", "StandardCost", "Discount_Pct", "Rabatt_Prozent", "Brand"],
    )
    def test_of_another_meaning_are_not(self, engine, write, name):
        found = self.found(engine, write, **{name: lambda n: n.n % 5 + 1})
        assert not {"cost", "discount", "category", "channel"} & {*found.columns}

    @pytest.mark.parametrize("value", [lambda n: 0.1 * (n.n % 5), lambda n: -(n.n % 5)])
    def test_of_shares_or_with_a_minus_are_no_discount(self, engine, write, value):
        assert "discount" not in self.found(engine, write, discount=value).columns

    @pytest.mark.parametrize(
        ("name", "held"),
        [("product_name", lambda n: f"P{n.n % 9}"), ("product", lambda n: f"Green tea {n.n % 9}")],
    )
    def test_of_product_names_are_unsure(self, engine, write, name, held):
        finding = self.found(engine, write, **{name: held}).findings["product_id"]
        assert finding.confidence == "unsure"
        assert "reads like names" in finding.doubts[0]


class TestParquet:
    def test_keeps_its_types_and_names_ids_without_a_fraction(self, engine, tmp_path):
        table = pa.table(
            {
                "CustomerID": [float(line.customer) for line in LINES],
                "InvoiceDate": [line.day for line in LINES],
                "Total": [line.total for line in LINES],
            }
        )
        pq.write_table(table, tmp_path / "sales.parquet")
        found = guessed(tmp_path / "sales.parquet", engine)
        assert found.columns == {
            "customer_id": "CustomerID",
            "timestamp": "InvoiceDate",
            "amount": "Total",
        }
        values = {"source": "sales.parquet", "columns": found.columns}
        settings = settings_from({"name": "shop", "data": {"transactions": values}}, base=tmp_path)
        ids = engine.collect(load(settings, engine, today=TODAY).lines)["customer_id"]
        assert {*ids.to_pylist()} == {str(int(line.customer)) for line in LINES}


class TestAChoice:
    def test_of_a_person_stands(self, engine, write):
        found = guessed(write(EXPORTS["two amounts"]), engine, amount="gross_amount")
        assert found.columns["amount"] == "gross_amount"
        assert found.findings["amount"].confidence == "sure"

    def test_of_the_date_format_stands(self, engine, write):
        found = guessed(write(EXPORTS["no day over 12"]), engine, date_format="%d/%m/%Y")
        assert found.written.date_format == "%d/%m/%Y"
        assert not found.findings["timestamp"].doubts


class TestAFileThatCannotBeUnderstood:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "empty"),
            ("customer_id,date,amount\n", "not a single row"),
            ("00017,2024-01-03,12.50\n00018,2024-01-04,8.00\n", "values and no column names"),
            ("customer_id,colour\na,red\nb,blue\n", "no column looks like the timestamp"),
            ("customer_id,date\na,2024-01-03\nb,2024-01-04\n", "no column looks like the amount"),
        ],
    )
    def test_is_a_data_error_that_says_why(self, engine, tmp_path, text, said):
        (tmp_path / "sales.csv").write_text(text)
        with pytest.raises(DataError, match=f"(?i){said}"):
            guessed(tmp_path / "sales.csv", engine)

    def test_or_that_is_not_there_is_a_config_error(self, engine, tmp_path):
        with pytest.raises(ConfigError, match="no such file"):
            look("none.csv", engine, base=tmp_path)


def test_a_share_that_fits_is_proposed_where_many_rows_lack_a_customer(engine, tmp_path):
    export = EXPORTS["english, ISO"]
    gaps = {**export.columns, "customer_id": lambda n: "" if n.n % 4 == 0 else n.customer}
    (tmp_path / "sales.csv").write_text(Export(gaps, {}).text())
    found = guessed(tmp_path / "sales.csv", engine)
    proposal = propose("sales.csv", found, engine, base=tmp_path, today=TODAY)
    assert proposal.refused == {"customer_id_missing": 60}
    assert 0.25 < proposal.max_quarantined_share <= 0.28
    text = config_text("shop", "sales.csv", found, proposal, base=tmp_path, folder=tmp_path)
    assert "60 of 240 rows (25.0%) broke a rule" in text


class TestAHorizon:
    recipe = Recipe.of(settings_from({"name": "a", "data": {"transactions": {"source": "cdnow"}}}))

    def horizon(self, days: int, median: float | None, usual: float | None):
        return fitting_horizon(Span(0, days - 1), self.recipe, median_gap=median, usual_gap=usual)

    def test_is_the_usual_gap_where_the_history_is_long(self):
        horizon = self.horizon(1500, 20, 60)
        assert (horizon.days, horizon.cutoffs, horizon.doubts) == (63, 3, ())

    def test_is_shortened_to_leave_three_cutoffs(self):
        assert (self.horizon(374, 40, 166).days, self.horizon(374, 40, 166).cutoffs) == (77, 3)

    def test_is_not_below_the_median_gap_while_a_cutoff_is_left(self):
        horizon = self.horizon(374, 90, 166)
        assert horizon.days >= 90
        assert horizon.cutoffs < 3
        assert "2 cutoffs to judge by" in horizon.doubts[0]

    def test_says_that_the_history_is_too_short(self):
        assert "too short" in self.horizon(30, 5, 9).doubts[0]
        assert "too short for a horizon" in self.horizon(120, 200, 300).doubts[0]

    def test_grows_with_the_history(self):
        days = [self.horizon(n, 10, 300).days for n in range(60, 1500, 60)]
        assert all(a <= b for a, b in pairwise(days))
        assert all(d % 7 == 0 for d in days)


class TestTheFormatInAConfig:
    @pytest.mark.parametrize(
        ("format_", "said"),
        [
            ({"date_format": "%d.%m.%Q"}, "'%Q' is no part of a date"),
            ({"date_format": "%d.%m"}, "a date needs a year"),
            ({"decimal": ",", "thousands": ","}, "must not be the same mark"),
            ({"encoding": "ebcdic"}, "windows-1252"),
        ],
    )
    def test_that_cannot_be_read_is_a_config_error(self, format_, said):
        source = {"source": "sales.csv", "format": format_}
        with pytest.raises(ConfigError, match=said):
            settings_from({"name": "shop", "data": {"transactions": source}})


def test_a_product_names_the_column_that_is_not_there(engine, write, tmp_path):
    write(EXPORTS["unit price and quantity"])
    columns = {"customer_id": "CustomerID", "timestamp": "InvoiceDate", "amount": "UnitPrice * Qty"}
    values = {"source": "sales.csv", "columns": columns}
    settings = settings_from({"name": "shop", "data": {"transactions": values}}, base=tmp_path)
    with pytest.raises(DataError, match="Column 'Qty' is missing"):
        load(settings, engine, today=TODAY)
