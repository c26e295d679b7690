"""Lines of a history that are there more than once.

They are told and kept: two equal lines may be two units of a product, or a file loaded twice.
Counting them sorts the whole history, so only those who look at the data ask for it.
"""

import narwhals as nw

from portfolio_ml.engine import Engine
from portfolio_ml.transactions import History

_SAME = ("customer", "day", "minute", "amount", "order_id", "product_id")


def repeated_lines(history: History, engine: Engine) -> int:
    """How many lines repeat an earlier one: same customer, time, amount, order and product.

    What the history does not know, such as the product, tells no lines apart.
    """
    present = history.numbered.columns
    told = [name for name in _SAME if name in present]
    alike = history.numbered.group_by(told).agg(lines=nw.len())
    again = alike.select(again=(nw.col("lines").cast(nw.Int64) - 1).sum())
    return int(engine.collect(again)["again"][0].as_py() or 0)
