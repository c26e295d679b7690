"""The way of rows in parts into a SQL database: brought by workers, where it takes many at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from portfolio_ml.config import SqlTarget
from portfolio_ml.databases import rehearsing, takes_many_writers
from portfolio_ml.sinks.brought import brought
from portfolio_ml.sinks.order import Order
from portfolio_ml.sinks.parts import Parts
from portfolio_ml.sinks.transaction import open_tables


@contextmanager
def brought_first(
    order: Order, *, url: str, base: Path, target: SqlTarget | None = None
) -> Iterator[Order]:
    """The order, its rows brought by workers where there are any and the database takes many.

    Else they are streamed to it by this process. Before a worker begins, the tables are opened
    and let go again: what is wrong with them costs no row's way. The transaction that delivers
    opens them once more, for they may have changed since.

    Args:
        order: What is to be delivered.
        url: The database.
        base: The folder that relative paths are relative to.
        target: The target of the config, as for `carry_out`.

    Raises:
        ConfigError: As for `open_tables`.
        ServiceUnavailableError: The database, or the workers, cannot do it.
    """
    if not isinstance(order.delivery, Parts) or not takes_many_writers(url):
        yield order
        return
    with rehearsing(url, base=base) as database:
        open_tables(order, database, target=target)
    with brought(order.delivery, order.current, url=url, base=base) as found:
        yield replace(order, stage=found.stage)
