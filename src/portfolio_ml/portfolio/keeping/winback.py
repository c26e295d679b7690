"""Win-back: which inactive customers are worth a contact, what it brings, and why they left.

Win-back value = response uplift x value if the customer buys - contact cost. The uplift, and not
the chance of a return, for some return without being asked.
"""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from portfolio_ml.portfolio.book import NO_SCORES, Book
from portfolio_ml.portfolio.figure import Figure, absent, contract_of, present
from portfolio_ml.portfolio.keeping.leaving import leaving_of
from portfolio_ml.portfolio.keeping.response import CONFIGURED, Uplift, response, uplift_of
from portfolio_ml.schema import Column, Table
from portfolio_ml.wording import counted

WINBACK: Table = contract_of(
    "winback",
    grain="one inactive customer who is worth a contact",
    key=("customer_id",),
    columns=(
        Column("customer_id", pa.string(), "who"),
        Column(
            "winback_value", pa.float64(),
            "uplift x value_if_buys - contact_cost, currency units, over the churn horizon",
            decimals=2,
        ),
        Column("winback_low", pa.float64(), "the same at the lower end of the uplift's 90 % "
               "interval; equal where the uplift is configured", decimals=2),
        Column("winback_high", pa.float64(), "at its upper end", decimals=2),
        Column("uplift", pa.float64(), "by how much a contact raises the chance of a return",
               decimals=4),
        Column("uplift_source", pa.string(), "configured, or measured from held-out customers"),
        Column("value_if_buys", pa.float64(),
               "net spend (or margin) expected within the churn horizon, given a purchase",
               decimals=2),
        Column("contact_cost", pa.float64(), "of one contact, as configured", decimals=2),
        Column("p_return", pa.float64(), "chance of a return, contacted or not",
               null="the champion gave none", decimals=4),
        Column("last_purchase", pa.date32(), "the last purchase day"),
        Column("reason", pa.string(), "why the customer likely left: codes of leaving_reasons"),
        Column("words", pa.string(), "the same in words"),
    ),
)  # fmt: skip

TITLE = "Inactive customers who are worth a contact"
NO_UPLIFT = (
    "some customers return without being asked, so what a contact brings must be known: set "
    "portfolio.response.uplift, or hold customers out of contacts"
)

Floats = NDArray[np.float64]


def winback(book: Book) -> Figure:
    """The inactive customers of whom a contact is expected to bring more than it costs.

    The most valuable first. Absent without scores, and where no uplift is known.
    """
    if not book.has_scores:
        return absent(WINBACK, TITLE, NO_SCORES)
    measured = book.once(response)
    uplift = uplift_of(measured)
    if uplift is None:
        why = measured.absent or f"too few inactive customers were contacted ({measured.notes[0]})"
        return absent(WINBACK, TITLE, f"{why}; {NO_UPLIFT}")
    stock, cost = book.now, book.settings.response.contact_cost
    value_if_buys = stock.column("value_if_buys")

    def worth(likelier: float) -> Floats:
        return np.asarray(likelier * value_if_buys - cost, np.float64)

    value = np.where(stock.is_active, np.nan, worth(uplift.estimate.value))
    some = np.flatnonzero(value > 0)
    some = some[np.lexsort((some, -value[some]))]
    reasons = book.once(leaving_of)
    last = stock.as_of_day - stock.column("recency_days")[some]
    columns = {
        "customer_id": stock.texts("customer_id")[some],
        "winback_value": value[some],
        "winback_low": worth(uplift.estimate.low)[some],
        "winback_high": worth(uplift.estimate.high)[some],
        "uplift": np.full(some.size, uplift.estimate.value),
        "uplift_source": np.full(some.size, uplift.source, object),
        "value_if_buys": value_if_buys[some],
        "contact_cost": np.full(some.size, cost),
        "p_return": stock.column("p_return")[some],
        "last_purchase": pa.array(last.astype(np.int32)).cast(pa.date32()),
        "reason": reasons.code[some],
        "words": reasons.words[some],
    }
    notes = _notes(book, uplift, value[some])
    return present(WINBACK, TITLE, columns, as_of=book.as_of, notes=notes)


def _notes(book: Book, uplift: Uplift, value: Floats) -> list[str]:
    inactive = counted(int((~book.now.is_active).sum()), "inactive customer")
    unit = f" {book.currency}" if book.currency else ""
    worth = f"{value.size:,} of {inactive} are worth a contact"
    notes = [f"{worth}, {value.sum():,.0f}{unit} in all, if each of them is contacted"]
    notes.append("one uplift holds for all of them: who left long ago may respond less")
    at = uplift.estimate
    if uplift.source == CONFIGURED:
        return [*notes, f"the uplift of {at.value:.1%} is configured"]
    notes.append(f"the measured uplift is {at.value:.1%} ({at.low:.1%} to {at.high:.1%})")
    if at.value <= 0:
        notes.append("contacts brought nothing that could be measured")
    elif at.low <= 0:
        notes.append("the interval of the uplift reaches 0: contacts may bring nothing")
    return notes
