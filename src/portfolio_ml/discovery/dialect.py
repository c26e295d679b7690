"""How the bytes of a CSV file are written: encoding, lines before the header, delimiter, quotes."""

import codecs
import csv
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from portfolio_ml.config import CsvFormat
from portfolio_ml.engine.files import CODECS, DELIMITERS
from portfolio_ml.errors import DataError
from portfolio_ml.wording import counted

_LOOK_BYTES = 4_000_000
_LOOK_LINES = 50
_EASTERN = re.compile("[¹³¿][a-zà-ÿ]|[a-zà-ÿ]¹|[a-z][êæñ][^aeiou\\W]*(?=[³¹¿œ])")


def sniffed(file: Path) -> tuple[CsvFormat, tuple[str, ...]]:
    """The format of a CSV file, as far as its first lines tell, and what is unsure about it.

    Raises:
        DataError: The file is empty, cannot be read, or has no header.
    """
    try:
        with file.open("rb") as opened:
            head = opened.read(_LOOK_BYTES)
    except OSError as error:
        raise DataError("the file cannot be read", where=str(file), saw=error.strerror) from None
    encoding, doubts = _encoding(head)
    text = head.decode(CODECS[encoding], errors="ignore")
    lines = text.splitlines()[:_LOOK_LINES]
    if not any(line.strip() for line in lines):
        raise DataError("the file is empty", where=str(file), do="export it again")
    quote = _quote(lines)
    delimiter, skipped = _table(lines, quote)
    _demand_header(lines[skipped], delimiter, quote, file)
    if skipped:
        doubts = (*doubts, f"{counted(skipped, 'line')} before the header skipped")
    return (
        CsvFormat.model_validate(
            {
                "encoding": encoding,
                "delimiter": delimiter,
                "quote": quote,
                "skip_lines": skipped,
            }
        ),
        doubts,
    )


def _encoding(head: bytes) -> tuple[str, tuple[str, ...]]:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", ()
    if head[1:40:2].count(0) > 10:
        return "utf-16", ("UTF-16 without a byte-order mark",)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, final=False)
    except UnicodeDecodeError:
        pass
    else:
        return "utf-8", ()
    if not any(0x80 <= byte <= 0x9F for byte in head):
        name = "windows-1252"
    else:
        name = "windows-1252" if _decodes(head, "cp1252") else "latin-1"
    if _decodes(head, "cp1250") and _EASTERN.search(head.decode("cp1252", errors="ignore")):
        name = "windows-1250"
    return name, (f"the file is not UTF-8; its letters look like {name}",)


def _decodes(head: bytes, codec: str) -> bool:
    try:
        head.decode(codec)
    except UnicodeDecodeError:
        return False
    return True


def _quote(lines: Sequence[str]) -> str:
    text = "\n".join(lines)
    marks = ("'", '"')
    used = {
        m: len(re.findall(f"(?:^|[,;\t|]){m}[^{m}\n]*{m}(?=[,;\t|]|$)", text, re.MULTILINE))
        for m in marks
    }
    return "'" if used["'"] > len(lines) and not used['"'] else '"'


def _table(lines: Sequence[str], quote: str) -> tuple[str, int]:
    """The delimiter that parts most lines alike, and the lines before the first such line."""
    declared = re.match(r"sep=(.)\s*$", lines[0], re.IGNORECASE)
    best, best_score, best_width = ",", 0.0, 1
    for delimiter in (declared[1],) if declared else DELIMITERS:
        widths = Counter(_width(line, delimiter, quote) for line in lines if line.strip())
        widths.pop(1, None)
        for width, count in widths.items():
            score = count / len(lines) + 0.001 * width
            if score > best_score:
                best, best_score, best_width = delimiter, score, width
    first = next((n for n, s in enumerate(lines) if _width(s, best, quote) == best_width), 0)
    if best_width == 1:
        first = 0
    return best, first


def _width(line: str, delimiter: str, quote: str) -> int:
    try:
        return len(next(csv.reader([line], delimiter=delimiter, quotechar=quote), []))
    except csv.Error:
        return 0


def _demand_header(line: str, delimiter: str, quote: str, file: Path) -> None:
    names = next(csv.reader([line], delimiter=delimiter, quotechar=quote))
    values = [n for n in names if re.fullmatch(r"\s*[-+€$£]?\d[\d.,:/\-TZ ]*\s*", n)]
    if len(values) >= max(1, len(names) / 3):
        raise DataError(
            "the first line holds values and no column names",
            where=str(file),
            saw=f"{len(values)} of {len(names)} that are numbers or dates",
            do="write a line with the columns' names above it",
        )
