"""How well the next category was recommended in the history, beside popularity."""

import pyarrow as pa

from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.figure import Figure, absent, contract_of, present
from portfolio_ml.portfolio.selling.cross_selling import CrossSelling, cross_selling
from portfolio_ml.portfolio.selling.recommending import FEWEST_ADDERS
from portfolio_ml.schema import Column, Table
from portfolio_ml.timeline import to_date

NEXT_CATEGORY_EVIDENCE: Table = contract_of(
    "next_category_evidence",
    grain="one way to recommend and one number of recommended categories",
    key=("method", "recommended"),
    columns=(
        Column(
            "method", pa.string(), "similar customers; most added: what is added most by those "
            "without it; most bought: what most customers have bought",
        ),
        Column("recommended", pa.int64(), "how many categories are recommended to a customer"),
        Column("is_used", pa.bool_(), "whether the next category is recommended in this way"),
        Column(
            "customers", pa.int64(), "those who added a category within the churn horizon, once "
            "per day from which it was looked ahead",
        ),
        Column(
            "hit_rate", pa.float64(), "the share of them who added a recommended one", decimals=4
        ),
        Column("hit_rate_low", pa.float64(), "lower end of its 95 % interval", decimals=4),
        Column("hit_rate_high", pa.float64(), "upper end", decimals=4),
        Column(
            "gain", pa.float64(), "hit rate minus that of the better popularity, same customers",
            null="it is the better popularity", decimals=4,
        ),
        Column(
            "gain_low", pa.float64(), "lower end of its paired 95 % interval", null="likewise",
            decimals=4,
        ),
        Column("gain_high", pa.float64(), "upper end", null="likewise", decimals=4),
    ),
)  # fmt: skip

TITLE = "How well the next category was recommended"


def next_category_evidence(book: Book, learnt: CrossSelling | str | None = None) -> Figure:
    """How often each way to recommend was right, looking ahead from days in the history.

    Args:
        book: The portfolio.
        learnt: What `cross_selling` says of it, where that is at hand.
    """
    learnt = cross_selling(book) if learnt is None else learnt
    if isinstance(learnt, str):
        return absent(NEXT_CATEGORY_EVIDENCE, TITLE, learnt)
    choice = learnt.choice
    if not choice.judged:
        why = (
            f"fewer than {FEWEST_ADDERS} customers added a category within "
            f"{learnt.horizon_days} days of a day in the history: too few to judge by"
        )
        return absent(NEXT_CATEGORY_EVIDENCE, TITLE, why)
    columns = {
        "method": [each.method for each in choice.judged],
        "recommended": [each.k for each in choice.judged],
        "is_used": [each.method == choice.method for each in choice.judged],
        **{
            name: [getattr(each, name) for each in choice.judged]
            for name in NEXT_CATEGORY_EVIDENCE.names[4:]
        },
    }
    days = ", ".join(str(to_date(day)) for day in choice.cutoffs)
    note = (
        f"looked ahead {learnt.horizon_days} days from {days}; each judged by what was known then"
    )
    return present(NEXT_CATEGORY_EVIDENCE, TITLE, columns, as_of=book.as_of, notes=[note])
