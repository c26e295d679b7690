"""The tables that are made: the validated history, refused rows, training rows, customer rows."""

import pyarrow as pa

from portfolio_ml.schema.table import Column, Table

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
            "weight",
            pa.float64(),
            "1 at the last date, and half as much for each year before it; times the customers "
            "that each stands for where training.max_rows drew some",
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
            "why the customer may not buy: reason codes, strongest first, joined by a comma and a "
            "space",
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
