"""Lines of a CSV file that do not hold one value per column, told apart from those that do.

DuckDB reads a file with such a line not at all, or passes over the line without a number; nor does
it read one whose lines end in several ways, or are longer than its buffer. Here the rows are parted
as DuckDB parts them, and written down again with the broken ones marked.
"""

import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from portfolio_ml.config import CsvFormat
from portfolio_ml.engine.files import CODECS, Layout, header_of, skipped_lines

LINE_END = "\n"
SHOWN_CHARACTERS = 200
_LINE_ENDS = ("\n", "\r")
_LONGEST_ROW = 1_000_000
_MOST_BYTES = 1_900_000  # DuckDB's buffer holds 2,000,000


def mend(file: Path, copy: Path, layout: Layout, written: CsvFormat) -> bool:
    """Write `copy`, which has one column more: empty, but for broken lines, which are there alone.

    The column holds their first 200 characters, as hexadecimal UTF-8. A value that does not end
    in its quotes breaks the line that it begins on, and no line after it. All lines of the copy
    end in `LINE_END`; beyond 1.9 MB, a line is broken.

    Args:
        file: A CSV file in UTF-8.
        copy: The file to write.
        layout: The file's layout.
        written: How it is written.

    Returns:
        Whether a line is broken, or ends otherwise than the header.
    """
    end, delimiter = LINE_END, layout.delimiter
    is_broken, ends = False, {layout.line_end or "\r", ""}
    usual = frozenset(ends)
    width = len(layout.columns)
    grammar = _Grammar(delimiter, written.quote, width)
    with (
        file.open(encoding=CODECS["utf-8"], errors="surrogateescape", newline="") as source,
        copy.open("w", encoding="utf-8", errors="surrogateescape", newline="") as target,
    ):
        skipped_lines(source, written)
        target.write(end * written.skip_lines)  # as they are, their ends and quotes hide the rows
        target.write(header_of(source, written).rstrip("\r\n") + delimiter + end)
        for text, is_row in _rows(_lines(source, ends), grammar):
            if is_row:
                target.write(text + delimiter + end)
            elif text:
                is_broken = True
                target.write(delimiter * width + _shown(text) + end)
            else:  # a blank line is no row
                target.write(end)
    return is_broken or ends > usual


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
            opened = f" ?{mark}[^{mark}]*+(?:{mark} *{mark}[^{mark}]*+)*"
            empty = f"(?: ?{mark}{mark} *)?"
            plain = f"(?! ?{mark}){plain}"
        # No group is possessive: Python 3.11.2, which Debian 12 has, matches such ones wrongly.
        value = f"(?:{opened}{mark} *(?={sign}|\\Z)|{plain})"
        self._row = re.compile(f"{value}(?:{sign}{value}){{{width - 1}}}(?:{sign}{empty})*")
        self._values = re.compile(f"{value}(?:{sign}{value})*")
        self._opens = re.compile(f"(?:{value}{sign})*{opened}")
        inside = f"[^{mark}]*+(?:{mark} *{mark}[^{mark}]*+)*" if quote else "(?!)"
        self._stays_open = re.compile(f"{inside}(?:{mark} *{sign}(?:{value}{sign})*{opened})?")

    def is_row(self, text: str) -> bool:
        """Whether there is a value per column, and not more than can be read."""
        if 4 * len(text) > _MOST_BYTES and len(_encoded(text)) > _MOST_BYTES:
            return False
        is_plain = not self.quote or self.quote not in text
        if is_plain and text.count(self._delimiter) == self._width - 1:
            return True  # what the pattern would say, sooner
        return self._row.fullmatch(text) is not None

    def is_parted(self, text: str) -> bool:
        """Whether it consists of values, however many."""
        return self._values.fullmatch(text) is not None

    def opens(self, line: str) -> bool:
        """Whether a row that begins with this line ends it within quotes."""
        return self._opens.fullmatch(line) is not None

    def stays_open(self, line: str) -> bool:
        """Whether a row that reaches this line within quotes ends it within quotes."""
        return self._stays_open.fullmatch(line) is not None


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", errors="surrogateescape")


def _lines(source: TextIO, ends: set[str]) -> Iterator[str]:
    """The lines with their ends; of one that is too long to be read, so much that it is broken.

    How they end is put into `ends`.
    """
    most = _MOST_BYTES + 1  # what is cut off is no row, whatever the part that is left looks like
    while line := source.readline(most):
        ends.add(line[len(_without_end(line)) :])
        yield line
        while len(line) == most and not line.endswith(_LINE_ENDS):
            line = source.readline(most)


def _shown(text: str) -> str:
    short = text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
    return short.encode("utf-8", errors="replace").hex()


def _rows(lines: Iterator[str], grammar: _Grammar) -> Iterator[tuple[str, bool]]:
    """The text of each row without its end, and whether it is one.

    A line with quotes that are not closed as they should be is a broken row of its own.
    """
    ahead: deque[str] = deque()
    while line := ahead.popleft() if ahead else next(lines, ""):
        text = _without_end(line)
        if grammar.is_row(text):
            yield text, True
            continue
        more = _run_on(line, lines, ahead, grammar)
        whole = _without_end("".join([line, *more]))
        if grammar.is_parted(whole):
            yield whole, grammar.is_row(whole)
        else:
            ahead.extendleft(reversed(more))
            yield text, False


def _run_on(line: str, lines: Iterator[str], ahead: deque[str], grammar: _Grammar) -> list[str]:
    """The lines that the last value of a line runs on to; taken from those ahead."""
    more: list[str] = []
    length, is_open = len(line), grammar.opens(line)
    while is_open and length < _LONGEST_ROW:
        following = ahead.popleft() if ahead else next(lines, "")
        if not following:
            break
        more.append(following)
        length += len(following)
        is_open = grammar.quote not in following or grammar.stays_open(following)
    return more


def _without_end(line: str) -> str:
    return line[:-2] if line.endswith("\r\n") else line.removesuffix("\n").removesuffix("\r")
