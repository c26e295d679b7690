"""The tables that a business gives: transactions, and what is known beside them."""

import pyarrow as pa

from portfolio_ml.schema.table import Column, Table

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
