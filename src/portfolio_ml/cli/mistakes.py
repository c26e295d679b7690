"""What went wrong, in sentences: a command line with what was probably meant, a config, a run."""

import re
import sys
from collections.abc import Sequence
from typing import Any

from portfolio_ml.cli.completion import CONFIGS, configs
from portfolio_ml.errors import FaultyConfigError, PortfolioError, nearest

_FILE_OPTIONS = {"config": CONFIGS, "transactions": (".csv", ".parquet")}


def tell_error(error: PortfolioError) -> None:
    """Tell an expected failure on standard error; the faults of a config a line each."""
    if not isinstance(error, FaultyConfigError):
        print(f"portfolio-ml: {error}", file=sys.stderr)
        return
    print(f"portfolio-ml: The config has faults (in {error.where}):", file=sys.stderr)
    for fault in error.faults:
        print(f"  - {fault}", file=sys.stderr)
    print("Correct them and run it again.", file=sys.stderr)


def tell_mistake(error: Any, arguments: Sequence[str]) -> None:  # noqa: ANN401 - Typer's own, private
    """Tell on standard error what was wrong, what was probably meant, and where help is.

    Args:
        error: What Typer raised.
        arguments: The command line.
    """
    if not isinstance(error.message, str) or type(error).__name__ == "NoArgsIsHelpError":
        error.show()  # the help itself
        return
    print(f"portfolio-ml: {_sentence(error)}{_meant(error, arguments)}", file=sys.stderr)
    if error.ctx is not None:
        print(f"Try: {error.ctx.command_path} --help", file=sys.stderr)


def _sentence(error: Any) -> str:  # noqa: ANN401 - Typer's own, private
    is_option = hasattr(error, "possibilities")
    said = error.message if is_option else error.format_message()
    said = re.sub(r"\s+", " ", said.replace("Value error, ", "")).strip().rstrip(".?")
    return f"{said[:1].upper()}{said[1:]}{'?' if 'Did you mean' in said else '.'}"


def _meant(error: Any, arguments: Sequence[str]) -> str:  # noqa: ANN401 - Typer's own, private
    guess = _guess(error, arguments)
    return f" Did you mean {guess}?" if guess else ""


def _guess(error: Any, arguments: Sequence[str]) -> str | None:  # noqa: ANN401 - Typer's own, private
    if hasattr(error, "possibilities"):  # a mistyped option
        return nearest(error.option_name, _options_of(error.ctx))
    param = getattr(error, "param", None)
    given, *known = re.findall(r"'([^']*)'", error.message or "") or [""]
    if " is not one of " in (error.message or ""):
        return nearest(given, known)
    if param is not None and param.name in _FILE_OPTIONS and "--" + param.name in param.opts:
        return _file_for(param.name, arguments)
    return None


def _options_of(ctx: Any) -> list[str]:  # noqa: ANN401 - Typer's own, private
    if ctx is None:
        return []
    return [name for param in ctx.command.get_params(ctx) for name in param.opts if "--" in name]


def _file_for(option: str, arguments: Sequence[str]) -> str | None:
    """The option with the file that was given without it, or with the only config that is here."""
    files = [each for each in arguments if each.endswith(_FILE_OPTIONS[option])]
    if not files and option == "config":
        files = [each for each in configs("") if "/" not in each]
    return f"--{option} {files[0]}" if len(files) == 1 else None
