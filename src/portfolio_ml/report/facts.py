"""Everything the page says, frozen: plain values, none of them computed again by the page."""

from dataclasses import dataclass
from datetime import date, datetime

from portfolio_ml import stored
from portfolio_ml.report.champion_facts import ChampionFacts
from portfolio_ml.report.customers import Abstention, Attention, Group, Headline, Profile
from portfolio_ml.report.drift_facts import DriftFacts
from portfolio_ml.report.evidence import ModelFacts
from portfolio_ml.report.people import People
from portfolio_ml.report.portfolio_facts import PortfolioFacts
from portfolio_ml.report.today import Today
from portfolio_ml.schema import Measure


@dataclass(frozen=True, slots=True)
class Refused:
    """How many rows broke a rule."""

    rule: str
    column: str
    rows: int


@dataclass(frozen=True, slots=True)
class HistoryFacts:
    """The history the scores rest on: rows read = kept + quarantined.

    Attributes:
        first_day: The first day with a kept row.
        last_day: The last one.
        kept: Rows kept.
        quarantined: Rows refused.
        refused: The refused rows by rule, most first.
        is_simulated: Whether it is a built-in data set that was simulated.
    """

    first_day: date
    last_day: date
    kept: int
    quarantined: int
    refused: tuple[Refused, ...]
    is_simulated: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate said of a target's model, and why."""

    target: str
    is_promoted: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where the figures come from.

    Attributes:
        model_versions: Target and registered version.
        features_hash: The digest of the feature definitions; None without rows.
        run_id: The scoring run; None without rows.
        scored_at: When it ran; None without rows.
        tracking: The tracking server or database, as it may be shown.
        package_version: The version of this package.
        made_at: When the facts were gathered.
    """

    model_versions: tuple[tuple[str, str], ...]
    features_hash: str | None
    run_id: str | None
    scored_at: datetime | None
    tracking: str
    package_version: str
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Then:
    """The portfolio on the day that it is compared with, seen by the models of now.

    Attributes:
        as_of: That day.
        headline: The same numbers of then; what was expected and at risk, by the same models.
    """

    as_of: date
    headline: Headline


@dataclass(frozen=True, slots=True)
class Facts:
    """The page before it has pixels; money in currency units.

    Attributes:
        name: The portfolio's name.
        currency: Its currency; empty where unknown.
        as_of: History up to and including this day was used.
        churn_days: The churn horizon.
        value_days: The value horizon.
        learned_value_days: The one that the value model learnt; shorter where it is extended.
        pace_ahead: The pace of purchases within the value horizon, in that of an average day;
            None where the value model knows no season.
        coverage: The nominal coverage of value intervals.
        measure: What value is.
        new_days: Up to which tenure an active customer is new.
        history: The rows that were read.
        headline: The portfolio in five numbers.
        attention: The active customers of the highest value at risk.
        segments: The portfolio by segment.
        segment_profiles: What is usual among the customers of each segment.
        lifecycle_stages: The portfolio by lifecycle stage.
        value_tiers: The portfolio by value tier.
        abstentions: What scores rest on where no trained model stands behind them.
        models: How the models did at past cutoffs; those without a judgement are absent.
        verdicts: What the gate said; absent where it was not asked.
        lineage: Where the figures come from.
        then: The day that the portfolio is compared with; None where the history begins later.
        today: The daily list in short.
        people: The customers worth attention.
        portfolio: The portfolio's own figures.
        drift: Whether what the models see is still what they learnt from.
        champions: The models in force, in short.

    The last six are None where the portfolio's figures were not computed: `score` tells of its
    rows alone.
    """

    name: str
    currency: str
    as_of: date
    churn_days: int
    value_days: int
    learned_value_days: int
    pace_ahead: float | None
    coverage: float
    measure: Measure
    new_days: int
    history: HistoryFacts
    headline: Headline
    attention: tuple[Attention, ...]
    segments: tuple[Group, ...]
    segment_profiles: tuple[Profile, ...]
    lifecycle_stages: tuple[Group, ...]
    value_tiers: tuple[Group, ...]
    abstentions: tuple[Abstention, ...]
    models: tuple[ModelFacts, ...]
    verdicts: tuple[Verdict, ...]
    lineage: Lineage
    then: Then | None = None
    today: Today | None = None
    people: People | None = None
    portfolio: PortfolioFacts | None = None
    drift: DriftFacts | None = None
    champions: tuple[ChampionFacts, ...] | None = None

    def to_json(self) -> bytes:
        """The facts as JSON; dates are ISO 8601, what is undefined is null."""
        return stored.to_json(self)

    @classmethod
    def from_json(cls, text: bytes) -> "Facts":
        """The facts that `to_json` wrote.

        Raises:
            DataError: It did not write this.
        """
        return stored.from_json(
            cls,
            text,
            what="the facts of a report",
            do="write them anew, with portfolio-ml report",
        )
