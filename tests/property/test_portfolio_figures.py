"""Every figure of every portfolio, however odd: its rows, or the reason why it has none."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from tests.examples import shown
from tests.odd_books import SETTINGS, Odd, odd_book, odd_portfolios, shuffled, tables_of

from portfolio_ml.engine import Engine
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.catalogue import contents, contracts, figures
from portfolio_ml.portfolio.figure import Figure
from portfolio_ml.sinks.rows import prepare

pytestmark = pytest.mark.property

few_examples = shown(2, HealthCheck.too_slow)  # each computes everything


def assert_sound(figure: Figure, book: Book) -> None:
    """The figure follows its contract, and nothing of it is refused where it is delivered."""
    rows = figure.rows
    assert rows.schema.equals(figure.contract.arrow), figure.name
    if figure.absent:
        assert figure.absent.strip(), figure.name
        assert rows.num_rows == 0, figure.name
        return
    assert {*rows["as_of"].to_pylist()} <= {book.as_of}, figure.name
    for column in figure.contract.columns:
        if pa.types.is_floating(column.type):
            values = rows[column.name].drop_null().to_numpy()
            assert np.isfinite(values).all(), f"{figure.name}.{column.name}"
    assert all(note.strip() for note in figure.notes), figure.name
    assert prepare(rows, figure.contract, as_of=book.as_of).rejects == (), figure.name


def assert_all_sound(book: Book) -> list[Figure]:
    found = figures(book)
    listed = contents(found, book)
    assert [f.name for f in (*found, listed)] == [c.name for c in contracts()]
    for figure in (*found, listed):
        assert_sound(figure, book)
    return found


@few_examples
@given(odd=odd_portfolios())
def test_every_figure_is_there_by_its_contract_or_absent_with_a_reason(
    engine: Engine, odd: Odd
) -> None:
    book = odd_book(odd, engine)
    if book is not None:
        assert_all_sound(book)


@pytest.mark.long
def test_the_order_of_the_rows_in_the_tables_changes_nothing(engine: Engine) -> None:
    odd = Odd(seed=5, settings=SETTINGS[1])

    books = [odd_book(odd, engine), odd_book(odd, engine, tables=shuffled(tables_of(odd), 1))]

    for one, two in zip(*(figures(book) for book in books if book is not None), strict=True):
        assert_same(one, two)


def assert_same(one: Figure, two: Figure) -> None:
    assert one.absent == two.absent
    for column in one.contract.columns:
        values, others = one.rows[column.name], two.rows[column.name]
        if pa.types.is_floating(column.type):
            first, second = (v.fill_null(-1e30).to_numpy() for v in (values, others))
            np.testing.assert_allclose(first, second, rtol=1e-9, atol=1e-9, err_msg=one.name)
        else:
            assert values.to_pylist() == others.to_pylist(), f"{one.name}.{column.name}"


@pytest.mark.parametrize(
    "fates",
    [
        ("only returns at the end", "strange ids", "unknown texts", "deals of one customer"),
        pytest.param(
            (
                "one order each",
                "huge amounts",
                "one section",
                "contacts held out",
                "points expired",
            ),
            marks=pytest.mark.long,
        ),
        pytest.param(
            ("nobody bought lately", "nothing is worth anything", "one category", "empty texts"),
            marks=pytest.mark.long,
        ),
    ],
    ids=" and ".join,
)
def test_whatever_befalls_a_portfolio_its_figures_stand(
    engine: Engine, fates: tuple[str, ...]
) -> None:
    book = odd_book(Odd(seed=7, customers=3, fates=fates, settings=SETTINGS[1]), engine)

    assert book is not None
    assert_all_sound(book)
