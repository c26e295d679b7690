"""The walk by the command line through Spark Connect, whose server is another process.

Both walks, without Spark and through it, train champions of their own and end with the same.
"""

import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import narwhals as nw
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests import small_shop, walks
from tests.commands import Ended, commands
from tests.java import lacks_for_spark
from tests.servers import Server
from tests.spark_cluster import connect_server

import portfolio_ml as pml
from portfolio_ml.config import Settings, Spark, load_settings
from portfolio_ml.engine import reading
from portfolio_ml.engine.spark_faults import quiet
from portfolio_ml.errors import ConfigError, DataError, ServiceUnavailableError

MATURED, TODAY = "2023-10-20", "2023-11-29"
"""So long ago that it is known what became of whom was scored; and the date that is looked at."""
COMMANDS = {
    "validate": ("validate",),
    "features": ("features", "--as-of", TODAY),
    "train": ("train", "--as-of", MATURED),
    "first scores": ("score", "--as-of", MATURED),
    "scores": ("score", "--as-of", TODAY),
    "rehearsal": ("score", "--as-of", TODAY, "--dry-run"),
    "portfolio": ("portfolio", "--as-of", TODAY),
    "report": ("report", "--as-of", TODAY),
    "monitor": ("monitor", "--as-of", TODAY),
}
OWN = {"run_id", "digest", "started_at", "finished_at", "scored_at", "made_at", "bytes"}
"""What is a run's own; digests of data, of rows in receipts among them, are another on Spark."""
pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.xdist_group("spark")]


@dataclass(frozen=True)
class Walk:
    """A walk that was made: its folder, its database, and how each command ended."""

    folder: Path
    database: str
    server: Server
    ended: dict[str, Ended]

    def told(self, text: str) -> Any:
        """Some JSON without what is this walk's own."""
        for own in (str(self.folder), self.database):
            text = text.replace(own, "its own")
        return without_own(json.loads(text))

    def settings(self) -> Settings:
        """Those of its config."""
        return load_settings(self.folder / walks.CONFIG)

    def crm(self) -> pa.Table:
        """The scores in PostgreSQL, as they lie in the Parquet file."""
        schema = self.scores().schema
        rows = self.server.run(
            f"SELECT {', '.join(schema.names)} FROM scores ORDER BY customer_id",
            database=self.database,
        )
        held = [dict(zip(schema.names, row, strict=True)) for row in rows]
        return pa.Table.from_pylist(held, schema=schema)

    def scores(self) -> pa.Table:
        """The scores in the Parquet file."""
        return pq.read_table(self.folder / "scores.parquet").drop(["run_id", "scored_at"])

    def figures(self) -> dict[str, list[tuple[Any, ...]]]:
        """The tables of figures in SQLite."""
        names = "SELECT name FROM sqlite_master WHERE name LIKE 'figure_%' AND type = 'table'"
        with closing(sqlite3.connect(self.folder / "figures.db")) as database:
            return {
                name: database.execute(f"SELECT * FROM {name} ORDER BY 1, 2, 3").fetchall()
                for (name,) in database.execute(names)
            }


@pytest.fixture(scope="module")
def engine(tmp_path_factory) -> Iterator[dict[str, Any]]:
    """The section of a config."""
    if lacks := lacks_for_spark():
        pytest.skip(lacks)
    shared = tmp_path_factory.mktemp("shared")
    with connect_server(tmp_path_factory.mktemp("server")) as (remote, _):
        yield {"kind": "spark", "remote": remote, "temp_directory": str(shared)}


@pytest.fixture(scope="module")
def walked(engine, postgresql_server, tmp_path_factory) -> tuple[Walk, Walk]:
    """The walk without Spark, and the one through Spark Connect."""
    folder = tmp_path_factory.mktemp("walks")
    with commands(folder) as by:
        ours, theirs = (
            walk(folder / name, section, postgresql_server, by)
            for name, section in {"duckdb": {"threads": 1}, "connect": engine}.items()
        )
    return ours, theirs


def walk(folder: Path, section: dict[str, Any], server: Server, by: Any) -> Walk:
    """A walk to its end."""
    folder.mkdir()
    small_shop.settings_of(folder)
    database = f"walk_{folder.name}"
    server.run(f"CREATE DATABASE {database}")
    sql = {"kind": "sql", "url": server.url_of(database), "table": "scores"}
    file = {"kind": "parquet", "path": "scores.parquet"}
    config = walks.config() | {"engine": section, "delivery": [sql, file]}
    (folder / walks.CONFIG).write_text(json.dumps(config), "utf-8")
    ended = {
        name: by.run(*words, "--json", "--quiet", "--config", walks.CONFIG, at=folder)
        for name, words in COMMANDS.items()
    }
    return Walk(folder, database, server, ended)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_says_through_spark_connect_what_it_says_without_spark(walked, command):
    ours, theirs = (walk.ended[command] for walk in walked)
    assert [(ours.code, ours.told), (theirs.code, theirs.told)] == [(0, ""), (0, "")]
    expected, found = (walk.told(walk.ended[command].printed) for walk in walked)
    assert_alike(found, expected)


def test_what_is_delivered_and_written_is_the_same(walked):
    ours, theirs = walked
    assert ours.scores().num_rows == small_shop.CUSTOMERS
    assert_alike(theirs.scores().to_pydict(), ours.scores().to_pydict())
    assert_alike(theirs.crm().to_pydict(), theirs.scores().to_pydict())
    assert_alike(ours.crm().to_pydict(), ours.scores().to_pydict())
    features = [pq.read_table(each.folder / "features.parquet") for each in walked]
    assert features[1].schema == features[0].schema
    assert_alike(features[1].to_pydict(), features[0].to_pydict())
    assert_alike(theirs.figures(), ours.figures())
    facts = [each.told((each.folder / "report.json").read_text("utf-8")) for each in walked]
    assert_alike(facts[1], facts[0])


def test_nothing_temporary_is_left(walked, engine):
    _, theirs = walked
    question = "SELECT tablename FROM pg_tables WHERE tablename LIKE 'portfolio_staging%'"
    assert theirs.server.run(question, database=theirs.database) == []
    assert [*Path(engine["temp_directory"]).iterdir()] == []


def test_what_features_add_to_a_score_is_told_of_some_customers_and_refused_of_everybody(walked):
    chosen = ["buyer#0007", "buyer#0001", "nobody"]
    expected, found = (
        pml.contributions(walk.settings(), chosen, as_of=TODAY).to_dict("list") for walk in walked
    )
    assert len(expected["customer_id"]) == 2
    assert_alike(found, expected)
    with pytest.raises(ConfigError) as refused:
        pml.contributions(walked[1].settings(), as_of=TODAY)
    assert str(refused.value) == (
        "Contributions of everybody would hold all customers in one process, which Spark is there "
        "to avoid (in engine.kind): saw spark. Ask for some customers at a time, or run it with "
        "engine: {kind: duckdb} and a temp_directory."
    )


def test_what_goes_wrong_there_is_told_in_a_sentence(engine):
    from pyspark import cloudpickle  # noqa: PLC0415 - an extra

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    with reading(Spark.model_validate(engine)) as spark:
        numbers = spark.from_arrow(pa.table({"n": [2**62, 2**62]}))
        with pytest.raises(DataError, match=r"^A row is odd \(in part 1\)\. Look at it\.$"):
            spark.each(2, _refusing)
        with pytest.raises(DataError, match="too large to reckon with"):
            spark.collect(numbers.select(nw.col("n").sum()))
        with pytest.raises(ConfigError, match="does not see the folder"):
            spark.collect(spark.written([Path("/nowhere/rows.parquet")]))
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def test_the_session_that_is_active_there_is_used_and_goes_on(engine):
    with quiet():  # a user's own program is warned of pandas 3
        from pyspark.sql.connect.session import SparkSession  # noqa: PLC0415 - an extra

    theirs = SparkSession.builder.remote(engine["remote"]).create()
    theirs.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
    assert computed_in({**engine, "remote": None}) == [1, 2]
    assert theirs.conf.get("spark.sql.session.timeZone") == "Asia/Tokyo"
    assert theirs.range(3).count() == 3
    theirs.stop()


def test_a_server_that_spark_itself_is_told_of_is_used(engine, monkeypatch):
    monkeypatch.setenv("SPARK_REMOTE", engine["remote"])
    assert computed_in({**engine, "remote": None}) == [1, 2]
    monkeypatch.setenv("SPARK_REMOTE", "sc://127.0.0.1:1")
    with pytest.raises(ServiceUnavailableError, match=r"127\.0\.0\.1:1\)\. Check SPARK_REMOTE"):
        computed_in({**engine, "remote": None})


def test_a_server_that_goes_is_told_in_a_sentence(tmp_path):
    if lacks := lacks_for_spark():
        pytest.skip(lacks)
    with connect_server(tmp_path) as (remote, process):
        section = {"kind": "spark", "remote": remote, "temp_directory": str(tmp_path)}
        with reading(Spark.model_validate(section)) as spark:
            numbers = spark.from_arrow(pa.table({"n": [2, 1]}))
            process.kill()
            process.wait()
            with pytest.raises(ServiceUnavailableError, match=r"^Spark gave the work up: saw "):
                spark.collect(numbers.sort("n"))


def computed_in(section: dict[str, Any]) -> list[int]:
    """What a session of Spark Connect sorts."""
    with reading(Spark.model_validate(section)) as spark:
        assert type(spark._session).__module__ == "pyspark.sql.connect.session"
        frame = spark.from_arrow(pa.table({"n": [2, 1]}))
        return spark.collect(spark.keep(frame).sort("n"))["n"].to_pylist()


def _refusing(number: int) -> str:
    if number:
        raise DataError("a row is odd", where=f"part {number}", do="look at it")
    return ""


def without_own(value: Any) -> Any:
    """Plain values without those of `OWN`."""
    if isinstance(value, dict):
        return {name: without_own(of) for name, of in value.items() if name not in OWN}
    return [without_own(of) for of in value] if isinstance(value, list) else value


def assert_alike(found: Any, expected: Any) -> None:
    """Equal; money to a cent and shares to six digits, for sums are added in another order."""
    theirs, ours = dict(leaves("", found)), dict(leaves("", expected))
    assert theirs.keys() == ours.keys()
    other = {path: (theirs[path], of) for path, of in ours.items() if theirs[path] != nearly(of)}
    assert other == {}


def nearly(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return pytest.approx(value, rel=1e-6, abs=0.01 if abs(value) > 1 else 1e-6)


def leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """What plain values hold, by the path that leads there."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(f"{path}.{key}", inner)
    elif isinstance(value, list | tuple):
        yield f"{path}.count", len(value)
        yield from leaves(path, dict(enumerate(value)))
    else:
        yield path, value
