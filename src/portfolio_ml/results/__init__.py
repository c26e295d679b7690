"""What a run's results say, as small tables and sentences.

The command line, a console and a notebook each draw them in their own way.
"""

from portfolio_ml.results.delivered import deliveries_table, receipt_line
from portfolio_ml.results.given import by_need, left_out_text, refused_by_rule
from portfolio_ml.results.judged import (
    CHOSEN,
    NO_COSTS,
    NOBODY_ACTIVE,
    acting_lines,
    acting_table,
    gain_over,
    gate_lines,
    gate_table,
    judgement_table,
    summary_table,
    tuned_table,
    tuned_yaml,
)
from portfolio_ml.results.numbers import rate, rows_table
from portfolio_ml.results.registered import champions_table, moves_table
from portfolio_ml.results.watched import (
    contacts_table,
    drift_table,
    matured_table,
    verdict_lines,
    verdict_table,
)

__all__ = [
    "CHOSEN",
    "NOBODY_ACTIVE",
    "NO_COSTS",
    "acting_lines",
    "acting_table",
    "by_need",
    "champions_table",
    "contacts_table",
    "deliveries_table",
    "drift_table",
    "gain_over",
    "gate_lines",
    "gate_table",
    "judgement_table",
    "left_out_text",
    "matured_table",
    "moves_table",
    "rate",
    "receipt_line",
    "refused_by_rule",
    "rows_table",
    "summary_table",
    "tuned_table",
    "tuned_yaml",
    "verdict_lines",
    "verdict_table",
]
