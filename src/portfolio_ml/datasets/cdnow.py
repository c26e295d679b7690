"""CDNOW: an online music shop's first customers of 1997, real."""

import pyarrow as pa
import pyarrow.csv as pa_csv

from portfolio_ml.datasets.dataset import Dataset
from portfolio_ml.datasets.installed import file_of
from portfolio_ml.errors import ConfigError


def read_cdnow() -> pa.Table:
    """All CDNOW purchases: customer_id (text), date, number_of_cds, dollar_value.

    Raises:
        ConfigError: The `lifetimes` distribution is not installed.
    """
    lines = (
        line.split()
        for line in file_of("lifetimes", "CDNOW_master.txt").read_text("ascii").splitlines()
        if line.strip()
    )
    header = ["customer_id", "date", "number_of_cds", "dollar_value"]
    if next(lines) != header:
        raise ConfigError("the CDNOW file has another header than expected", where="lifetimes")
    text = "\n".join(",".join(fields) for fields in lines)
    return pa_csv.read_csv(
        pa.BufferReader(text.encode("ascii")),
        read_options=pa_csv.ReadOptions(column_names=header),
        convert_options=pa_csv.ConvertOptions(
            column_types={"customer_id": pa.string(), "date": pa.string()}
        ),
    )


CDNOW = Dataset(
    name="cdnow",
    title="CDNOW: an online music shop's first customers of 1997",
    read=read_cdnow,
    columns={
        "customer_id": "customer_id",
        "timestamp": "date",
        "amount": "dollar_value",
        "quantity": "number_of_cds",
    },
    horizon_days=90,
)
