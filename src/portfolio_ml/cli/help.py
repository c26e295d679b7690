"""How `--help` is drawn: commands by their part of the walk, options by what they are about.

Plain text, wrapped and never cut, so that it reads alike in a terminal, a pipe and a page.
"""

import re
from typing import Any

from typer.core import TyperCommand, TyperGroup

PORTFOLIO = "Portfolio"
"""The panel of the options that say which portfolio is meant, and as of when."""
OUTPUT = "Output"
"""The panel of the options that say what is printed."""

WIDEST = 100
"""Letters in a line of help, however wide the terminal is."""

_OTHERS = "Options"
_ORDER = ("Arguments", PORTFOLIO, _OTHERS, OUTPUT)
_WHOLE = 10_000  # letters: no sentence is cut

Rows = list[tuple[str, str]]


class Command(TyperCommand):
    """A command whose options stand in groups."""

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - Typer's own, private
        """Write the arguments and options, a section per group."""
        _write(_options(self, ctx), formatter)


class Commands(TyperGroup):
    """Commands that stand in groups, in the order in which they were added."""

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - Typer's own, private
        """Write the commands, a section per group, and then the options."""
        _write(self._sections(ctx), formatter)
        _write(_options(self, ctx), formatter)

    def _sections(self, ctx: Any) -> dict[str, Rows]:  # noqa: ANN401 - Typer's own, private
        found: dict[str, Rows] = {}
        for name in self.list_commands(ctx):
            command: Any = self.get_command(ctx, name)
            rows = found.setdefault(command.rich_help_panel or "Commands", [])
            rows.append((name, command.get_short_help_str(_WHOLE)))
        return _aligned(found)


def _options(command: Any, ctx: Any) -> dict[str, Rows]:  # noqa: ANN401 - Typer's own, private
    found: dict[str, Rows] = {}
    for param in command.get_params(ctx):
        if record := param.get_help_record(ctx):
            found.setdefault(_panel(command, param), []).append(_plain(*record))
    ordered = [name for name in _ORDER if name in found]
    return {name: found[name] for name in ordered}


def _plain(name: str, text: str) -> tuple[str, str]:
    """The same without the types that the name tells already, and with bounds in words.

    Example:
        >>> _plain("VERSION <int range>", "Its number.  [x>=1; required]")
        ('VERSION', 'Its number.  [at least 1; required]')
    """
    return re.sub(r" <[^>]*>", "", name), text.replace("x>=", "at least ")


def _panel(command: Any, param: Any) -> str:  # noqa: ANN401 - Typer's own, private
    if param.param_type_name == "argument":
        return "Arguments"
    if param.name == "help" and isinstance(command, Command):
        return OUTPUT
    return param.rich_help_panel or _OTHERS


def _aligned(sections: dict[str, Rows]) -> dict[str, Rows]:
    """The same with names of one width, so that the sections' second columns stand in line."""
    width = max(len(name) for rows in sections.values() for name, _ in rows)
    return {
        title: [(name.ljust(width), text) for name, text in rows]
        for title, rows in sections.items()
    }


def _write(sections: dict[str, Rows], formatter: Any) -> None:  # noqa: ANN401 - Typer's own, private
    for title, rows in sections.items():
        with formatter.section(title):
            formatter.write_dl(rows)
