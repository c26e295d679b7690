"""A portfolio's own figures, reckoned at one date by the champions in force, if there are any."""

import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import pyarrow as pa

from portfolio_ml.champions import champions_in_force
from portfolio_ml.config import Settings
from portfolio_ml.errors import MissingChampionError
from portfolio_ml.opening import Opened, Say
from portfolio_ml.portfolio.book import Book, book_of
from portfolio_ml.portfolio.catalogue import contents, figures
from portfolio_ml.portfolio.figure import Figure
from portfolio_ml.portfolio.stock import frozen_at
from portfolio_ml.scored import BandsBefore, Scored, scored_dates
from portfolio_ml.scoring import Champions
from portfolio_ml.sinks.suppression import Suppression, suppression
from portfolio_ml.timeline import to_date

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Reckoned:
    """The figures of one date.

    Attributes:
        as_of: The last day of the history that was used.
        figures: In the order in which people read them; the last lists them all.
        run_id: The run.
        versions: Per target, the champion's version; empty without champions.
        currency: What amounts are in; empty where nothing tells.
    """

    as_of: date
    figures: tuple[Figure, ...]
    run_id: str
    versions: Mapping[str, str]
    currency: str

    @property
    def present(self) -> tuple[Figure, ...]:
        """The figures that are not absent."""
        return tuple(figure for figure in self.figures if not figure.absent)


def reckoned(
    portfolio: Opened,
    *,
    bands_before: BandsBefore,
    names: Collection[str] = (),
    now: Clock,
    say: Say,
) -> Reckoned:
    """The portfolio's figures at its as-of date.

    Args:
        portfolio: The history.
        bands_before: What was delivered before.
        names: Which figures; all of them where none is named.
        now: The wall clock.
        say: Told what is being done.

    Raises:
        DataError: A champion cannot be used, or nobody had bought by the date.
    """
    champions = _champions(portfolio.settings, say)
    before = portfolio.as_of - timedelta(days=portfolio.settings.portfolio.compare_days)
    first = to_date(portfolio.span.first_day)
    scores: dict[date, Scored] = {}
    if champions is not None:
        days = [day for day in (before, portfolio.as_of) if day >= first]
        found = scored_dates(
            portfolio, champions, days, bands_before=bands_before, now=now, say=say
        )
        scores = {each.as_of: each for each in found}
    say("computing the portfolio's figures")
    book = book_at(
        portfolio,
        champions,
        scores=_rows(scores, portfolio.as_of),
        then_scores=_rows(scores, before),
    )
    erased = suppression(portfolio.settings)
    done = [_without(erased, figure) for figure in figures(book, names)]
    return Reckoned(
        as_of=portfolio.as_of,
        figures=(*done, contents(done, book)),
        run_id=uuid.uuid4().hex,
        versions={} if champions is None else champions.versions,
        currency=book.currency,
    )


def book_at(
    portfolio: Opened,
    champions: Champions | None,
    *,
    scores: pa.Table | None,
    then_scores: pa.Table | None = None,
) -> Book:
    """The book of a portfolio at its as-of date.

    Args:
        portfolio: The history.
        champions: The models in force, with what they froze; None where there are none.
        scores: The customer rows of that date; None where there are no champions.
        then_scores: Those of the date that it is compared with, by the same champions.
    """
    settings = portfolio.settings
    if champions is None:
        window = settings.activity.window_days
        frozen = frozen_at(
            portfolio.inputs,
            portfolio.as_of_day,
            horizons=portfolio.recipe.horizons,
            activity_days=None if window == "auto" else window,
        )
    else:
        frozen = champions.frozen["churn"]
    return book_of(
        portfolio.inputs,
        frozen,
        as_of=portfolio.as_of,
        settings=settings.portfolio,
        scores=scores,
        currency=portfolio.history.currency,
        customers=portfolio.customers,
        interactions=portfolio.interactions,
        contacts=portfolio.contacts,
        opportunities=portfolio.opportunities,
        points=portfolio.points,
        prospects=portfolio.prospects,
        then_scores=then_scores,
    )


def _without(erased: Suppression, figure: Figure) -> Figure:
    """The figure without rows of customers who were erased; totals count them still."""
    if "customer_id" not in figure.contract.names:
        return figure
    return replace(figure, rows=erased.without(figure.rows))


def _rows(scores: Mapping[date, Scored], day: date) -> pa.Table | None:
    return scores[day].rows if day in scores else None


def _champions(settings: Settings, say: Say) -> Champions | None:
    try:
        champions, _ = champions_in_force(settings, say)
    except MissingChampionError:
        return None
    return champions
