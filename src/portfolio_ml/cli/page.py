"""The commands and the exit codes as pages of the docs.

`make docs-commands` and `make docs-exit-codes` write them to docs/reference.
"""

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

from typer.main import get_command

from portfolio_ml import errors
from portfolio_ml.cli.app import BUG, INTERRUPTED, app
from portfolio_ml.errors import PortfolioError

_COMMANDS = """# Commands

For those who type commands, or have a scheduler do it. Made from the command line by
`make docs-commands`; `portfolio-ml COMMAND --help` says the same. Results go to standard output, a
table for people or with `--json` one object for programs; progress goes to standard error.

Every command ends with one of [the exit codes](exit_codes.md). Any may end with 0, 1, 2 or 130.
Those that read the data or the registry, or write to a target, may end with 65, 69 or 75. What a
code means of a command in particular is said below it.
"""
_EXIT_CODES = """# Exit codes

For those who run commands unattended. Made from the errors by `make docs-exit-codes`. A scheduler
decides by them what to do next: [the nightly run](../how-to/operations/nightly.md) has a table of
it for cron, Airflow and Kubernetes. A later version may add codes, and gives none of these another
meaning.

The Python functions raise what the commands end with: every expected failure is a
`portfolio_ml.PortfolioError`, whose `exit_code` is the command's, and whose parts `what`, `where`,
`saw` and `do` make the sentence that is told.

"""
_PANEL = "Commands"
_EXAMPLE = "Example"
_UNWRAPPED = "\b\n"
_HEAD = ("option", "value", "default", "what it says")
_CODES_HEAD = ("code", "meaning", "raised as")


def commands() -> str:
    """The page on the commands: a section per command, a row per argument and option."""
    top: Any = get_command(app)
    parts = [_COMMANDS, f"## `portfolio-ml`\n\n{_prose(top.help)}\n\n{_options(top)}\n"]
    panels: dict[str, list[str]] = {}
    for panel, name, command in _listed(top, "", _PANEL):
        panels.setdefault(panel, []).append(_section(name, command))
    for panel, sections in panels.items():
        parts += [f"## {panel}\n", *sections]
    return "\n".join(parts)


def exit_codes() -> str:
    """The page on the exit codes: a row per code."""
    rows = {
        0: ("Done.", ""),
        BUG: ("A bug, with its traceback on standard error: please report it.", ""),
        INTERRUPTED: (
            "Stopped, by Ctrl-C or SIGTERM, or as nobody reads what it prints: run it again.",
            "",
        ),
    }
    for code, kinds in _raised().items():
        meaning = (inspect.getdoc(kinds[0]) or "").partition("\n")[0]
        rows[code] = (meaning, ", ".join(f"`{kind.__name__}`" for kind in kinds))
    told = [(f"`{code}`", *row) for code, row in sorted(rows.items())]
    return _EXIT_CODES + _table(_CODES_HEAD, told)


def _raised() -> dict[int, list[type[PortfolioError]]]:
    """The errors of the tree by their exit code, each code's own before those below it."""
    found: dict[int, list[type[PortfolioError]]] = {}
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, PortfolioError) and kind != PortfolioError:
            found.setdefault(kind.exit_code, []).append(kind)
    return found


def _listed(group: Any, before: str, panel: str) -> Iterator[tuple[str, str, Any]]:  # noqa: ANN401 - Typer exports no type
    """Every command, with the part of the help in which it stands and its full name."""
    for name, command in group.commands.items():
        full, part = f"{before}{name}", command.rich_help_panel or panel
        if hasattr(command, "commands"):
            yield from _listed(command, f"{full} ", part)
        else:
            yield part, full, command


def _section(name: str, command: Any) -> str:  # noqa: ANN401 - likewise
    usage = f"```text\n{_usage(name, command)}\n```"
    parts = [f"### `{name}`", _prose(command.help), usage, _options(command)]
    return "\n\n".join([*parts, *_ending(command)]) + "\n"


def _ending(command: Any) -> Iterator[str]:  # noqa: ANN401 - likewise
    """The paragraphs at the end of the help, with their labels; what is to be typed, as code."""
    for paragraph in (command.epilog or "").split("\n\n"):
        label, _, text = paragraph.partition(": ")
        yield f"**{label}**: " + (f"`{text}`" if label == _EXAMPLE else text)


def _prose(text: str | None) -> str:
    """Help as Markdown; what is not to be wrapped there is a block here."""
    paragraphs = inspect.cleandoc(text or "").split("\n\n")
    return "\n\n".join(
        f"```text\n{inspect.cleandoc(each.removeprefix(_UNWRAPPED))}\n```"
        if each.startswith(_UNWRAPPED)
        else each
        for each in paragraphs
    )


def _usage(name: str, command: Any) -> str:  # noqa: ANN401 - likewise
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and p.required]
    words = [p.metavar if p.required else f"[{p.metavar}]" for p in arguments]
    words += [f"{p.opts[0]} {p.metavar}" for p in options]
    return " ".join(["portfolio-ml", name, *words, "[OPTIONS]"])


def _options(command: Any) -> str:  # noqa: ANN401 - likewise
    return _table(_HEAD, [_option(each) for each in command.params]).rstrip()


def _option(parameter: Any) -> tuple[str, ...]:  # noqa: ANN401 - likewise
    is_argument = parameter.param_type_name == "argument"
    names = [parameter.metavar] if is_argument else [*parameter.opts, *parameter.secondary_opts]
    has_value = not is_argument and not parameter.is_flag
    value = f"`{parameter.metavar}`" if has_value else ""
    if parameter.min is not None:
        value += f" from {parameter.min}"
    return (
        ", ".join(f"`{name}`" for name in names),
        value.strip(),
        "**required**" if parameter.required else _default(parameter),
        (parameter.help or "").replace("|", "\\|"),
    )


def _default(parameter: Any) -> str:  # noqa: ANN401 - likewise
    value = parameter.default
    if value is None or (value is False and not parameter.secondary_opts):
        return ""
    if isinstance(value, bool):
        return f"`{(parameter.opts if value else parameter.secondary_opts)[0]}`"
    return f"`{value}`"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
