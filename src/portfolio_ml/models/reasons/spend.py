"""Reasons in what a customer buys, for how much, and through which channels."""

from portfolio_ml.models.reasons.reason import Reason, Telling

# A smaller fall is noise to an account manager.
FALL = -0.1


def _less_spent(days: int, change: str) -> Telling:
    """Less spent in a window than in the one before it, but not nothing."""
    return Telling(
        f"spent less in the last {days} days than in the {days} before, but not nothing",
        lambda f: (f[f"spend_{days}d"] > 0) & (f[change] <= FALL),
        f"spent {{{change}:less}} less in the last {days} days than in the {days} before",
    )


SPEND: tuple[Reason, ...] = (
    Reason(
        code="SPEND_FALLING",
        features=(
            r"spend_\d+d",
            r"spend_change_\d+d",
            "spend_365_to_730d",
            "spend_slope",
            "spend_trend",
            "margin_365d",
        ),
        tellings=(
            _less_spent(90, "spend_change_90d"),
            _less_spent(180, "spend_change_180d"),
            _less_spent(365, "spend_trend"),
            _less_spent(30, "spend_change_30d"),
        ),
        otherwise=("OVERDUE", "LONG_SILENCE", "LOW_SPEND"),
    ),
    Reason(
        code="TICKET_FALLING",
        features=("recent_ticket", "last_ticket", "ticket_trend", "ticket_slope"),
        tellings=(
            Telling(
                "spends less on the last three purchase days than on those before",
                lambda f: f["ticket_trend"] <= FALL,
                "spends {ticket_trend:less} less on a purchase day than before",
            ),
        ),
        otherwise=("LOW_SPEND",),
    ),
    Reason(
        code="LOW_SPEND",
        features=(
            "spend",
            "net_spend",
            "monetary",
            "rfm_m",
            "ticket",
            "largest_purchase_day",
            "expected_ticket",
            "margin",
        ),
        tellings=(
            Telling(
                "among the 40 % who spend least on a purchase day",
                lambda f: f["rfm_m"] <= 2,
                "spends {monetary:number} on a purchase day, less than most",
            ),
        ),
        otherwise=("FEW_PURCHASES",),
    ),
    Reason(
        code="BASKET_NARROWING",
        features=(
            "lines_change",
            "units_change",
            "categories_365d",
            "category_top_change",
            "categories_dropped",
        ),
        tellings=(
            Telling(
                "bought in some categories within a year, and in others no longer",
                lambda f: (f["categories_365d"] >= 1) & (f["categories_365d"] < f["categories"]),
                "bought in {categories_365d:number} of {categories:number} categories "
                "within the last year",
            ),
            Telling(
                "fewer lines in an order on the last three purchase days than on those before",
                lambda f: f["lines_change"] <= FALL,
                "{lines_change:less} fewer lines in an order than before",
            ),
            Telling(
                "fewer units in an order on the last three purchase days than on those before",
                lambda f: f["units_change"] <= FALL,
                "{units_change:less} fewer units in an order than before",
            ),
            Telling(
                "one category takes more of the last year's spend than of all",
                lambda f: f["category_top_change"] >= 0.05,
                "spend has moved to one category: its share grew by {category_top_change:share} "
                "of spend",
            ),
        ),
        otherwise=("NARROW_BASKET",),
    ),
    Reason(
        code="NARROW_BASKET",
        features=(
            "lines_per_order",
            "units_per_order",
            "products",
            "product_repeat_share",
            "new_product_share",
            "categories",
            "category_entropy",
            "category_top_share",
        ),
        tellings=(
            Telling(
                "at least two purchase days, in one category",
                lambda f: (f["purchase_days"] >= 2) & (f["categories"] == 1),
                "buys in one category only",
            ),
            Telling(
                "at least 70 % of spend in one category",
                lambda f: (f["purchase_days"] >= 2) & (f["category_top_share"] >= 0.7),
                "{category_top_share:share} of spend goes to one category",
            ),
            Telling(
                "at least three purchase days, at most three products",
                lambda f: (f["purchase_days"] >= 3) & (f["products"] <= 3),
                "only {products:product} bought so far",
            ),
            Telling(
                "at least four purchase days, no new product on the last three",
                lambda f: (f["purchase_days"] >= 4) & (f["new_product_share"] == 0),
                "no new product on the last three purchase days",
            ),
        ),
    ),
    Reason(
        code="MANY_RETURNS",
        features=("returned_365d", "return_days", "return_share(?:_365d)?", "last_return_days"),
        tellings=(
            Telling(
                "returned more than 5 % within a year, and more than before",
                lambda f: (
                    (f["return_share_365d"] > 0.05)
                    & (f["return_share_365d"] > f["return_share"] + 0.01)
                ),
                "returns are rising: {return_share_365d:share} of the last year's spend, "
                "{return_share:share} of all",
            ),
            Telling(
                "returned at least 10 %",
                lambda f: f["return_share"] >= 0.1,
                "returned {return_share:share} of spend",
            ),
        ),
    ),
    Reason(
        code="DISCOUNT_DEPENDENT",
        features=("discount_depth(?:_365d|_change)?", "discounted_share"),
        tellings=(
            Telling(
                "at least half of the lines with a discount",
                lambda f: f["discounted_share"] >= 0.5,
                "{discounted_share:share} of lines bought at a discount",
            ),
            Telling(
                "at least 15 % off the price, all in all",
                lambda f: f["discount_depth"] >= 0.15,
                "gets {discount_depth:share} off the price, all in all",
            ),
        ),
        otherwise=("FEWER_DISCOUNTS",),
    ),
    Reason(
        code="FEWER_DISCOUNTS",
        tellings=(
            Telling(
                "smaller discounts within the last year than over all history",
                lambda f: f["discount_depth_change"] <= -0.01,
                "smaller discounts: {discount_depth_365d:share} off the price within the last "
                "year, {discount_depth:share} over all",
            ),
        ),
    ),
    Reason(
        code="LOW_MARGIN",
        features=("margin_share(?:_365d|_change)?",),
        tellings=(
            Telling(
                "net spend below cost",
                lambda f: f["margin_share"] < 0,
                "sold at a loss: a margin of {margin_share:share}",
            ),
            Telling(
                "a smaller margin within the last year than over all history",
                lambda f: f["margin_share_change"] <= -0.02,
                "the margin is falling: {margin_share_365d:share} within the last year, "
                "{margin_share:share} over all",
            ),
        ),
    ),
    Reason(
        code="FEW_CHANNELS",
        features=("channels(?:_365d)?", "channel_top_share"),
        tellings=(
            Telling(
                "bought through some channels within a year, and through others no longer",
                lambda f: (f["channels_365d"] >= 1) & (f["channels_365d"] < f["channels"]),
                "bought through {channels_365d:number} of {channels:number} channels within the "
                "last year",
            ),
            Telling(
                "at least two purchase days, through one channel",
                lambda f: (f["purchase_days"] >= 2) & (f["channels"] == 1),
                "buys through one channel only",
            ),
        ),
    ),
)
