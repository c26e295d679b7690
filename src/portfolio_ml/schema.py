"""The tables: grain, column, type, unit, meaning of null.

Money is held as 64-bit integers of 1/10,000 currency unit from `transactions` on (`MONEY_SCALE`),
so that sums do not depend on the order in which threads add. Delivered rows carry currency units.
"""

import re
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

MONEY_SCALE = 10_000
QUANTITY_SCALE = 10_000
"""The whole numbers in which a day's units are held are 1/10,000 of them, like money."""
POINTS_SCALE = 10_000
"""Loyalty points are held in 1/10,000 of one, likewise."""
Measure = Literal["revenue", "margin"]
"""What a customer's value is: net spend, or what is left of it after the cost of the goods."""
ATTRIBUTE = re.compile("[a-z][a-z0-9_]*")
"""What an attribute of a customer may be called."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        name: The column's name; units are part of it.
        type: Its Arrow type.
        description: What it holds, with its unit.
        null: What a null means; empty where the contract knows none.
        decimals: The delivered precision of a floating-point column.
        lineage: Whether it says where a row came from; ignored when rows are compared.
        required: Whether an input table must have it, and a history always has it.
    """

    name: str
    type: pa.DataType
    description: str
    null: str = ""
    decimals: int | None = None
    lineage: bool = False
    required: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table's grain, key and columns, in order.

    Attributes:
        name: What it is called; an input table's section of the config has the same name.
        grain: What one row is.
        key: The columns by which rows are told apart.
        columns: Its columns, in order.
        takes_attributes: Whether an input table may have columns of the user's own, as text.
        may_be_empty: Whether an input table without a row is as good as any.
        one_of: Columns of which an input table must have one at least.
    """

    name: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    takes_attributes: bool = False
    may_be_empty: bool = False
    one_of: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The column names, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def arrow(self) -> pa.Schema:
        """The table as an Arrow schema; a column without a meaning of null is not nullable."""
        return pa.schema(
            [pa.field(c.name, c.type, nullable=bool(c.null)) for c in self.columns],
        )


TRANSACTIONS = Table(
    name="transactions",
    grain="one line or one order",
    key=(),
    columns=(
        Column("customer_id", pa.string(), "who bought; compared as text", required=True),
        Column("timestamp", pa.timestamp("us"), "when, in the portfolio's zone", required=True),
        Column("amount", pa.float64(), "currency units; negative is a return", required=True),
        Column("order_id", pa.string(), "the order a line belongs to", null="unknown"),
        Column("product_id", pa.string(), "the product of the line", null="unknown"),
        Column("category", pa.string(), "the product's category", null="unknown"),
        Column("quantity", pa.float64(), "units of the product", null="unknown"),
        Column("cost", pa.float64(), "what the line cost, in currency units", null="unknown"),
        Column(
            "discount",
            pa.float64(),
            "currency units taken off the line, at least 0; a negative one is unknown",
            null="unknown",
        ),
        Column("channel", pa.string(), "where it was bought, such as shop or web", null="unknown"),
        Column("currency", pa.string(), "the amount's currency, such as EUR; refused if null"),
        Column(
            "recorded_at",
            pa.timestamp("us"),
            "when the row became known, in the portfolio's zone",
            null="as soon as it happened",
        ),
    ),
)

CUSTOMERS = Table(
    name="customers",
    grain="one customer, or one customer and the day from which the row is valid",
    key=("customer_id", "valid_from"),
    columns=(
        Column("customer_id", pa.string(), "who; as in transactions", required=True),
        Column("valid_from", pa.timestamp("us"), "since when the row holds", null="always"),
        Column("signup_date", pa.date32(), "when the relationship began", null="unknown"),
        Column("ended_at", pa.date32(), "when a contract ended", null="it has not, or unknown"),
        Column("region", pa.string(), "where the customer is", null="unknown"),
        Column("segment", pa.string(), "the business's own segment", null="unknown"),
        Column("relationship_type", pa.string(), "such as retail or contract", null="unknown"),
        Column("representative_id", pa.string(), "who looks after the customer", null="nobody"),
        Column("birthday", pa.date32(), "the date of birth", null="unknown"),
        Column("income", pa.float64(), "currency units a year", null="unknown"),
        Column("service_cost", pa.float64(), "currency units a year", null="unknown"),
        Column("referred_by", pa.string(), "the customer who brought this one", null="nobody"),
    ),
    takes_attributes=True,
)

INTERACTIONS = Table(
    name="interactions",
    grain="one event",
    key=(),
    columns=(
        Column("customer_id", pa.string(), "who; as in transactions", required=True),
        Column("timestamp", pa.timestamp("us"), "when, in the portfolio's zone", required=True),
        Column("kind", pa.string(), "such as call, visit or survey", required=True),
        Column("value", pa.float64(), "satisfaction, minutes, ...; by kind", null="none"),
        Column("channel", pa.string(), "such as phone or web", null="unknown"),
    ),
)

CONTACTS = Table(
    name="contacts",
    grain="one treatment by us",
    key=(),
    columns=(
        Column("customer_id", pa.string(), "who; as in transactions", required=True),
        Column("timestamp", pa.timestamp("us"), "when, in the portfolio's zone", required=True),
        Column("action", pa.string(), "such as call, email or voucher", required=True),
        Column("campaign", pa.string(), "the campaign it belongs to", null="none"),
        Column("held_out", pa.bool_(), "true for the control group, left alone", null="unknown"),
    ),
)

OPPORTUNITIES = Table(
    name="opportunities",
    grain="one deal, as it stands today",
    key=("opportunity_id",),
    columns=(
        Column("opportunity_id", pa.string(), "which; compared as text", required=True),
        Column("representative_id", pa.string(), "who looks after it", required=True),
        Column("outcome", pa.string(), "how it ended, such as won or lost", null="it is open"),
        Column(
            "stage",
            pa.string(),
            "where it stands, such as offered or closed won; read where no outcome is told",
            null="it is open",
        ),
        Column("opened_at", pa.timestamp("us"), "when it began", null="unknown"),
        Column("offered_at", pa.timestamp("us"), "when it was first offered", null="unknown"),
        Column(
            "closed_at",
            pa.timestamp("us"),
            "when it was won or lost; what an open deal expects is not read",
            null="it is open, or unknown",
        ),
        Column("customer_id", pa.string(), "who; as in transactions", null="no customer yet"),
        Column("amount", pa.float64(), "what it is worth, in currency units", null="unknown"),
        Column("category", pa.string(), "what is sold", null="unknown"),
        Column("segment", pa.string(), "the business's own segment", null="unknown"),
        Column("region", pa.string(), "where it is", null="unknown"),
        Column(
            "recorded_at",
            pa.timestamp("us"),
            "when the row became known, in the portfolio's zone",
            null="as soon as it happened",
        ),
    ),
    one_of=("outcome", "stage"),
)

POINTS = Table(
    name="points",
    grain="one entry of a loyalty ledger",
    key=(),
    columns=(
        Column("customer_id", pa.string(), "who; as in transactions", required=True),
        Column("timestamp", pa.timestamp("us"), "when, in the portfolio's zone", required=True),
        Column("points", pa.float64(), "earned; negative is redeemed", required=True),
        Column("reason", pa.string(), "such as purchase, birthday or voucher", null="unknown"),
        Column("expires_at", pa.date32(), "the last day on which they count", null="never"),
    ),
)

PROSPECTS = Table(
    name="prospects",
    grain="one lead",
    key=("prospect_id",),
    columns=(
        Column("prospect_id", pa.string(), "who; compared as text", required=True),
        *(column for column in CUSTOMERS.columns if column.name not in CUSTOMERS.key),
    ),
    takes_attributes=True,
)

CUSTOMER_MERGES = Table(
    name="customer_merges",
    grain="one id that went over into another, because both are one customer",
    key=("old_id",),
    columns=(
        Column("old_id", pa.string(), "the id that is used no more", required=True),
        Column(
            "new_id", pa.string(), "the id that stands for both; may be merged on", required=True
        ),
        Column(
            "merged_at",
            pa.timestamp("us"),
            "when, in the portfolio's zone; before that day the two are two customers",
            null="they have always been one",
        ),
    ),
    may_be_empty=True,
)

VALUATIONS = Table(
    name="valuations",
    grain="one date on which the portfolio was valued",
    key=("date",),
    columns=(
        Column("date", pa.date32(), "when it was valued", required=True),
        Column("value", pa.float64(), "after the cash flow, in currency units", required=True),
        Column(
            "flow",
            pa.float64(),
            "currency units put in on the date; negative is taken out",
            null="none",
        ),
    ),
)

HISTORY = Table(
    name="history",
    grain="one validated line",
    key=(),
    columns=(
        Column("customer_id", pa.string(), "who bought", required=True),
        Column(
            "day",
            pa.int32(),
            "days since 1970-01-01 in the portfolio's time zone",
            required=True,
        ),
        Column("amount", pa.int64(), "1/10,000 currency unit; negative is a return", required=True),
        Column(
            "order_id",
            pa.string(),
            "the order a line belongs to",
            null="not mapped, or unknown",
            required=True,
        ),
        Column("product_id", pa.string(), "the product of the line", null="unknown"),
        Column("category", pa.string(), "the product's category", null="unknown"),
        Column("channel", pa.string(), "where it was bought", null="unknown"),
        Column("quantity", pa.float64(), "units of the product", null="unknown"),
        Column("cost", pa.int64(), "1/10,000 currency unit, of the line", null="unknown"),
        Column("discount", pa.int64(), "1/10,000 currency unit taken off", null="unknown"),
        Column("minute", pa.int16(), "minute of the day, 0 to 1439", null="only a date is told"),
        Column("known_day", pa.int32(), "the day from which on the line is in history"),
    ),
)

QUARANTINE = Table(
    name="quarantine",
    grain="one refused line",
    key=("source", "row_number"),
    columns=(
        Column("source", pa.string(), "the file or query the line was read from"),
        Column("row_number", pa.int64(), "its number there, counted from 1 without the header"),
        Column("rule", pa.string(), "the rule that it breaks"),
        Column("column", pa.string(), "the column concerned"),
        Column("value", pa.string(), "the offending value", null="the value was missing"),
    ),
)

TRAINING_ROWS = Table(
    name="training_table",
    grain="one customer and snapshot date; the features stand before the outcomes",
    key=("customer_id", "as_of"),
    columns=(
        Column("customer_id", pa.string(), "the customer"),
        Column("group", pa.int64(), "the customer as a number, to keep all rows in one fold"),
        Column("as_of", pa.date32(), "history up to and including this day was used"),
        Column("outcome_until", pa.date32(), "the last day that an outcome of the row looks at"),
        Column(
            "weight", pa.float64(), "1 at the last date, and half as much for each year before it"
        ),
        Column("churned", pa.bool_(), "no purchase day within the churn horizon"),
        Column("future_purchase_days", pa.int64(), "purchase days within the churn horizon"),
        Column("future_spend", pa.float64(), "purchases within the value horizon, currency units"),
        Column("future_returned", pa.float64(), "returns within the value horizon, likewise"),
        Column("future_net", pa.float64(), "future_spend minus future_returned"),
    ),
)
"""What `snapshots` writes for those who train elsewhere, beside the features."""

CUSTOMER_ROWS = Table(
    name="customer_scores",
    grain="one customer and as-of date",
    key=("customer_id",),
    columns=(
        Column("customer_id", pa.string(), "the customer"),
        Column("as_of", pa.date32(), "history up to and including this day was used"),
        Column("is_active", pa.bool_(), "bought within the activity window"),
        Column("lifecycle_stage", pa.string(), "new, developing, mature, veteran or lapsed"),
        Column("value_tier", pa.string(), "A, B, C or D by past net spend"),
        Column("rfm_r", pa.int8(), "recency quintile, 5 = most recent"),
        Column("rfm_f", pa.int8(), "frequency quintile, 5 = most purchase days"),
        Column("rfm_m", pa.int8(), "monetary quintile, 5 = highest spend per purchase day"),
        Column("rfm_segment", pa.string(), "the classic RFM segment, by rule from the quintiles"),
        Column(
            "p_churn",
            pa.float64(),
            "calibrated probability of no purchase within the churn horizon",
            null="the customer is inactive: see p_return",
            decimals=6,
        ),
        Column(
            "p_return",
            pa.float64(),
            "calibrated probability of a purchase within the churn horizon",
            null="the customer is active: see p_churn",
            decimals=6,
        ),
        Column(
            "churn_band",
            pa.string(),
            "p_churn as low, medium or high; on an edge it stays what it was",
            null="the customer is inactive",
        ),
        Column(
            "churn_reasons",
            pa.string(),
            "why the customer may not buy: codes of docs/reasons.md, strongest first, joined by "
            "a comma and a space",
            null="there is none to tell",
        ),
        Column(
            "expected_orders",
            pa.float64(),
            "purchase days expected within the value horizon, by the customer-base model",
            decimals=4,
        ),
        Column(
            "ltv",
            pa.float64(),
            "net spend expected within the value horizon; or margin, where that is measured",
            decimals=2,
        ),
        Column("ltv_low", pa.float64(), "lower end of the value interval", decimals=2),
        Column("ltv_high", pa.float64(), "upper end of the value interval", decimals=2),
        Column(
            "value_if_buys",
            pa.float64(),
            "net spend (or margin) expected within the churn horizon, given a purchase in it",
            decimals=2,
        ),
        Column(
            "value_at_risk",
            pa.float64(),
            "p_churn x value_if_buys",
            null="the customer is inactive",
            decimals=2,
        ),
        Column(
            "expected_next_order_date",
            pa.date32(),
            "last purchase day + the customer's typical gap, shrunk to the portfolio's",
            null="no purchase in history",
        ),
        Column(
            "missed_cycles",
            pa.int32(),
            "purchases that the customer's own rhythm would have had since the last, but one",
            null="under three purchase days",
        ),
        Column("segment_id", pa.int32(), "the segment's identity, which outlives retraining"),
        Column("segment_name", pa.string(), "what sets the segment apart, in words"),
        Column(
            "potential_gap",
            pa.float64(),
            "the 75th percentile of net spend of the last 365 days among the customer's peers "
            "minus the customer's own, currency units",
            null="inactive, at that percentile already, or scoring.portfolio is off",
            decimals=2,
        ),
        Column(
            "winback_value",
            pa.float64(),
            "what a contact is expected to bring by the customer's return, its cost taken off",
            null="active, not above 0, no uplift is known, or scoring.portfolio is off",
            decimals=2,
        ),
        Column(
            "next_category",
            pa.string(),
            "what the customer may add next",
            null="inactive, nothing to recommend, no categories, or scoring.portfolio is off",
        ),
        Column(
            "best_representative",
            pa.string(),
            "who is to look after the customer instead of who does now: of whom surely more is "
            "expected in its section, within workloads",
            null="it stays as it is, or scoring.portfolio is off",
        ),
        Column(
            "priority_rank",
            pa.int64(),
            "the customer's place on the daily list, from 1",
            null="not on it, or scoring.portfolio is off",
        ),
        Column("action", pa.string(), "what to do today", null="as for priority_rank"),
        Column("payment_term", pa.string(), "that of its section", null="none is configured"),
        Column("delivery_term", pa.string(), "that of its section", null="none is configured"),
        Column("contact_policy", pa.string(), "that of its section", null="none is configured"),
        Column(
            "abstention",
            pa.string(),
            "what a score rests on where no trained model stands behind it: customer_base_model "
            "or horizon_extended, a colon and the targets; joined by a comma and a space",
            null="nothing was held back",
        ),
        Column("churn_model_version", pa.string(), "registered version", lineage=True),
        Column("ltv_model_version", pa.string(), "registered version", lineage=True),
        Column("segment_model_version", pa.string(), "registered version", lineage=True),
        Column("features_hash", pa.string(), "digest of the feature definitions", lineage=True),
        Column("run_id", pa.string(), "the scoring run", lineage=True),
        Column("scored_at", pa.timestamp("us", tz="UTC"), "when it was scored", lineage=True),
    ),
)
