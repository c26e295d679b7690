"""What the figures of a simulated portfolio say, beside what was planted in it.

The figures are computed as the command computes them, from the tables alone. Scores are a plain
stand-in for champions: what a customer's ticket and rhythm so far come to within the horizon.
"""

import tempfile
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from numpy.typing import NDArray
from tests.books import book_of_opened, scores_of

from portfolio_ml.config import settings_from
from portfolio_ml.datasets.b2b import B2B, Truth, World, simulate
from portfolio_ml.opening import opened
from portfolio_ml.portfolio.book import SCORES, Book
from portfolio_ml.portfolio.catalogue import figures
from portfolio_ml.schema import MONEY_SCALE

HORIZON_DAYS = 90
NAMES = (
    "pre_churn_signs", "pre_churn_quality", "potential", "response", "winback", "leaving_reasons",
    "release", "advocates", "next_category_evidence", "cross_sell_pairs", "reorders",
    "representatives_by_section", "matches", "prospect_fit", "goals",
)  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """A simulated portfolio as its figures show it, and as it is.

    Attributes:
        world: Its parameters.
        figures: Each one's rows, by name; without rows where it is absent.
        absent: Why a figure is absent, by name.
        truth: What was planted.
        accounts: The truth of the accounts in the stock, in its order, with `is_active`,
            `tenure_days` as the stock has them.
        contacts: The contacts as the business knows them.
        activity_days: The activity window.
    """

    world: World
    figures: dict[str, pd.DataFrame]
    absent: dict[str, str]
    truth: Truth
    accounts: pd.DataFrame
    contacts: pd.DataFrame
    activity_days: int

    def lists(self, name: str) -> NDArray[np.bool_]:
        """Who of the accounts is in a figure, by place."""
        return np.asarray(self.accounts.index.isin(self.figures[name]["customer_id"]))


@cache
def seen(world: World) -> Seen:
    """The figures of a world; computed once."""
    simulated = simulate(world)
    with tempfile.TemporaryDirectory() as folder:
        config = yaml.safe_load(B2B.config)
        for name, table in simulated.tables.items():
            pq.write_table(table, Path(folder) / f"{name}.parquet")
            config["data"][name]["source"] = f"{name}.parquet"
        settings = settings_from(config | {"engine": {"threads": 1}}, base=Path(folder))
        day = world.last_day
        with opened(settings, today=day, as_of=day, say=lambda _: None) as portfolio:
            book = _scored(book_of_opened(portfolio))
            found = figures(book, NAMES)
    accounts = simulated.truth.accounts.to_pandas().set_index("customer_id")
    accounts = accounts.reindex(book.now.rows["customer_id"].to_pylist())
    return Seen(
        world=world,
        figures={figure.name: figure.rows.to_pandas() for figure in found},
        absent={figure.name: figure.absent for figure in found if figure.absent},
        truth=simulated.truth,
        accounts=accounts.assign(
            is_active=book.now.is_active, tenure_days=book.now.column("tenure_days")
        ),
        contacts=simulated.tables["contacts"].to_pandas(),
        activity_days=book.frozen.activity_days,
    )


def _scored(book: Book) -> Book:
    return replace(book, now=book.now.with_scores(_stand_in(book), SCORES), has_scores=True)


def _stand_in(book: Book) -> pa.Table:
    """What models would give, of the customers' own past: ticket x purchases of a horizon."""
    stock = book.now
    revenue = stock.money("revenue_ever") / MONEY_SCALE
    ticket = np.maximum(revenue / stock.column("purchase_days"), 0)
    value = ticket * np.maximum(HORIZON_DAYS / np.maximum(stock.column("typical_gap_days"), 1), 1)
    late = stock.column("recency_days") / np.maximum(stock.column("typical_gap_days"), 1)
    p_churn = np.clip(late / 8, 0.02, 0.9)
    return scores_of(
        {
            "customer_id": customer,
            "value_if_buys": float(worth),
            "p_churn": float(p) if active else None,
            "p_return": None if active else 0.05,
            "value_at_risk": float(p * worth) if active else None,
        }
        for customer, worth, p, active in zip(
            stock.texts("customer_id"), value, p_churn, stock.is_active, strict=True
        )
    )
