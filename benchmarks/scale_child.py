"""A command of the package with a clock on each of its steps, as `benchmarks.scale` runs it.

Run it as `python -m benchmarks.scale_child STEPS COMMAND --config FILE ...`.
"""

from benchmarks.steps import run_with_clocks

LOAD, DAYS, WINDOWS = "load and validate", "customers' days", "windows and seasons"
FEATURES, DELIVER = "features of everybody", "deliver"
FOLLOWED = {
    "portfolio_ml.opening:load_all": LOAD,
    "portfolio_ml.opening:inputs_of": DAYS,
    "portfolio_ml.learning:drawn_for": "draw customers",
    "portfolio_ml.learning:labelled": "features and outcomes of the drawn",
    "portfolio_ml.learning:activity_days": WINDOWS,
    "portfolio_ml.learning:seasons": WINDOWS,
    "portfolio_ml.learning:backtesting.backtest": "backtest",
    "portfolio_ml.pipeline.training:features": "features of the drawn, today",
    "portfolio_ml.pipeline.training:fit_candidates": "fit",
    "portfolio_ml.pipeline.training:fit_segments": "fit",
    "portfolio_ml.pipeline.training:watching.seen": "profile",
    "portfolio_ml.pipeline.training:with_profiles": "profile",
    "portfolio_ml.pipeline.training:publish": "log and register",
    "portfolio_ml.scored:tables_of": FEATURES,
    "portfolio_ml.scored:predict": "predict and explain",
    "portfolio_ml.scored:standing_of": "rows",
    "portfolio_ml.scored:customer_rows": "rows",
    "portfolio_ml.pipeline.scoring:facts_of": "facts",
    "portfolio_ml.delivering:deliver": DELIVER,
    "portfolio_ml.sinks.order:prepare": "deliver: prepare",
    "portfolio_ml.sinks.order:stage": "deliver: stage",
    "portfolio_ml.sinks.transaction:Upsert.write": "deliver: write",
}
"""The functions that the steps are, where they are looked up, with the names of the steps."""


def main() -> None:
    """Run the command line with clocks."""
    run_with_clocks(FOLLOWED)


if __name__ == "__main__":
    main()
