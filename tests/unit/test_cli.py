"""The command line: streams, exit codes, and how it answers mistakes."""

import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from portfolio_ml.cli import app, champions, commands
from portfolio_ml.cli.show.learnt import print_after_tuning
from portfolio_ml.errors import (
    ConfigError,
    DataError,
    NothingToDoError,
    RefusedError,
    ServiceUnavailableError,
    TryAgainLaterError,
)
from portfolio_ml.metrics import Difference
from portfolio_ml.models.trees import DEFAULTS
from portfolio_ml.tuning import Tuned

pytestmark = pytest.mark.unit

SHOP = """
name: shop
data: {transactions: {source: sales.csv}}
"""

SALES = """customer_id,timestamp,amount
ann,2024-01-05,20
ann,2024-02-09,10
bob,2024-02-11,5
"""


@pytest.fixture
def shop(tmp_path):
    (tmp_path / "sales.csv").write_text(SALES)
    config = tmp_path / "shop.yaml"
    config.write_text(SHOP)
    return config


def test_help_answers_without_heavy_libraries():
    program = (
        "import sys; from portfolio_ml.cli.app import run; code = run(['--help']); "
        "heavy = {'mlflow', 'pandas', 'lightgbm', 'sklearn', 'duckdb', 'scipy', 'altair'}; "
        "sys.exit(code or len(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for command in (*commands.COMMANDS, *champions.COMMANDS):
        assert command.__name__ in done.stdout


ALL = ["demo", "init", *(c.__name__ for c in (*commands.COMMANDS, *champions.COMMANDS))]


@pytest.mark.parametrize("command", ALL)
def test_every_command_explains_itself(command, capsys):
    assert app.run([command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "--json" in shown
    assert "--quiet" in shown
    assert f"Example: portfolio-ml {command}" in shown
    options = [line for line in shown.splitlines() if line.strip().startswith("-")]
    assert not [line for line in options if "<" in line]


@pytest.mark.parametrize("command", ["export", "import", "verify"])
def test_every_command_on_models_explains_itself(command, capsys):
    assert app.run(["models", command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "--json" in shown
    assert "--quiet" in shown
    assert f"Example: portfolio-ml models {command}" in shown


def test_the_list_of_commands_cuts_no_sentence_off(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert app.run(["--help"]) == 0
    assert "..." not in capsys.readouterr().out.partition("Commands:")[2]


def test_streams_that_are_closed_or_lack_a_letter_stop_no_command(monkeypatch):
    printed = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(printed, encoding="latin-1"))
    monkeypatch.setattr(sys, "stderr", None)
    monkeypatch.setattr(sys, "argv", ["portfolio-ml", "features", "--config", "shop.yaml"])
    monkeypatch.setattr(app, "run", lambda arguments: sys.stdout.write("zażółć") * 0)
    monkeypatch.setattr(app.signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        app.main()
    sys.stderr.close()
    assert ended.value.code == 0
    assert printed.getvalue() == b"za\\u017c\xf3\\u0142\\u0107"


def test_a_customer_whose_bytes_are_no_text_is_a_mistake(shop, tmp_path, capsys):
    assert app.run(["erase", "--customer", "ann\udcff", "--config", str(shop)]) == 2
    assert "--customer is not UTF-8" in capsys.readouterr().err
    assert not [*tmp_path.glob("*.db")]


def test_tuning_without_optuna_says_what_to_install(shop, capsys, monkeypatch):
    monkeypatch.setattr("portfolio_ml.search.find_spec", lambda _name: None)
    assert app.run(["tune", "--config", str(shop)]) == 2
    assert "pip install 'portfolio-ml[tune]'" in capsys.readouterr().err


@pytest.mark.parametrize("out", ["", "nowhere/tuned.yaml"])
def test_a_place_that_cannot_be_written_is_told_before_the_search(shop, tmp_path, capsys, out):
    assert app.run(["tune", "--config", str(shop), "--out", str(tmp_path / out)]) == 2
    assert "a file in a folder that exists" in capsys.readouterr().err


def test_the_versions_are_shown_and_nothing_heavy_is_imported_for_it():
    program = (
        "import sys; from portfolio_ml.cli.app import run; code = run(['--version']); "
        "sys.exit(code or len({'mlflow', 'lightgbm', 'duckdb', 'narwhals'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    named = [line.split()[0] for line in done.stdout.splitlines()]
    assert named[:3] == ["portfolio-ml", "python", "platform"]
    assert {"duckdb", "lightgbm", "mlflow", "narwhals", "pandas"} <= set(named)


def test_the_versions_are_one_json_object_too(capsys):
    assert app.run(["--version", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["portfolio-ml"]
    assert told["mlflow"]
    assert {"dask", "optuna", "psycopg", "pyspark"} <= {*told}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["trian"], "train"),
        (["validate"], "--config"),
        (["validate", "--confg", "x.yaml"], "--config"),
        (["score", "--config", "nowhere.yaml"], "no such file"),
        (["train", "--config", "nowhere.yaml", "--as-of", "soon"], "nowhere.yaml"),
        (["demo", "nothing", "--dir", "never"], "cdnow, grocery"),
        (["demo", "cdnw", "--dir", "never"], "Did you mean 'cdnow'?"),
        (["promote", "chrun", "1", "-c", "x.yaml"], "Did you mean churn?"),
        (["monitor", "-c", "x.yaml", "--fail-on", "retrian"], "Did you mean retrain?"),
        (["portfolio", "-c", "x.yaml", "-f", "secions"], "did you mean 'sections'?"),
        (["models", "exprot"], "Did you mean 'export'?"),
        (["validate", "sales.yaml"], "Did you mean --config sales.yaml?"),
        (["init", "sales.csv"], "Did you mean --transactions sales.csv?"),
        (["promote", "churn", "-c", "x.yaml"], "Missing argument 'VERSION'"),
        (["--json", "validate"], "--json goes after the command"),
    ],
)
def test_a_mistake_is_told_on_standard_error_with_code_2(arguments, told, capsys):
    assert app.run(arguments) == 2
    shown = capsys.readouterr()
    assert told.casefold() in shown.err.casefold()
    assert shown.out == ""
    assert "Traceback" not in shown.err


def test_the_faults_of_a_config_stand_in_a_line_each(shop, capsys):
    shop.write_text(SHOP + "curency: EUR\nengine: {kind: dukdb}\ntimezone: Europe/Berln\n")
    assert app.run(["validate", "-c", str(shop)]) == 2
    first, *faults, last = capsys.readouterr().err.splitlines()
    assert first == f"portfolio-ml: The config has faults (in {shop}):"
    assert len(faults) == 3
    for meant in ("'currency'", "'duckdb'", "'Europe/Berlin'"):
        assert any(f"did you mean {meant}?" in fault for fault in faults)
    assert last == "Correct them and run it again."


def test_an_unreadable_date_is_told(shop, capsys):
    assert app.run(["features", "-c", str(shop), "-o", "x.parquet", "--as-of", "31.3.2024"]) == 2
    assert "Write it as 1998-06-30" in capsys.readouterr().err


def test_json_is_one_object_on_standard_output_and_progress_is_elsewhere(shop, capsys):
    assert app.run(["validate", "--config", str(shop), "--json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["kept"] == 3
    assert "validating" in shown.err


def test_quiet_says_nothing_on_standard_error(shop, capsys):
    assert app.run(["validate", "--config", str(shop), "--quiet"]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert "kept: 3" in shown.out


def test_features_are_written_with_a_date_per_row(shop, tmp_path, capsys):
    out = tmp_path / "features.parquet"
    assert app.run(["features", "-c", str(shop), "-o", str(out), "--json", "-q"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 2
    assert out.is_file()


def test_features_have_a_file_of_their_own_where_none_is_named(shop, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert app.run(["features", "-c", str(shop), "-q"]) == 0
    written = pq.read_table(tmp_path / "features.parquet")
    told = capsys.readouterr().out
    assert "rows: 2" in told
    assert f"features: {written.num_columns - 2}" in told
    assert "file: features.parquet" in told


def test_repeated_rows_are_told_and_kept(shop, tmp_path, capsys):
    (tmp_path / "sales.csv").write_text(SALES + "bob,2024-02-11,5\n")
    assert app.run(["validate", "--config", str(shop), "-q"]) == 0
    told = capsys.readouterr().out
    assert "kept: 4" in told
    assert "repeated: 1 row (kept: equal rows may be two units" in told


def test_each_broken_rule_shows_a_row(shop, tmp_path, capsys):
    (tmp_path / "sales.csv").write_text(SALES + "bob,soon,5\n" * 2)
    shop.write_text(SHOP.replace("data: {", "data: {max_quarantined_share: 0.9, "))
    assert app.run(["validate", "--config", str(shop), "-q"]) == 0
    told = capsys.readouterr().out
    assert "timestamp_unreadable: 2 rows, such as row 4 of sales.csv with 'soon'" in told


def test_features_go_into_parquet_and_nothing_else(shop, tmp_path, capsys):
    assert app.run(["features", "-c", str(shop), "-o", str(tmp_path / "f.csv")]) == 2
    assert ".parquet" in capsys.readouterr().err
    assert not (tmp_path / "f.csv").exists()


def test_too_short_a_history_says_what_would_fit(shop, capsys):
    assert app.run(["backtest", "--config", str(shop)]) == 65
    assert "too short" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("x"), 2),
        (DataError("x"), 65),
        (ServiceUnavailableError("x"), 69),
        (TryAgainLaterError("x"), 75),
        (RefusedError("x"), 78),
        (NothingToDoError("x"), 99),
        (KeyboardInterrupt(), 130),
        (ZeroDivisionError("x"), 1),
    ],
)
def test_every_kind_of_error_has_its_exit_code(error, code, monkeypatch, capsys):
    def broken(*_, **__):
        raise error

    monkeypatch.setattr(app, "_command", lambda: broken)
    assert app.run([]) == code
    assert ("Traceback" in capsys.readouterr().err) == (code == 1)


@pytest.mark.parametrize("arguments", [["--help"], ["validate", "--config", "shop.yaml"]])
def test_where_nobody_reads_on_the_command_was_stopped_and_has_no_bug(shop, arguments):
    program = Path(sys.executable).with_name("portfolio-ml")
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [program, *arguments],
            stdout=writer,
            stderr=subprocess.PIPE,
            cwd=shop.parent,
            check=False,
        )
    finally:
        os.close(writer)
    assert done.returncode == app.INTERRUPTED
    assert b"Traceback" not in done.stderr
    assert b"BrokenPipe" not in done.stderr


def test_no_colour_is_printed_into_a_pipe(shop):
    program = Path(sys.executable).with_name("portfolio-ml")
    done = subprocess.run(
        [program, "validate", "--config", shop],
        capture_output=True,
        check=False,
        env={"PATH": os.environ["PATH"]},
    )
    assert done.returncode == 0
    assert b"\x1b" not in done.stdout + done.stderr


def test_after_tuning_a_backtest_is_what_comes_next_where_there_is_something_to_try(capsys):
    gain = Difference(0.01, 0.005, 0.02, 0.9, 100)
    tried = Tuned("churn", "log_loss", 9, DEFAULTS, gain)
    print_after_tuning([tried], Path("shop.yaml"))
    assert "portfolio-ml backtest --config shop.yaml" in capsys.readouterr().out
    print_after_tuning([replace(tried, gain=None)], Path("shop.yaml"))
    assert capsys.readouterr().out == ""
