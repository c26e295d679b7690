"""The sections of the config on what is told of customers, and what acting on it is worth."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from portfolio_ml.config.section import Count, Number, Section, Whole


class Acting(Section):
    """What a contact costs and brings, from which the backtest advises whom to act on.

    Attributes:
        contact_cost: What one contact costs, offers included, in the currency of the amounts.
        success_rate: The share of customers about to leave whom a contact keeps.
        margin_share: The share of spend that is left after costs; 1 where value is margin already.
        capacity: How many customers can be contacted in one campaign, at most.
    """

    contact_cost: Number = Field(ge=0, allow_inf_nan=False)
    success_rate: Number = Field(gt=0, le=1)
    margin_share: Number = Field(default=1.0, gt=0, le=1)
    capacity: Count | None = None


class Bands(Section):
    """Where a churn probability is called low, medium or high.

    A customer keeps the band of the last delivery until the probability has passed its edge by
    `margin`, so that who stands on an edge does not change bands every night.

    Attributes:
        medium: From this probability on it is medium.
        high: From this probability on it is high.
        margin: How far beyond an edge the probability must lie for the band to change.
    """

    medium: Number = Field(default=0.4, gt=0, lt=1)
    high: Number = Field(default=0.7, gt=0, lt=1)
    margin: Number = Field(default=0.03, ge=0, lt=0.5)

    @model_validator(mode="after")
    def _ascends(self) -> Self:
        if self.medium >= self.high:
            raise ValueError("medium must lie below high")
        return self


class Scoring(Section):
    """What the scores tell.

    Attributes:
        reasons: How many churn reasons a customer gets, at most; 0 for none.
        bands: Where a churn probability is called low, medium or high.
        portfolio: Whether the rows tell what the portfolio's figures say of each customer:
            potential, win-back, next category, best representative, place on the daily list. These
            look at everybody, so that `score --customers` scores everybody, too; and the night
            takes longer.
        bundle: A folder with exported models, to score with instead of the registry's.
        bundle_digest: The digest that `models export` printed for that folder.
    """

    reasons: Annotated[Whole, Field(ge=0, le=10)] = 3
    bands: Bands = Bands()
    portfolio: bool = True
    bundle: Path | None = None
    bundle_digest: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")

    @model_validator(mode="after")
    def _is_trusted_by_digest(self) -> Self:
        if (self.bundle is None) != (self.bundle_digest is None):
            raise ValueError("bundle and bundle_digest go together")
        return self


class Report(Section):
    """The page on customers and models.

    Attributes:
        path: The HTML file; its facts are written beside it, as JSON.
        customers: How many of the customers worth attention are on it one by one: the first by
            their place on the daily list, then by what is at stake.
    """

    path: Path = Path("report.html")
    customers: Annotated[Whole, Field(ge=0, le=20_000)] = 2_000
