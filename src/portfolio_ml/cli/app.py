"""`portfolio-ml`: the entry point, and how errors become sentences and exit codes."""

import signal
import sys
import traceback
from typing import Any

import typer

from portfolio_ml.cli import commands, delivery, models
from portfolio_ml.cli.demo import demo
from portfolio_ml.cli.init import init
from portfolio_ml.cli.portfolio import portfolio
from portfolio_ml.cli.printing import print_versions
from portfolio_ml.errors import ConfigError, PortfolioError

BUG = 1
INTERRUPTED = 130

# What Typer raises for a wrong command line; it exports only the kinds below it.
USAGE_ERROR: Any = typer.BadParameter.__mro__[1]

EXAMPLES = {
    "demo": "demo cdnow --dir demo",
    "init": "init --transactions sales.csv",
    "validate": "validate --config sales.yaml",
    "features": "features --config sales.yaml --as-of 2024-06-30",
    "snapshots": "snapshots --config sales.yaml --out snapshots.parquet",
    "backtest": "backtest --config sales.yaml",
    "tune": "tune --config sales.yaml --minutes 30",
    "train": "train --config sales.yaml",
    "promote": "promote churn 3 --config sales.yaml",
    "rollback": "rollback churn --config sales.yaml --reason 'too many false alarms'",
    "champions": "champions --config sales.yaml",
    "score": "score --config sales.yaml --dry-run",
    "deliver": "deliver --retry --config sales.yaml",
    "migrate": "migrate --config sales.yaml",
    "erase": "erase --customer 00042 --config sales.yaml",
    "portfolio": "portfolio --config sales.yaml --figure sections",
    "monitor": "monitor --config sales.yaml --fail-on retrain",
    "report": "report --config sales.yaml",
}

app = typer.Typer(
    name="portfolio-ml",
    help="Churn, lifetime value and segments from transaction history, delivered to the CRM.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (demo, init, *commands.COMMANDS, *delivery.COMMANDS, portfolio):
    app.command(epilog=f"Example: portfolio-ml {EXAMPLES[command.__name__]}")(command)
app.add_typer(models.app)


@app.callback(invoke_without_command=True)
def _version(
    version: bool = typer.Option(False, "--version", help="Show the versions and exit."),
) -> None:
    if version:
        print_versions()
        raise typer.Exit


def main() -> None:
    """Run the command line; ends the process with the exit code that tells what happened."""
    signal.signal(signal.SIGTERM, _terminated)
    sys.exit(run(sys.argv[1:]))


def _terminated(number: int, _: object) -> None:
    """End as after Ctrl-C, so that half-written files are removed on the way out."""
    del number
    raise KeyboardInterrupt


def run(arguments: list[str]) -> int:
    """Run the command line on `arguments`; gives the exit code, having told errors on stderr."""
    try:
        code = app(arguments, standalone_mode=False)
    except USAGE_ERROR as error:
        error.show()
        return ConfigError.exit_code
    except PortfolioError as error:
        print(f"portfolio-ml: {error}", file=sys.stderr)
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        print("portfolio-ml: interrupted", file=sys.stderr)
        return INTERRUPTED
    except RuntimeError as error:
        is_stopped = "interrupted" in str(error).lower()  # what DuckDB makes of Ctrl-C
        code = INTERRUPTED if is_stopped else _bug()
    except Exception:  # noqa: BLE001 - whatever is left is a bug, and shows its traceback
        return _bug()
    if code == INTERRUPTED:  # Typer turns Ctrl-C into it while a command runs
        print("portfolio-ml: interrupted", file=sys.stderr)
    return code if isinstance(code, int) else 0


def _bug() -> int:
    traceback.print_exc()
    print("portfolio-ml: this is a bug; please report the traceback above", file=sys.stderr)
    return BUG
