"""The nightly job as the package does it, with a clock on each of its steps.

What runs is the command line as a scheduler calls it; the clock stands at the functions that the
steps are, and costs nothing to speak of.

Run it as `python -m benchmarks.score_package STEPS score --config FILE --as-of DATE`.
"""

from benchmarks.steps import run_with_clocks

CONNECT = "connect, lock, commit"
FOLLOWED = {
    "portfolio_ml.opening:load_all": "load and validate",
    "portfolio_ml.opening:inputs_of": "features",
    "portfolio_ml.pipeline.scoring:champions_in_force": "champions",
    "portfolio_ml.scored:tables_of": "features",
    "portfolio_ml.scored:predict": "predict",
    "portfolio_ml.scoring:churn_reasons": "reasons",
    "portfolio_ml.sinks.past_sql:Place.bands_before": "bands before",
    "portfolio_ml.scored:standing_of": "rows",
    "portfolio_ml.scored:customer_rows": "rows",
    "portfolio_ml.delivering:allowed": "rows",
    "portfolio_ml.pipeline.scoring:gather": "facts",
    "portfolio_ml.pipeline.scoring:history_facts": "facts",
    "portfolio_ml.delivering:deliver": CONNECT,
    "portfolio_ml.sinks.order:prepare": "prepare",
    "portfolio_ml.sinks.transaction:create_or_check": "create tables",
    "portfolio_ml.sinks.order:stage": "stage (COPY)",
    "portfolio_ml.sinks.transaction:Upsert.write": "write",
    "portfolio_ml.sinks.transaction:Ledger.reject": "receipts",
    "portfolio_ml.sinks.transaction:Ledger.set_newest": "receipts",
    "portfolio_ml.sinks.transaction:Ledger.sign": "receipts",
}
"""The functions that the steps are, where they are looked up, with the names of the steps."""

DELIVERY = ("prepare", "create tables", "stage (COPY)", "write", "receipts", CONNECT)
"""The steps that are the delivery."""


def main() -> None:
    """Run the command line with clocks."""
    run_with_clocks(FOLLOWED)


if __name__ == "__main__":
    main()
