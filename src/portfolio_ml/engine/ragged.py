"""Lines of a CSV file that do not hold one value per column, told apart from those that do.

DuckDB reads a file with such a line not at all, or passes over the line without a number. Here the
rows are parted as DuckDB parts them, and written down again with the broken ones marked.
"""

import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from portfolio_ml.config import CsvFormat
from portfolio_ml.engine.files import CODECS, Layout, header_of, skipped_lines

SHOWN_CHARACTERS = 200
_LONGEST_ROW = 1_000_000


def mend(file: Path, copy: Path, layout: Layout, written: CsvFormat) -> int:
    """Write `copy`, which has one column more: empty, but for broken lines, which are there alone.

    The column holds their first 200 characters, as hexadecimal UTF-8. A value that does not end
    in its quotes breaks the line that it begins on, and no line after it.

    Args:
        file: A CSV file in UTF-8.
        copy: The file to write.
        layout: The file's layout.
        written: How it is written.

    Returns:
        How many lines are broken.
    """
    end, delimiter, broken = layout.line_end or "\r", layout.delimiter, 0
    width = len(layout.columns)
    grammar = _Grammar(delimiter, written.quote, width)
    with (
        file.open(encoding=CODECS["utf-8"], errors="surrogateescape", newline=end) as source,
        copy.open("w", encoding="utf-8", errors="surrogateescape", newline="") as target,
    ):
        target.write(skipped_lines(source, written))
        target.write(header_of(source, written).removesuffix(end) + delimiter + end)
        for text, is_row in _rows(source, grammar, end):
            if is_row:
                target.write(text + delimiter + end)
            elif text:
                broken += 1
                target.write(delimiter * width + _shown(text) + end)
            else:  # a blank line is no row
                target.write(end)
    return broken


class _Grammar:
    """How DuckDB parts a row into values.

    A value is quoted from its first character, or after one blank. Only blanks may follow its
    quotes, and where another quote follows those, it goes on. Empty values may follow the last
    column's.
    """

    def __init__(self, delimiter: str, quote: str, width: int) -> None:
        self._delimiter, self.quote, self._width = delimiter, quote, width
        sign, mark = re.escape(delimiter), re.escape(quote)
        opened, empty, plain = "(?!)", "", f"[^{sign}]*+"
        if quote:
            opened = f" ?{mark}[^{mark}]*+(?:{mark} *{mark}[^{mark}]*+)*+"
            empty = f"(?: ?{mark}{mark} *)?"
            plain = f"(?! ?{mark}){plain}"
        value = f"(?:{opened}{mark} *(?={sign}|\\Z)|{plain})"
        self._row = re.compile(f"{value}(?:{sign}{value}){{{width - 1}}}(?:{sign}{empty})*")
        self._values = re.compile(f"{value}(?:{sign}{value})*+")
        self._open = re.compile(f"(?:{value}{sign})*+{opened}")

    def is_row(self, text: str) -> bool:
        """Whether there is a value per column."""
        is_plain = not self.quote or self.quote not in text
        if is_plain and text.count(self._delimiter) == self._width - 1:
            return True  # what the pattern would say, sooner
        return self._row.fullmatch(text) is not None

    def is_parted(self, text: str) -> bool:
        """Whether it consists of values, however many."""
        return self._values.fullmatch(text) is not None

    def is_open(self, text: str) -> bool:
        """Whether it ends within quotes."""
        return self._open.fullmatch(text) is not None


def _shown(text: str) -> str:
    short = text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
    return short.encode("utf-8", errors="replace").hex()


def _rows(lines: Iterator[str], grammar: _Grammar, end: str) -> Iterator[tuple[str, bool]]:
    """The text of each row without its end, and whether it is one.

    A line with quotes that are not closed as they should be is a broken row of its own.
    """
    ahead: deque[str] = deque()
    while line := ahead.popleft() if ahead else next(lines, ""):
        text = line.removesuffix(end)
        if grammar.is_row(text):
            yield text, True
            continue
        more = _run_on(line, lines, ahead, grammar)
        whole = "".join([line, *more]).removesuffix(end)
        if grammar.is_parted(whole):
            yield whole, grammar.is_row(whole)
        else:
            ahead.extendleft(reversed(more))
            yield text, False


def _run_on(line: str, lines: Iterator[str], ahead: deque[str], grammar: _Grammar) -> list[str]:
    """The lines that the last value of a line runs on to; taken from those ahead."""
    more: list[str] = []
    length, is_open = len(line), grammar.is_open(line)
    while is_open and length < _LONGEST_ROW:
        following = ahead.popleft() if ahead else next(lines, "")
        if not following:
            break
        more.append(following)
        length += len(following)
        if grammar.quote in following:
            is_open = grammar.is_open("".join([line, *more]))
    return more
