"""The sections of the config on what is predicted, and who counts as active."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from portfolio_ml.config.section import Count, Number, Section, Whole
from portfolio_ml.schema import Measure


class Activity(Section):
    """When a customer counts as active.

    Attributes:
        window_days: A customer is active who bought within so many days; `auto` takes them from the
            time to the next purchase day.
    """

    window_days: Count | Literal["auto"] = "auto"


class Lifecycle(Section):
    """How an active customer's stage follows from its tenure, for display alone.

    Attributes:
        new_days: Up to so many days after the first purchase a customer is *new*.
        mature_days: After so many days a customer is *mature*, and *developing* in between.
        declining_below: Who is mature and whose `spend_trend` lies below is a *veteran*; the
            spend of the last 365 days / that of the 365 before, minus 1.
    """

    new_days: Count = 365
    mature_days: Count = 730
    declining_below: Annotated[Number, Field(ge=-1, allow_inf_nan=False)] = -0.25

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        if self.new_days >= self.mature_days:
            raise ValueError("new_days must be below mature_days: between them lies developing")
        return self


class Churn(Section):
    """No purchase within the horizon.

    Attributes:
        horizon_days: How many days after the as-of date are looked at.
    """

    horizon_days: Count = 90


class LifetimeValue(Section):
    """Net spend, or margin, within the horizon, with an interval of the given coverage.

    Attributes:
        horizon_days: How many days after the as-of date are looked at.
        measure: What value is: `revenue` is net spend, and `margin` what is left of it after the
            cost of the goods; margin needs the column `cost` of the transactions.
        coverage: The share of customers whose value should lie within the interval.
    """

    horizon_days: Count = 90
    measure: Measure = "revenue"
    coverage: Number = Field(default=0.8, gt=0.5, lt=1)


class Segments(Section):
    """How many segments; `auto` chooses by stability and separation.

    Attributes:
        count: How many, or `auto`.
    """

    count: Annotated[Whole, Field(ge=2, le=20)] | Literal["auto"] = "auto"


class Targets(Section):
    """What is predicted.

    Attributes:
        churn: Who will not buy again within the horizon.
        lifetime_value: What each customer will spend within the horizon.
        segments: Which customers are alike.
    """

    churn: Churn = Churn()
    lifetime_value: LifetimeValue = LifetimeValue()
    segments: Segments = Segments()
