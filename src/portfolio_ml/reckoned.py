"""A portfolio's own figures, reckoned at a date by the champions in force, if there are any."""

import uuid
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any, TypeVar

import pyarrow as pa

from portfolio_ml.circumstances import Circumstances
from portfolio_ml.customer_rows import with_figures
from portfolio_ml.customers import CustomerTable
from portfolio_ml.engine import Engine
from portfolio_ml.errors import DataError
from portfolio_ml.events import Events
from portfolio_ml.features.inputs import Inputs
from portfolio_ml.opening import Opened
from portfolio_ml.opportunities import Opportunities
from portfolio_ml.points import Points
from portfolio_ml.portfolio.book import Book, book_of
from portfolio_ml.portfolio.catalogue import contents, figures
from portfolio_ml.portfolio.figure import Figure
from portfolio_ml.portfolio.keeping.response import RESPONSE
from portfolio_ml.portfolio.stock import frozen_at
from portfolio_ml.portfolio.today.customer_figures import NEEDS, customer_figures
from portfolio_ml.portfolio.today.daily_list import REPRESENTATIVE
from portfolio_ml.scored import Scored, scored_dates
from portfolio_ml.scoring import Champions
from portfolio_ml.sinks.order import Rows as Delivered
from portfolio_ml.sinks.parts import Parts
from portfolio_ml.sinks.suppression import Suppression
from portfolio_ml.steps import told
from portfolio_ml.timeline import to_date

Rows = TypeVar("Rows", CustomerTable | None, Events | None, Opportunities | None, Points | None)


@dataclass(frozen=True, slots=True)
class Reckoned:
    """The figures of one date.

    Attributes:
        as_of: The last day of the history that was used.
        figures: In the order in which people read them; the last lists them all.
        run_id: The run.
        versions: Per target, the champion's version; empty without champions.
        currency: What amounts are in; empty where nothing tells.
        parts: By figure, its rows ready to be delivered, where a worker of Spark's left them in
            files; this process then maps the rows of `figures`, and need not hold them.
    """

    as_of: date
    figures: tuple[Figure, ...]
    run_id: str
    versions: Mapping[str, str]
    currency: str
    parts: Mapping[str, Parts] = field(default_factory=dict)

    @property
    def present(self) -> tuple[Figure, ...]:
        """The figures that are not absent."""
        return tuple(figure for figure in self.figures if not figure.absent)

    def delivered(self, figure: Figure) -> Delivered:
        """The rows of a figure as they are handed to a delivery."""
        return self.parts.get(figure.name, figure.rows)


@dataclass(frozen=True, slots=True)
class Surveyed:
    """The figures of one date, and the scored customers whom they are about.

    Attributes:
        reckoned: The figures.
        scored: The customers, each with what the figures say of it; without those erased.
        then: The customer rows of the day that it is compared with, likewise; None where the
            history begins later.
        day_then: That day.
        representatives: customer_id and representative_id; None where no table tells them.
    """

    reckoned: Reckoned
    scored: Scored
    then: pa.Table | None
    day_then: date
    representatives: pa.Table | None


def reckoned(
    portfolio: Opened,
    champions: Champions | None,
    circumstances: Circumstances,
    *,
    names: Collection[str] = (),
) -> Reckoned:
    """The portfolio's figures at its as-of date.

    Args:
        portfolio: The history.
        champions: The models in force; None where there are none.
        circumstances: What else they go by.
        names: Which figures; all of them where none is named.

    Raises:
        DataError: A champion cannot be used, or nobody had bought by the date.
    """
    scores: dict[date, pa.Table] = {}
    if champions is not None:
        found = _scored_twice(portfolio, champions, circumstances)
        scores = {day: each.rows for day, each in found}
    return _reckoned(portfolio, champions, circumstances, scores, names=names)[0]


def surveyed(portfolio: Opened, champions: Champions, circumstances: Circumstances) -> Surveyed:
    """All figures at the portfolio's as-of date, beside the scored customers.

    Args:
        portfolio: The history.
        champions: The models in force.
        circumstances: What else they go by.

    Raises:
        DataError: Nobody had bought by the date.
    """
    erased = circumstances.erased
    scores: dict[date, pa.Table] = {}
    scored: Scored | None = None
    for day, each in _scored_twice(portfolio, champions, circumstances):
        scores[day], scored = each.rows, each  # of then, the features are not kept
    if scored is None or scored.as_of != portfolio.as_of:
        raise DataError("nobody had bought anything yet", where=f"as of {portfolio.as_of}")
    done, book = _reckoned(portfolio, champions, circumstances, scores, names=())
    by_name = {figure.name: figure for figure in done.figures}
    rows = with_figures(erased.without(scored.rows), customer_figures(book, by_name))
    day_then = compared_with(portfolio)
    then, stock = scores.get(day_then), book.now
    return Surveyed(
        reckoned=done,
        scored=replace(scored, rows=rows, features=erased.without(scored.features)),
        then=None if then is None else erased.without(then),
        day_then=day_then,
        representatives=stock.rows.select(["customer_id", REPRESENTATIVE])
        if stock.has(REPRESENTATIVE)
        else None,
    )


def with_portfolio(
    found: Scored, portfolio: Opened, champions: Champions, *, erased: Suppression
) -> Scored:
    """The scored customers with what the portfolio's figures say of each.

    Args:
        found: Everybody at a date, scored.
        portfolio: The history; it may go on after that date.
        champions: The models in force.
        erased: Who was erased.
    """
    own = columns_of_customers(found, portfolio, champions, erased=erased)
    return replace(found, rows=with_figures(found.rows, own))


def columns_of_customers(
    found: Scored, portfolio: Opened, champions: Champions, *, erased: Suppression
) -> pa.Table:
    """One row per customer: customer_id, and the columns that the portfolio's figures give.

    Args:
        found: Everybody at a date, scored.
        portfolio: The history; it may go on after that date.
        champions: The models in force.
        erased: Who was erased; they have no row.
    """
    book = book_at(portfolio, champions, as_of=found.as_of, scores=found.rows, erased=erased)
    return customer_figures(book, {figure.name: figure for figure in figures(book, NEEDS)})


def contacts_brought(
    portfolio: Opened, champions: Champions, *, erased: Suppression
) -> tuple[Mapping[str, Any], ...]:
    """What contacts brought beside held-out customers: the rows of the figure `response`.

    None where no contacts tell who was held out.

    Args:
        portfolio: The history.
        champions: The models in force.
        erased: Who was erased.
    """
    known = portfolio.contacts
    if known is None or "held_out" not in known.columns:
        return ()
    book = book_at(portfolio, champions, as_of=portfolio.as_of, scores=None, erased=erased)
    [figure] = figures(book, [RESPONSE.name])
    return tuple(figure.rows.drop_columns(["as_of"]).to_pylist())


def book_at(
    portfolio: Opened,
    champions: Champions | None,
    *,
    as_of: date,
    scores: pa.Table | None,
    erased: Suppression,
    then_scores: pa.Table | None = None,
) -> Book:
    """The book of a portfolio at a date, without those who were erased.

    Args:
        portfolio: The history.
        champions: The models in force, with what they froze; None where there are none.
        as_of: The date.
        scores: The customer rows of that date; None where there are no champions.
        erased: Who was erased.
        then_scores: Those of the date that it is compared with, by the same champions.
    """
    settings, engine = portfolio.settings, portfolio.engine
    inputs = _without(erased, portfolio.inputs)
    if champions is None:
        window = settings.activity.window_days
        frozen = frozen_at(
            inputs,
            portfolio.as_of_day,
            horizons=portfolio.recipe.horizons,
            activity_days=None if window == "auto" else window,
        )
    else:
        frozen = champions.frozen["churn"]
    return book_of(
        inputs,
        frozen,
        as_of=as_of,
        settings=settings.portfolio,
        scores=scores,
        currency=portfolio.history.currency,
        customers=_rows_without(erased, portfolio.customers, engine),
        interactions=_rows_without(erased, portfolio.interactions, engine),
        contacts=_rows_without(erased, portfolio.contacts, engine),
        opportunities=_rows_without(erased, portfolio.opportunities, engine),
        points=_rows_without(erased, portfolio.points, engine),
        prospects=portfolio.prospects,
        valuations=portfolio.valuations,
        measure=portfolio.recipe.measure,
        lifecycle=settings.lifecycle,
        then_scores=None if then_scores is None else erased.without(then_scores),
    )


def _without(erased: Suppression, inputs: Inputs) -> Inputs:
    if not erased.hashes:
        return inputs
    ids = inputs.engine.collect(inputs.customers.select("customer_id"))["customer_id"]
    return inputs.without(ids.filter(erased.holds(ids)).to_pylist())


def _rows_without(erased: Suppression, table: Rows, engine: Engine) -> Rows:
    """A table beside the lines without the rows of those who were erased."""
    if table is None or not erased.hashes:
        return table
    ids = engine.collect(engine.taken(table.frame).select("customer_id").unique())["customer_id"]
    gone = engine.from_arrow(pa.table({"customer_id": ids.filter(erased.holds(ids))}))
    kept = engine.taken(table.frame).join(gone, on="customer_id", how="anti")
    return replace(table, frame=engine.keep(kept))


def compared_with(portfolio: Opened) -> date:
    """The day that the portfolio's as-of date is compared with; the history may begin later."""
    return portfolio.as_of - timedelta(days=portfolio.settings.portfolio.compare_days)


def _scored_twice(
    portfolio: Opened, champions: Champions, circumstances: Circumstances
) -> Iterator[tuple[date, Scored]]:
    """The customers at the day that is compared with, if there is history, and as of today."""
    first = to_date(portfolio.span.first_day)
    days = [day for day in (compared_with(portfolio), portfolio.as_of) if day >= first]
    for found in scored_dates(
        portfolio,
        champions,
        days,
        bands_before=circumstances.bands_before,
        now=circumstances.now,
        progress=told(circumstances.say, f"scoring as of {' and '.join(map(str, days))}"),
    ):
        yield found.as_of, found


def _reckoned(
    portfolio: Opened,
    champions: Champions | None,
    circumstances: Circumstances,
    scores: Mapping[date, pa.Table],
    *,
    names: Collection[str],
) -> tuple[Reckoned, Book]:
    progress = told(circumstances.say, "computing the portfolio's figures")
    book = book_at(
        portfolio,
        champions,
        as_of=portfolio.as_of,
        scores=scores.get(portfolio.as_of),
        erased=circumstances.erased,
        then_scores=scores.get(compared_with(portfolio)),
    )
    done = figures(book, names, progress=progress)
    found = Reckoned(
        as_of=portfolio.as_of,
        figures=(*done, contents(done, book)),
        run_id=uuid.uuid4().hex,
        versions={} if champions is None else champions.versions,
        currency=book.currency,
    )
    return found, book
