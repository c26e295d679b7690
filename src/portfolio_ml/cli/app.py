"""`portfolio-ml`: the entry point, and how errors become sentences and exit codes."""

import errno
import functools
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer

from portfolio_ml import scratch
from portfolio_ml.cli import champions, commands, delivery, models
from portfolio_ml.cli.demo import demo
from portfolio_ml.cli.doctor import doctor
from portfolio_ml.cli.help import WIDEST, Command, Commands
from portfolio_ml.cli.init import init
from portfolio_ml.cli.mistakes import tell_error, tell_mistake
from portfolio_ml.cli.portfolio import portfolio
from portfolio_ml.cli.printing import print_versions
from portfolio_ml.cli.walk import EXIT_CODES, FIRST_STEPS, PAGES, Page
from portfolio_ml.errors import ConfigError, PortfolioError, ServiceUnavailableError

BUG = 1
INTERRUPTED = 130
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

# What Typer raises for a wrong command line; it exports only the kinds below it.
USAGE_ERROR: Any = typer.BadParameter.__mro__[1]

app = typer.Typer(
    cls=Commands,
    name="portfolio-ml",
    help=f"Churn, lifetime value and segments from transaction history, delivered to the CRM.\n\n"
    f"{FIRST_STEPS}",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"max_content_width": WIDEST},
)
_COMMANDS: Any = (
    *(demo, init, doctor, portfolio),
    *commands.COMMANDS,
    *champions.COMMANDS,
    *delivery.COMMANDS,
)
_BY_NAME = {command.__name__: command for command in _COMMANDS}


def _add_all() -> None:
    """Add the commands in the order of the walk, those on bundles as one."""
    for name, page in PAGES.items():
        if name in _BY_NAME:
            _add(app, name, page, _BY_NAME[name])
    on_bundles: Mapping[str, Any] = models.COMMANDS
    for name, command in on_bundles.items():
        _add(models.app, name, PAGES[f"models {name}"], command)
    app.add_typer(models.app, rich_help_panel="Operate")


def _add(to: typer.Typer, name: str, page: Page, command: Callable[..., None]) -> None:
    panel = page.part if to is app else None
    to.command(name, cls=Command, epilog=page.epilog, rich_help_panel=panel)(command)


_add_all()


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the versions of the package and its libraries, and exit."
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --version: print one JSON object.")
    ] = False,
) -> None:
    if version:
        print_versions(as_json=as_json)
        raise typer.Exit
    if as_json:
        raise typer.BadParameter("--json goes after the command, or with --version")


def main() -> None:
    """Run the command line; ends the process with the exit code that tells what happened."""
    signal.signal(signal.SIGTERM, _terminated)
    _take_everything()
    sys.exit(_printed(run(sys.argv[1:])))


def _take_everything() -> None:
    """Let the standard streams take whatever is printed.

    One that was closed swallows it, and letters that a stream's encoding lacks are escaped.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - to the end
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _terminated(number: int, _: object) -> None:
    """End as after Ctrl-C, so that half-written files are removed on the way out."""
    del number
    raise KeyboardInterrupt


def run(arguments: list[str]) -> int:
    """Run the command line on `arguments`; gives the exit code, having told errors on stderr."""
    try:
        with scratch.for_everything():
            code = _command()(arguments, prog_name="portfolio-ml", standalone_mode=False)
    except USAGE_ERROR as error:
        tell_mistake(error, arguments)
        return ConfigError.exit_code
    except PortfolioError as error:
        tell_error(error)
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        print("portfolio-ml: interrupted", file=sys.stderr)
        return INTERRUPTED
    except SystemExit as error:
        if not isinstance(error.__context__, BrokenPipeError):
            raise
        code = INTERRUPTED  # nobody reads what is printed any more
    except RuntimeError as error:
        is_stopped = "interrupted" in str(error).lower()  # what DuckDB makes of Ctrl-C
        code = INTERRUPTED if is_stopped else _bug()
    except OSError as error:
        return _no_room(error) if error.errno in _NO_ROOM else _bug()
    except Exception:  # noqa: BLE001 - whatever is left is a bug, and shows its traceback
        return _bug()
    if code == INTERRUPTED:  # Typer turns Ctrl-C into it while a command runs
        print("portfolio-ml: interrupted", file=sys.stderr)
    return code if isinstance(code, int) else 0


@functools.cache
def _command() -> Callable[..., object]:
    """What Typer makes of all commands, which takes longer than many of them."""
    return typer.main.get_command(app)


def _printed(code: int) -> int:
    """The exit code, once what was printed has arrived; what has no room there is given up."""
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # it is flushed once more
        if isinstance(error, BrokenPipeError):
            return code or INTERRUPTED
        return code or (_no_room(error) if error.errno in _NO_ROOM else BUG)
    return code


def _no_room(error: OSError) -> int:
    """Tell of a disk without room, where nobody closer to it has: such as for what is printed."""
    fault = ServiceUnavailableError(
        "there is no room for what is written",
        where=str(error.filename or "standard output or a temporary file"),
        saw=os.strerror(error.errno or 0),
        do="free some space and run the same command again",
    )
    tell_error(fault)
    return fault.exit_code


def _bug() -> int:
    traceback.print_exc()
    print("portfolio-ml: this is a bug; please report the traceback above", file=sys.stderr)
    return BUG
