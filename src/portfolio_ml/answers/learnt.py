"""What a backtest, a search and a training found."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import date
from typing import Any

import pandas as pd

from portfolio_ml.acting import Advice
from portfolio_ml.answers.shown import Shown, dated
from portfolio_ml.display import SmallTable
from portfolio_ml.errors import ConfigError
from portfolio_ml.gate import Decision
from portfolio_ml.judgement import Judgement, Score, Supervised
from portfolio_ml.pipeline import TrainingResult, Tuned
from portfolio_ml.report.charts import drawing, models
from portfolio_ml.report.evidence import model_facts
from portfolio_ml.results import (
    acting_table,
    gate_table,
    judgement_table,
    tuned_table,
    tuned_yaml,
)
from portfolio_ml.timeline import to_date


class Judged(Shown):
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
        names = [each.name for each in fields(Score)]
        return dated(pd.DataFrame(found, columns=["target", *names]))

    def gains(self) -> pd.DataFrame:
        """What the winner gains over every other model, with its 90 % bootstrap interval.

        The columns are target, winner, metric, opponent, estimate, low, high.
        """
        found = [
            (target, judged.winner, metric, opponent, gain.estimate, gain.low, gain.high)
            for target, judged in self.judgements.items()
            for metric, gains in judged.gains.items()
            for opponent, gain in gains.items()
        ]
        names = ["target", "winner", "metric", "opponent", "estimate", "low", "high"]
        return pd.DataFrame(found, columns=names)

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
        return dated(pd.DataFrame(columns))

    def curve(self, target: Supervised, name: str) -> pd.DataFrame:
        """The points of one of the charts: calibration, gains or profit of churn, deciles of value.

        Raises:
            ConfigError: There is no such curve.
        """
        judged = self._judgement(target)
        curves = dict(judged.curves)
        if judged.acting is not None:
            curves["profit"] = models.profit_points(judged.acting)
        if name not in curves:
            raise ConfigError(
                f"{target} has no curve {name!r}", do=f"choose one of {', '.join(curves)}"
            )
        return pd.DataFrame(curves[name])

    def charts(self, target: Supervised = "churn") -> dict[str, drawing.Chart]:
        """The charts of a target by name, for `portfolio_ml.picture`.

        Raises:
            ConfigError: The target was not judged.
        """
        return models.drawn(model_facts(self._judgement(target).to_dict()))

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
class BacktestResult(Judged):
    """The judgement of each supervised target; shows itself as a table."""

    judged: Mapping[Supervised, Judgement]

    @property
    def judgements(self) -> Mapping[Supervised, Judgement]:
        """The judgement of each supervised target."""
        return self.judged

    def _tables(self) -> list[SmallTable]:
        return self._judgement_tables()


@dataclass(frozen=True, slots=True, repr=False)
class TuneResult(Shown):
    """What the search found per target; shows what the best trials gain over the defaults."""

    found: tuple[Tuned, ...]

    @property
    def yaml(self) -> str:
        """What belongs into the config."""
        return tuned_yaml(self.found)

    def _tables(self) -> list[SmallTable]:
        return [tuned_table(self.found)]


@dataclass(frozen=True, slots=True, repr=False)
class TrainResult(Judged):
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
