"""What was read, scored, reckoned and watched."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import narwhals as nw
import pandas as pd

from portfolio_ml.answers.shown import FIRST_ROWS, PAGE_WIDTH, Shown, Table
from portfolio_ml.display import SmallTable
from portfolio_ml.errors import ConfigError, nearest
from portfolio_ml.figure_tables import figure_tables
from portfolio_ml.monitoring.verdict import Monitoring
from portfolio_ml.opening import Validation
from portfolio_ml.reckoned import Reckoned
from portfolio_ml.report.facts import Facts
from portfolio_ml.results import (
    contacts_table,
    deliveries_table,
    drift_table,
    matured_table,
    refused_by_rule,
    rows_table,
    verdict_table,
)
from portfolio_ml.sinks.receipts import Receipt
from portfolio_ml.timeline import to_date
from portfolio_ml.wording import counted

_SHOWN = (
    "customer_id",
    "is_active",
    "lifecycle_stage",
    "value_tier",
    "p_churn",
    "p_return",
    "ltv",
    "segment_name",
)


@dataclass(frozen=True, slots=True, repr=False)
class MonitorResult(Shown):
    """What a monitoring saw and says; shows the verdict, what drifted, and what matured."""

    seen: Monitoring

    @property
    def verdict(self) -> str:
        """`keep`, `watch` or `retrain`."""
        return self.seen.verdict.level

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why, in sentences."""
        return self.seen.verdict.reasons

    def _tables(self) -> list[SmallTable]:
        tables = [verdict_table(self.seen)]
        if self.seen.drifts:
            tables.append(drift_table(self.seen))
        if self.seen.matured:
            tables.append(matured_table(self.seen))
        if self.seen.contacts:
            tables.append(contacts_table(self.seen))
        return tables


@dataclass(frozen=True, slots=True, repr=False)
class ScoreResult(Shown):
    """The customer rows and what became of them; shows the receipts and the first rows.

    Attributes:
        rows: One row per customer, as in `schema.CUSTOMER_ROWS`; None where Spark scored: nobody
            holds them all, and they are read where they were delivered.
        receipts: What became of them, per delivery.
        facts: What the report says of them.
        note: What to know when reading them; None where there is nothing.
    """

    rows: Table
    receipts: tuple[Receipt, ...]
    facts: Facts
    note: str | None = None

    def attention(self) -> pd.DataFrame:
        """The active customers with most value at risk, with their reasons as sentences."""
        return pd.DataFrame([asdict(each) for each in self.facts.attention])

    def segments(self) -> pd.DataFrame:
        """Each segment: how many customers, what is usual among them, what they are worth."""
        profiles = pd.DataFrame([asdict(each) for each in self.facts.segment_profiles])
        groups = pd.DataFrame([asdict(each) for each in self.facts.segments])
        return profiles.merge(groups.drop(columns="customers"), on="name", how="left")

    def _tables(self) -> list[SmallTable]:
        if self.rows is None:
            return [deliveries_table(self.receipts)]
        frame = nw.from_native(self.rows, eager_only=True)
        first = frame.select(_SHOWN).head(FIRST_ROWS).rows(named=True)
        caption = f"{counted(len(frame), 'customer')}, of whom the first, in some columns"
        return [
            deliveries_table(self.receipts),
            rows_table(f"{caption} ({self.note})" if self.note else caption, first),
        ]


@dataclass(frozen=True, slots=True, repr=False)
class PortfolioResult(Shown):
    """The portfolio's own figures; shows the first rows of each.

    Attributes:
        found: The figures.
        receipts: What became of them where they were delivered.
    """

    found: Reckoned
    receipts: tuple[Receipt, ...]

    def __getitem__(self, name: str) -> pd.DataFrame:
        """The rows of a figure; none where it is absent.

        Raises:
            ConfigError: There is no such figure, or it was not asked for.
        """
        figures = {each.name: each for each in self.found.figures}
        if name not in figures:
            guess = nearest(name, figures)
            raise ConfigError(
                f"there is no figure {name!r} here",
                do=f"did you mean {guess!r}?" if guess else f"choose one of {', '.join(figures)}",
            )
        return pd.DataFrame(figures[name].rows.to_pandas())

    @property
    def absent(self) -> Mapping[str, str]:
        """Why figures are absent, by name."""
        return {each.name: each.absent for each in self.found.figures if each.absent}

    @property
    def notes(self) -> Mapping[str, Sequence[str]]:
        """What is to be known of a figure, by name."""
        return {each.name: each.notes for each in self.found.figures if each.notes}

    def _tables(self) -> list[SmallTable]:
        return [
            table
            for figure in self.found.present
            for table in figure_tables(figure, rows=FIRST_ROWS, width=PAGE_WIDTH)
        ]


@dataclass(frozen=True, slots=True, repr=False)
class ValidationResult(Shown):
    """What a validation kept and refused; shows the counts, and an example of each broken rule."""

    checked: Validation

    @property
    def quarantine(self) -> pd.DataFrame:
        """The refused rows, with their source, row_number, rule, column and value."""
        return pd.DataFrame(self.checked.tables.quarantine.to_pandas())

    def _tables(self) -> list[SmallTable]:
        history = self.checked.history
        counts: list[list[object]] = [
            ["read", f"{history.kept + history.quarantined:,}"],
            ["kept", f"{history.kept:,}"],
            ["quarantined", f"{history.quarantined:,}"],
            ["repeated, and kept", f"{self.checked.repeated:,}"],
            ["first day", to_date(history.span.first_day)],
            ["last day", to_date(history.span.last_day)],
        ]
        broken = refused_by_rule(history.quarantine)
        return [SmallTable.of("Transactions", ["", "rows"], [*counts, *map(list, broken.items())])]
