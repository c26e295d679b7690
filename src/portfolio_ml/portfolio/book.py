"""The book: all that the portfolio's figures are computed from, at one as-of date."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from portfolio_ml.config import Lifecycle, Portfolio
from portfolio_ml.customers import CustomerTable
from portfolio_ml.events import Events
from portfolio_ml.features.inputs import Inputs
from portfolio_ml.frozen import Frozen
from portfolio_ml.opportunities import Opportunities
from portfolio_ml.points import Points
from portfolio_ml.portfolio.stock import SCORES, Stock, stocks_at
from portfolio_ml.prospects import Prospects
from portfolio_ml.schema import Measure
from portfolio_ml.standing import USUAL_LIFECYCLE
from portfolio_ml.timeline import to_date, to_day
from portfolio_ml.valuations import Valuations

Given = TypeVar("Given")

NO_SCORES = "there are no scores: train champions first, with portfolio-ml train"
_USUAL_SECTIONS = (
    "value_tier", "lifecycle_stage", "segment_name", "region", "segment", "relationship_type",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Book:
    """All that the figures are computed from.

    Attributes:
        now: The customers at the as-of date.
        then: The customers `compare_days` before it, under the same activity window and tiers;
            None where the history begins later.
        inputs: The portfolio's lines and days, later ones included: a figure cuts them at its
            dates, as `features.cut.seen_at` does.
        frozen: The activity window, the tiers and the customer-base models.
        settings: What the config says of the figures.
        currency: What the amounts are in; empty where nothing tells.
        has_scores: Whether champions scored the customers.
        then_scores: The customer rows of one or several earlier dates by the same champions, each
            with its `as_of`; None where nobody was scored at an earlier date.
        measure: What the customers' value is: net spend, or margin.
        customers: What is known of the customers; None where no table is configured.
        interactions: What they did beside buying, likewise; also after the as-of date.
        contacts: What was done to win or keep them, likewise, those held out included.
        opportunities: The deals, likewise; `known_on` gives what was known at a date.
        points: The ledger of the loyalty programme, likewise.
        prospects: Who may become a customer, likewise.
        valuations: What the portfolio was worth at some dates, likewise; also after the as-of date.
        lifecycle: The tenures and the trend that part the lifecycle stages.
    """

    now: Stock
    then: Stock | None
    inputs: Inputs
    frozen: Frozen
    settings: Portfolio
    currency: str = ""
    has_scores: bool = False
    then_scores: pa.Table | None = None
    measure: Measure = "revenue"
    customers: CustomerTable | None = None
    interactions: Events | None = None
    contacts: Events | None = None
    opportunities: Opportunities | None = None
    points: Points | None = None
    prospects: Prospects | None = None
    valuations: Valuations | None = None
    lifecycle: Lifecycle = USUAL_LIFECYCLE
    _done: dict[Callable[["Book"], Any], Any] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def once(self, compute: Callable[["Book"], Given]) -> Given:
        """What a function gives of this book, computed once for all figures that ask for it.

        It is kept as long as the book is. A book made from this one, as by `replace`, begins anew.

        Args:
            compute: A function of a module: by its identity it is known again.
        """
        if compute not in self._done:
            self._done[compute] = compute(self)
        given: Given = self._done[compute]
        return given

    @property
    def as_of(self) -> date:
        """The last day of the history that is used."""
        return self.now.as_of

    @property
    def as_of_day(self) -> int:
        """Its day number."""
        return self.now.as_of_day

    @property
    def no_then(self) -> str:
        """Why there is nothing to compare with, where `then` is None."""
        days = self.settings.compare_days
        return (
            f"the history begins on {to_date(self.inputs.span.first_day)}, less than {days} days "
            f"before {self.as_of}: there is no portfolio to compare with; a smaller "
            "portfolio.compare_days would give one"
        )

    @property
    def days_before_then(self) -> int:
        """How many days of history there are up to the day of `then`; 0 where it is None."""
        if self.then is None:
            return 0
        return self.then.as_of_day - self.inputs.span.first_day + 1

    @property
    def sections(self) -> tuple[tuple[str, ...], ...]:
        """By which columns customers are told apart, as configured or as usual; each once."""
        chosen = self.settings.sections
        if chosen is None:
            return tuple((name,) for name in _USUAL_SECTIONS if self.now.has(name))
        return tuple(dict.fromkeys((n,) if isinstance(n, str) else n for n in chosen))

    def deals(self) -> pa.Table | None:
        """The opportunities as they were known on the as-of date; None where none are configured.

        Columns are those of `opportunities.Opportunities.frame`, sorted by opportunity_id.
        """
        if self.opportunities is None:
            return None
        known = self.inputs.engine.taken(self.opportunities.known_on(self.as_of))
        return self.inputs.engine.collect(known.sort("opportunity_id"))

    def then_of_now(self, name: str) -> NDArray[np.float64]:
        """A number column of then for today's customers, shape (customers,); NaN for newcomers."""
        found = np.full(self.now.count, np.nan)
        if self.then is not None and self.then.count:
            place = _places(self.now, self.then)
            found[place >= 0] = self.then.column(name)[place[place >= 0]]
        return found


def book_of(
    inputs: Inputs,
    frozen: Frozen,
    *,
    as_of: date,
    settings: Portfolio,
    scores: pa.Table | None = None,
    then_scores: pa.Table | None = None,
    measure: Measure = "revenue",
    currency: str = "",
    customers: CustomerTable | None = None,
    interactions: Events | None = None,
    contacts: Events | None = None,
    opportunities: Opportunities | None = None,
    points: Points | None = None,
    prospects: Prospects | None = None,
    valuations: Valuations | None = None,
    lifecycle: Lifecycle = USUAL_LIFECYCLE,
) -> Book:
    """The book at a date.

    Args:
        inputs: The portfolio's tables.
        frozen: What the champion froze; or what was fitted at `as_of`, where there is none.
        as_of: The last day to use.
        settings: What the config says of the figures.
        scores: The customer rows of that date; None where there are no champions.
        then_scores: Those of earlier dates by the same champions; None where there are none.
        measure: What the customers' value is: net spend, or margin.
        currency: What the amounts are in.
        customers: What is known of the customers.
        interactions: What they did beside buying.
        contacts: What was done to win or keep them.
        opportunities: The deals.
        points: The ledger of the loyalty programme.
        prospects: Who may become a customer.
        valuations: What the portfolio was worth at some dates.
        lifecycle: The tenures and the trend that part the lifecycle stages.
    """
    day = to_day(as_of)
    before = day - settings.compare_days
    days = [day] if before < inputs.span.first_day else [before, day]
    stocks: Mapping[int, Stock] = stocks_at(
        inputs, days, frozen=frozen, customers=customers, lifecycle=lifecycle
    )
    now = stocks[day]
    if scores is not None:
        now = now.with_scores(scores, SCORES)
    return Book(
        now=now,
        then=stocks.get(before),
        inputs=inputs,
        frozen=frozen,
        settings=settings,
        currency=currency,
        has_scores=scores is not None,
        then_scores=then_scores,
        measure=measure,
        customers=customers,
        interactions=interactions,
        contacts=contacts,
        opportunities=opportunities,
        points=points,
        prospects=prospects,
        valuations=valuations,
        lifecycle=lifecycle,
    )


def _places(some: Stock, of: Stock) -> NDArray[np.int64]:
    """The place of each customer of one stock in another, -1 where it is not in it."""
    numbers = of.rows["customer"].to_numpy()
    wanted = some.rows["customer"].to_numpy()
    place = np.clip(np.searchsorted(numbers, wanted), 0, max(numbers.size - 1, 0))
    return np.where(numbers[place] == wanted, place, -1)
