"""Delivery into files: Parquet, a folder of Parquet files by date, and CSV.

A reader finds the old file or the new one. The receipt and the refused rows are in the state
database, whose transaction spans the writing, so that two deliveries wait for each other.
"""

from portfolio_ml.sinks.files.delivery import deliver_file, rehearse_file
from portfolio_ml.sinks.files.erasure import erase
from portfolio_ml.sinks.files.places import held
from portfolio_ml.sinks.files.writing import holds_table, told, write_batches, write_parquet

__all__ = [
    "deliver_file",
    "erase",
    "held",
    "holds_table",
    "rehearse_file",
    "told",
    "write_batches",
    "write_parquet",
]
