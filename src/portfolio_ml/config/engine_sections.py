"""The section of the config on where tables are computed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from portfolio_ml.config.section import ADDRESS, Count, Section

_MEMORY = r"^\d+(\.\d+)?\s?([KMGT]i?B|%)$"


class DuckDB(Section):
    """Tables are computed in this process, out of core.

    Attributes:
        kind: Which engine it is.
        threads: How many threads it uses; without it, one for each core.
        memory_limit: How much memory it may take before it spills to disk, such as `4GB` or `80%`.
        temp_directory: The folder that it spills to, and that copies of files are made in.
    """

    kind: Literal["duckdb"] = "duckdb"
    threads: Count | None = None
    memory_limit: str | None = Field(default=None, pattern=_MEMORY)
    temp_directory: Path | None = None


def _as_text(value: object) -> object:
    """Spark's settings are texts; YAML reads some of them as numbers and truth values."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


SparkOption = Annotated[
    str, BeforeValidator(_as_text, json_schema_input_type=str | bool | int | float)
]


class Spark(Section):
    """Tables are read, validated and computed by Spark, on one machine or many.

    This process sees headers of files, aggregates and samples, and never holds a table of rows.

    Attributes:
        kind: Which engine it is.
        master: Where Spark runs, such as `local[4]` or `spark://host:7077`; without this and
            `remote`, in the session that is active, or as Spark itself is configured.
        remote: A Spark Connect server, such as `sc://host:15002`.
        options: Spark's own settings by name, such as `spark.executor.memory`.
        temp_directory: A folder that this process and all of Spark's workers see; tables pass
            through it, and what is left behind by a worker that died is removed from it.
        memory_limit: How much memory the one worker that reckons the portfolio's figures may give
            to tables before it spills to that folder, such as `8GB`; arrays of one number for
            each customer come on top.
    """

    kind: Literal["spark"]
    master: str | None = Field(
        default=None,
        pattern=r"^(local(\[[\d*, ]+\])?|local-cluster\[.+\]|spark://.+:\d+|yarn|k8s://.+)$",
    )
    remote: Annotated[str | None, Field(pattern=r"^sc://.+", repr=False), ADDRESS] = None
    options: dict[str, SparkOption] = Field(default={}, repr=False)
    temp_directory: Path | None = None
    memory_limit: str = Field(default="4GB", pattern=_MEMORY)

    @model_validator(mode="after")
    def _is_in_one_place(self) -> Self:
        if self.master and self.remote:
            raise ValueError("name a master or a remote, not both")
        return self


def _duckdb_unless_told(section: object) -> object:
    if isinstance(section, Mapping) and "kind" not in section:
        return {"kind": "duckdb", **section}
    return section


AnyEngine = Annotated[
    DuckDB | Spark, Field(discriminator="kind"), BeforeValidator(_duckdb_unless_told)
]
