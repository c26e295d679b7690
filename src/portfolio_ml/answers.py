"""What the package answers from Python: results that show themselves, as tables and as pictures."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import narwhals as nw
import pandas as pd

from portfolio_ml.acting import Advice
from portfolio_ml.champions import Succession, all_moves
from portfolio_ml.display import SmallTable
from portfolio_ml.errors import ConfigError
from portfolio_ml.figure_tables import figure_tables
from portfolio_ml.gate import Decision
from portfolio_ml.judgement import Judgement, Supervised
from portfolio_ml.monitoring.verdict import Monitoring
from portfolio_ml.opening import Validation
from portfolio_ml.pipeline import TrainingResult, Tuned
from portfolio_ml.reckoned import Reckoned
from portfolio_ml.registry import Move
from portfolio_ml.report import charts
from portfolio_ml.report.evidence import model_facts
from portfolio_ml.report.facts import Facts
from portfolio_ml.results import (
    acting_table,
    champions_table,
    contacts_table,
    deliveries_table,
    drift_table,
    gate_table,
    judgement_table,
    matured_table,
    moves_table,
    refused_by_rule,
    rows_table,
    tuned_table,
    tuned_yaml,
    verdict_table,
)
from portfolio_ml.sinks.receipts import Receipt
from portfolio_ml.timeline import to_date
from portfolio_ml.wording import counted

Table = Any  # a pandas, Polars or Arrow table, or whatever else Narwhals accepts

FIRST_ROWS = 5
PAGE_WIDTH = 120
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


@dataclass(frozen=True, slots=True)
class Picture:
    """Charts side by side, drawn without network or script wherever they are shown."""

    shown: tuple[charts.Chart, ...]

    def _repr_svg_(self) -> str:
        return charts.to_svg(charts.beside(*self.shown), colours=charts.PAPER)

    def to_png(self) -> bytes:
        """The picture as PNG."""
        return charts.to_png(charts.beside(*self.shown))


class _Shown(ABC):
    """Shows itself as small tables, in a notebook and on a console alike."""

    __slots__ = ()

    @abstractmethod
    def _tables(self) -> list[SmallTable]:
        """What it shows."""

    def __repr__(self) -> str:
        return "\n\n".join(table.to_text() for table in self._tables())

    def _repr_html_(self) -> str:
        return "".join(table.to_html() for table in self._tables())


class _Judged(_Shown):
    """Judgements of the supervised targets, as data frames and as pictures."""

    __slots__ = ()

    @property
    @abstractmethod
    def judgements(self) -> Mapping[Supervised, Judgement]:
        """The judgement of each supervised target."""

    @property
    def acting(self) -> Advice | None:
        """Whom to act on; None where the settings do not say what that costs and brings."""
        return self.judgements["churn"].acting if "churn" in self.judgements else None

    def figures(self) -> pd.DataFrame:
        """Every figure, a row each.

        The columns are target, model, metric, population (`all` or `active` customers), cutoff
        (null: the mean over them), value.
        """
        found = [
            {"target": target, **asdict(score)}
            for target, judged in self.judgements.items()
            for score in judged.scores
        ]
        return _dated(pd.DataFrame(found))

    def gains(self) -> pd.DataFrame:
        """What the winner gains over every other model, with its 90 % bootstrap interval.

        The columns are target, winner, metric, opponent, estimate, low, high.
        """
        return pd.DataFrame(
            {
                "target": target,
                "winner": judged.winner,
                "metric": metric,
                "opponent": opponent,
                "estimate": gain.estimate,
                "low": gain.low,
                "high": gain.high,
            }
            for target, judged in self.judgements.items()
            for metric, gains in judged.gains.items()
            for opponent, gain in gains.items()
        )

    def predictions(self, target: Supervised = "churn") -> pd.DataFrame:
        """What was predicted at the cutoffs and what happened, a row per customer and cutoff.

        The columns are cutoff, customer (a number, the same at every cutoff), is_active, actual,
        one for each candidate and baseline, and for value the winner's `low` and `high`.

        Raises:
            ConfigError: The target was not judged.
        """
        judged = self._judgement(target)
        told = judged.predictions
        columns: dict[str, Any] = {
            "cutoff": [to_date(day) for day in told.cutoff],
            "customer": told.customer,
            "is_active": told.is_active,
            "actual": told.actual,
            **told.candidates,
            **told.baselines,
        }
        if judged.winner in told.intervals:
            columns["low"], columns["high"] = told.intervals[judged.winner].T
        return _dated(pd.DataFrame(columns))

    def curve(self, target: Supervised, name: str) -> pd.DataFrame:
        """The points of one of the charts: calibration, gains or profit of churn, deciles of value.

        Raises:
            ConfigError: There is no such curve.
        """
        judged = self._judgement(target)
        curves = dict(judged.curves)
        if judged.acting is not None:
            curves["profit"] = charts.profit_points(judged.acting)
        if name not in curves:
            raise ConfigError(
                f"{target} has no curve {name!r}", do=f"choose one of {', '.join(curves)}"
            )
        return pd.DataFrame(curves[name])

    def charts(self, target: Supervised = "churn") -> dict[str, charts.Chart]:
        """The charts of a target by name, for `portfolio_ml.picture`.

        Raises:
            ConfigError: The target was not judged.
        """
        return charts.drawn(model_facts(self._judgement(target).to_dict()))

    def _judgement(self, target: Supervised) -> Judgement:
        if target not in self.judgements:
            raise ConfigError(
                f"{target} was not judged", saw=", ".join(self.judgements) or "no judgement"
            )
        return self.judgements[target]

    def _judgement_tables(self) -> list[SmallTable]:
        tables = [judgement_table(judged) for judged in self.judgements.values()]
        advised = acting_table(self.judgements["churn"]) if "churn" in self.judgements else None
        return tables if advised is None else [*tables, advised]


@dataclass(frozen=True, slots=True, repr=False)
class BacktestResult(_Judged):
    """The judgement of each supervised target; shows itself as a table."""

    judged: Mapping[Supervised, Judgement]

    @property
    def judgements(self) -> Mapping[Supervised, Judgement]:
        """The judgement of each supervised target."""
        return self.judged

    def _tables(self) -> list[SmallTable]:
        return self._judgement_tables()


@dataclass(frozen=True, slots=True, repr=False)
class TuneResult(_Shown):
    """What the search found per target; shows what the best trials gain over the defaults."""

    found: tuple[Tuned, ...]

    @property
    def yaml(self) -> str:
        """What belongs into the config."""
        return tuned_yaml(self.found)

    def _tables(self) -> list[SmallTable]:
        return [tuned_table(self.found)]


@dataclass(frozen=True, slots=True, repr=False)
class TrainResult(_Judged):
    """What a training did; shows its judgements, and what the gate decided."""

    result: TrainingResult

    @property
    def as_of(self) -> date:
        """The last day of the history it learnt from."""
        return self.result.as_of

    @property
    def judgements(self) -> Mapping[Supervised, Judgement]:
        """The judgement of each supervised target."""
        return self.result.judgements

    @property
    def decisions(self) -> Mapping[str, Decision]:
        """What the gate decided, per target."""
        return self.result.decisions

    @property
    def versions(self) -> Mapping[str, str]:
        """The registered version, per target."""
        return self.result.versions

    def migration(self) -> pd.DataFrame:
        """Customers by the champion's segments (rows) and the new ones (columns), by segment id.

        Empty where there was no champion, or its segments look at other features.
        """
        found = self.result.migration
        moves = pd.DataFrame(
            [asdict(move) for move in found.moves] if found else [],
            columns=["before_id", "id", "customers"],
        )
        table = moves.pivot_table(
            index="before_id", columns="id", values="customers", aggfunc="sum", fill_value=0
        )
        return table.astype(int)

    def _tables(self) -> list[SmallTable]:
        return [*self._judgement_tables(), gate_table(self.decisions, self.versions)]


@dataclass(frozen=True, slots=True, repr=False)
class MoveResult(_Shown):
    """A promotion or rollback that was carried out."""

    move: Move

    def _tables(self) -> list[SmallTable]:
        return [moves_table([self.move])]


@dataclass(frozen=True, slots=True, repr=False)
class ChampionRecord(_Shown):
    """The versions in use, per target, and every promotion and rollback."""

    successions: tuple[Succession, ...]

    def _tables(self) -> list[SmallTable]:
        return [champions_table(self.successions), moves_table(all_moves(self.successions))]


@dataclass(frozen=True, slots=True, repr=False)
class MonitorResult(_Shown):
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
class ScoreResult(_Shown):
    """The customer rows and what became of them; shows the receipts and the first rows.

    Attributes:
        rows: One row per customer, as in `schema.CUSTOMER_ROWS`.
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
        frame = nw.from_native(self.rows, eager_only=True)
        first = frame.select(_SHOWN).head(FIRST_ROWS).rows(named=True)
        caption = f"{counted(len(frame), 'customer')}, of whom the first, in some columns"
        return [
            deliveries_table(self.receipts),
            rows_table(f"{caption} ({self.note})" if self.note else caption, first),
        ]


@dataclass(frozen=True, slots=True, repr=False)
class PortfolioResult(_Shown):
    """The portfolio's own figures; shows the first rows of each.

    Attributes:
        found: The figures.
        receipts: What became of them where they were delivered.
    """

    found: Reckoned
    receipts: tuple[Receipt, ...]

    def __getitem__(self, name: str) -> pd.DataFrame:
        """The rows of a figure; none where it is absent."""
        [figure] = [each for each in self.found.figures if each.name == name]
        return pd.DataFrame(figure.rows.to_pandas())

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
class ValidationResult(_Shown):
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


def _dated(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(cutoff=pd.to_datetime(frame["cutoff"]))
