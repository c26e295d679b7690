"""Reasons in how we are in touch with a customer, what is known of one, and own features."""

import numpy as np

from portfolio_ml.models.reasons.reason import Reason, Telling

LESS_OFTEN = 0.67
OTHER = "OWN_FEATURE"

RELATIONS: tuple[Reason, ...] = (
    Reason(
        code="ENGAGEMENT_FADING",
        features=(r"(?:(\w+)_)?interactions_\d+d", r"last_(?:(\w+)_)?interactions_days"),
        tellings=(
            Telling(
                "interactions within a year, but fewer in the last 90 days than on average",
                lambda f: (
                    (f["*_interactions_365d"] >= 2)
                    & (f["*_interactions_90d"] * 4 <= LESS_OFTEN * f["*_interactions_365d"])
                ),
                "{*_interactions_90d:number} of the last year's {*_interactions_365d:number} "
                "{subject} interactions were in the last 90 days",
            ),
            Telling(
                "no interaction for 180 days, after earlier ones",
                lambda f: f["last_*_interactions_days"] >= 180,
                "no {subject} interaction for {last_*_interactions_days:day}",
            ),
        ),
        otherwise=("ENGAGEMENT_RISING",),
    ),
    Reason(
        code="ENGAGEMENT_RISING",
        tellings=(
            Telling(
                "more interactions in the last 90 days than on average within the year",
                lambda f: (
                    (f["*_interactions_90d"] >= 2)
                    & (f["*_interactions_90d"] * 4 > f["*_interactions_365d"])
                ),
                "{*_interactions_90d:number} of the last year's {*_interactions_365d:number} "
                "{subject} interactions were in the last 90 days",
            ),
        ),
    ),
    Reason(
        code="INTERACTION_VALUE",
        features=(r"(\w+)_value_(?:365d|change)",),
        beside=("*_interactions_365d", "*s_365d"),
        tellings=(
            Telling(
                "lower values, such as satisfaction, in the last 180 days than before",
                lambda f: f["*_value_change"] < 0,
                "the mean {subject} value changed by {*_value_change:number} in the last 180 days",
            ),
            Telling(
                "a value within a year",
                lambda f: ~np.isnan(f["*_value_365d"]),
                "the mean {subject} value of the last year is {*_value_365d:number}, which raises "
                "the risk",
            ),
        ),
    ),
    Reason(
        code="NOT_CONTACTED",
        features=(r"contacts_\d+d", "last_contacts_days"),
        tellings=(
            Telling(
                "contacted by us, but not for 90 days",
                lambda f: f["last_contacts_days"] >= 90,
                "not contacted by us for {last_contacts_days:day}",
            ),
            Telling(
                "never contacted by us",
                lambda f: np.isnan(f["last_contacts_days"]) & (f["contacts_365d"] == 0),
                "never contacted by us",
            ),
        ),
        otherwise=("CONTACTED_OFTEN",),
    ),
    Reason(
        code="CONTACTED_OFTEN",
        tellings=(
            Telling(
                "contacted at least three times in the last 90 days",
                lambda f: f["contacts_90d"] >= 3,
                "contacted {contacts_90d:time} by us in the last 90 days",
            ),
        ),
    ),
    Reason(
        code="CONTRACT_ENDING",
        features=("contract_days_left",),
        tellings=(
            Telling(
                "a contract that ends within 180 days",
                lambda f: (f["contract_days_left"] >= 0) & (f["contract_days_left"] <= 180),
                "the contract ends in {contract_days_left:day}",
            ),
            Telling(
                "a contract that has ended",
                lambda f: f["contract_days_left"] < 0,
                "the contract ended {contract_days_left:day} ago",
            ),
        ),
    ),
    Reason(
        code="PROFILE",
        features=(
            "(days_to_birthday)",
            "(income|service_cost)(?:_change_365d)?",
            r"(\w+)_(?:known_share|changed_365d)",
        ),
        tellings=(
            Telling(
                "another value than a year ago",
                lambda f: f["*_changed_365d"] == 1,
                "the {subject} changed within the last year",
            ),
            Telling(
                "a number 5 % lower than a year ago",
                lambda f: f["*_change_365d"] <= -0.05,
                "the {subject} fell by {*_change_365d:less} within the last year",
            ),
            Telling(
                "a known value, which the model finds more often among those who leave",
                lambda f: ~np.isnan(f["*_known_share"]),
                "by the model, customers of such a {subject} leave more often",
            ),
            Telling(
                "a known number, which the model finds more often among those who leave",
                lambda f: ~np.isnan(f["*"]),
                "the {subject} is {*:number}, which raises the risk",
            ),
        ),
    ),
    Reason(
        code=OTHER,
        features=(r"(\w+)",),
        tellings=(
            Telling(
                "a value of a feature of your own, which the model finds more often among those "
                "who leave",
                lambda f: ~np.isnan(f["*"]),
                "the {subject} is {*:number}, which raises the risk",
            ),
        ),
    ),
)
