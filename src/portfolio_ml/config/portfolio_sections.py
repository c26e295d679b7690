"""What the portfolio's own figures are told: sections, terms, goals, the daily list, loyalty."""

from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from portfolio_ml.config.section import Count, Number, Section, Url
from portfolio_ml.schema import ATTRIBUTE

SectionName = Annotated[str, Field(pattern=ATTRIBUTE.pattern)]
"""An attribute of the customers, or one of what the package says of them."""
Share = Annotated[Number, Field(ge=0, le=1)]


class Terms(Section):
    """What holds for the customers of one section; it comes with each of their rows.

    Attributes:
        payment_term: Such as `30 days net`.
        delivery_term: Such as `within 24 hours`.
        contact_policy: Such as `visit every quarter`.
    """

    payment_term: str | None = None
    delivery_term: str | None = None
    contact_policy: str | None = None


class Response(Section):
    """What a contact costs, and how much likelier it makes a customer's return.

    Attributes:
        contact_cost: What one contact costs, offers included, in the currency of the amounts.
        uplift: By how much a contact raises the chance that an inactive customer returns within
            the churn horizon. Without it, it is measured from contacts with held-out customers,
            and unknown where there are none.
    """

    contact_cost: Number = Field(default=0.0, ge=0, allow_inf_nan=False)
    uplift: Annotated[Number, Field(gt=0, le=1)] | None = None


class Satisfaction(Section):
    """Which interactions tell how customers feel.

    Attributes:
        kinds: The kinds of interactions whose value tells satisfaction, more being better. Without
            it, those whose name says so, such as `survey`, `rating` or `nps`; and to the figures
            `touches` and `engagement`, those whose values lie on a scale of 1 to 5 or 0 to 10.
        complaints: The kinds that are complaints; without it, those whose name says so.
        satisfied_from: The mean value from which on a customer is satisfied. Without it, 4 where
            values lie between 0 and 5, otherwise what a quarter of the customers exceeds.
    """

    kinds: tuple[str, ...] | None = None
    complaints: tuple[str, ...] | None = None
    satisfied_from: Annotated[Number, Field(allow_inf_nan=False)] | None = None


class Representatives(Section):
    """How representatives are compared and matched with customers.

    Attributes:
        section: The attribute by which customers are told apart.
        workload: How many customers one representative looks after, at most; without it, as many
            as the one who looks after the most of them does today. Where all together could not
            look after everyone, it is raised until they can.
        fewest_deals: A representative's results in a section are called thin below so many
            decided opportunities (or customers, where no opportunities are known), and no match
            rests on them alone.
    """

    section: SectionName = "segment"
    workload: Count | None = None
    fewest_deals: Count = 10


class Goal(Section):
    """Something to be reached by a date.

    Attributes:
        figure: `customers` counts the active ones, `average_ticket` is revenue per order over the
            last year, and `revenue_share` the share of it that a section brings.
        target: What it is to be: a number, currency units, or a share from 0 to 1.
        by: The last day on which it may be reached.
        since: The day from which the pace is told; without it, a year before `by`.
        section: The attribute that tells the section, such as `region`.
        value: The section's value of it, such as `North`.
    """

    figure: Literal["customers", "average_ticket", "revenue_share"]
    target: Annotated[Number, Field(gt=0, allow_inf_nan=False)]
    by: date
    since: date | None = None
    section: SectionName | None = None
    value: str | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.section is None) != (self.value is None):
            raise ValueError("section and value go together, as in section: region, value: North")
        if self.figure == "revenue_share" and self.section is None:
            raise ValueError("revenue_share needs section and value: whose share it is")
        if self.figure == "revenue_share" and self.target > 1:
            raise ValueError("a share lies between 0 and 1, such as 0.25 for a quarter")
        if self.since is not None and self.since >= self.by:
            raise ValueError("since must lie before by")
        return self


class DailyList(Section):
    """Whom to contact today.

    Attributes:
        contacts: How many contacts one representative can make a day; without representatives,
            how many all of them can.
        cool_down_days: A customer who was contacted is not on the list for so many days.
        key_date_days: A birthday or another key date is on the list so many days ahead, at most.
        holdout: The share of the listed who are to be left alone, so that `monitor` can tell what
            the contacts bring.
    """

    contacts: Count = 10
    cool_down_days: Count = 14
    key_date_days: Count = 7
    holdout: Annotated[Number, Field(ge=0, le=0.5)] = 0.0


class Loyalty(Section):
    """How points are earned, where no table of points tells what they are worth.

    Attributes:
        points_per_unit: Points for one currency unit of net spend; without it, only what the
            table of points says counts.
        section: The attribute by which multipliers differ.
        multipliers: Times how many points a section's customers earn.
        expire_days: So many days after they were earned points count for the last time; without
            it, they never expire.
        value_per_point: What a point is worth to its holder, in currency units.
        tiers: The points that were earned within a year from which on a tier is reached, such as
            `{silver: 500, gold: 2000}`.
    """

    points_per_unit: Annotated[Number, Field(gt=0, allow_inf_nan=False)] | None = None
    section: SectionName | None = None
    multipliers: dict[str, Annotated[Number, Field(ge=0, allow_inf_nan=False)]] = Field(default={})
    expire_days: Count | None = None
    value_per_point: Annotated[Number, Field(gt=0, allow_inf_nan=False)] = 0.01
    tiers: dict[str, Annotated[Number, Field(gt=0, allow_inf_nan=False)]] = Field(default={})

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.multipliers and self.section is None:
            raise ValueError("multipliers need section: the attribute by which they differ")
        if len({*self.tiers.values()}) < len(self.tiers):
            raise ValueError("two tiers begin at the same points")
        return self


class FiguresInSql(Section):
    """A table per figure in a SQL database, and beside each what it was, as `..._history`.

    Attributes:
        kind: Which kind of target it is.
        url: The database, such as `postgresql://crm:${CRM_PASSWORD}@db/crm`.
        prefix: What the tables' names begin with; a schema may stand before it, as in
            `reports.portfolio_`.
    """

    kind: Literal["sql"]
    url: Url
    prefix: str = Field(default="portfolio_", pattern=r"^([^.]+\.)?[A-Za-z_][A-Za-z0-9_]*$")


class FiguresInParquet(Section):
    """A folder with a Parquet file per figure.

    Attributes:
        kind: Which kind of target it is.
        path: The folder, made where it is missing.
        partitioned: Whether each figure is a folder that keeps every date, as
            `sections/as_of=2024-06-30/`.
    """

    kind: Literal["parquet"]
    path: Path
    partitioned: bool = False


FiguresTarget = Annotated[FiguresInSql | FiguresInParquet, Field(discriminator="kind")]


class Portfolio(Section):
    """The portfolio's own figures.

    Attributes:
        compare_days: How many days before the as-of date the portfolio is compared with.
        sections: By what customers are told apart: an attribute, `value_tier`,
            `lifecycle_stage` or `segment_name`; a list of several crosses them. Without it, by
            each of these and of region, segment and relationship_type that there are.
        terms: What holds for the customers of a section, by attribute and value.
        response: What a contact costs and brings.
        satisfaction: Which interactions tell how customers feel.
        representatives: How representatives are compared and matched.
        goals: What is to be reached.
        daily_list: Whom to contact today.
        loyalty: How points are earned; without it and a table of points, there is no programme.
        delivery: Where the command `portfolio` writes the figures to; without it, nowhere.
    """

    compare_days: Count = 365
    sections: tuple[SectionName | tuple[SectionName, ...], ...] | None = None
    terms: dict[SectionName, dict[str, Terms]] = Field(default={})
    response: Response = Response()
    satisfaction: Satisfaction = Satisfaction()
    representatives: Representatives = Representatives()
    goals: tuple[Goal, ...] = ()
    daily_list: DailyList = DailyList()
    loyalty: Loyalty | None = None
    delivery: tuple[FiguresTarget, ...] = ()
