"""Values as SQL: what a column holds, read as text, number, day or minute of the day.

Numbers are plain (`1234.5`, `1e3`) unless the format says how people write them: then currency
signs, groups of three, a minus at either end and an amount in parentheses are read as well.
"""

from collections.abc import Container, Mapping

from portfolio_ml.config import CsvFormat
from portfolio_ml.engine.frames import Kind, Reading

_LOCAL_TIME_TYPES = {"DATE", "TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMP_MS", "TIMESTAMP_S"}
_INSTANT_TYPES = {"TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS"}
FLOATS = {"FLOAT", "DOUBLE"}
_WHOLE_TYPES = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"}
_NUMBER_TYPES = {*FLOATS, *_WHOLE_TYPES, *(f"U{name}" for name in _WHOLE_TYPES), "DECIMAL"}
_BLANKS = r"[\x09-\x0d\x1c-\x20\x{85}\p{Z}]+"
_BLANKS_AROUND = f"^{_BLANKS}|{_BLANKS}$"
_LARGEST_WHOLE = 2**53

_TIMES_OF_DAY = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p", "%I:%M%p")
_HOURS = ("%H", "%I")
_NO_CENTS = "[-−–]{1,2}$"
_CURRENCY = r"(\p{Lu}{0,3}\p{Sc}|[\p{Lu}]{3}|z[łl]|Kč|kr|Ft|lei|Fr)\.?"
_MINUS = "[-−–]"

_MONTHS = """\
jan january januar janv janvier enero ene gennaio gen januari janeiro styczen stycznia sty
feb february februar fevrier fevr fev febrero febbraio februari fevereiro luty lutego lut
mar march marz mrz mars marzo maart mrt marco marzec marca
apr april avril avr abril abr aprile kwiecien kwietnia kwi
may mai mayo maggio mag mei maio maj maja
jun june juni juin junio giugno giu junho czerwiec czerwca cze
jul july juli juillet juil julio luglio lug julho lipiec lipca lip
aug august aout agosto ago augustus sierpien sierpnia sie
sep sept september septembre septiembre settembre set setembro wrzesien wrzesnia wrz
oct october okt oktober octobre octubre ottobre ott outubro out pazdziernik pazdziernika paz
nov november novembre noviembre novembro listopad listopada lis
dec december dez dezember decembre diciembre dic dicembre dezembro grudzien grudnia gru"""
MONTHS: Mapping[str, int] = {
    name: month
    for month, names in enumerate(_MONTHS.splitlines(), start=1)
    for name in names.split()
}
"""Month names and their short forms without accents, in eight languages."""


def quoted(name: str) -> str:
    """A column's name in SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text in SQL."""
    return "'" + text.replace("'", "''") + "'"


def read_as(
    reading: Reading,
    types: Mapping[str, str],
    *,
    timezone: str,
    written: CsvFormat,
    bare: Container[str] = (),
) -> str:
    """The SQL that reads columns as a reading says.

    Args:
        reading: What to read.
        types: The type of each column.
        timezone: The portfolio's.
        written: How texts are written.
        bare: The columns of text that have no blanks around it any more; see `bare_text`.
    """
    texts = (quoted(c) if c in bare else _text(c, types[c]) for c in reading.columns)
    values = (
        _read(reading.kind, c, types[c], text, timezone=timezone, written=written)
        for c, text in zip(reading.columns, texts, strict=True)
    )
    return (" || ' * ' || " if reading.kind == "text" else " * ").join(values)


def bare_text(column: str) -> str:
    """The SQL of a column as text without the blanks around it; null where nothing is left."""
    # Most have none, which is soon seen.
    text = f"CAST({column} AS VARCHAR)"
    ends = (f"{end} >= '!' AND {end} < chr(127)" for end in (text, f"{text}[-1]"))
    return (
        f"CASE WHEN {' AND '.join(ends)} THEN {text} "
        f"ELSE NULLIF(regexp_replace({text}, '{_BLANKS_AROUND}', '', 'g'), '') END"
    )


def _read(
    kind: Kind, name: str, type_name: str, text: str, *, timezone: str, written: CsvFormat
) -> str:
    column = quoted(name)
    if kind == "number":
        return _number(text, written) if type_name == "VARCHAR" else f"TRY_CAST({column} AS DOUBLE)"
    if kind == "text":
        return text_of_float(name) if type_name in FLOATS else text
    local = _local(column, text, type_name, timezone, written)
    if kind == "minute":
        return _minute(local, _tells_time(text, type_name, written))
    return f"CAST(date_diff('day', DATE '1970-01-01', CAST({local} AS DATE)) AS INTEGER)"


def _text(name: str, type_name: str) -> str:
    has_no_blanks = type_name.partition("(")[0] in _NUMBER_TYPES | _LOCAL_TIME_TYPES
    return f"CAST({quoted(name)} AS VARCHAR)" if has_no_blanks else bare_text(quoted(name))


def _local(column: str, text: str, type_name: str, timezone: str, written: CsvFormat) -> str:
    """The local time that a column of the type tells."""
    if type_name in _LOCAL_TIME_TYPES:
        return column
    if type_name in _INSTANT_TYPES:
        return f"TRY({column} AT TIME ZONE {literal(timezone)})"
    if written.date_format:
        return _time_written(text, written.date_format)
    return _local_time(text, timezone)


def _tells_time(text: str, type_name: str, written: CsvFormat) -> str:
    """Whether the local time is more than a date; every text with a time of day has a colon."""
    has_hours = any(mark in (written.date_format or "") for mark in _HOURS)
    if type_name == "DATE":
        return "FALSE"
    is_typed = type_name in _LOCAL_TIME_TYPES | _INSTANT_TYPES
    return "TRUE" if is_typed or has_hours else f"contains({text}, ':')"


def _minute(local: str, tells_time: str) -> str:
    moment = f"TRY_CAST({local} AS TIMESTAMP)"  # a date may lie far beyond what times reach
    minute = f"60 * date_part('hour', {moment}) + date_part('minute', {moment})"
    return f"CASE WHEN {tells_time} THEN CAST({minute} AS SMALLINT) END"


def text_of_float(name: str) -> str:
    """A whole number without its `.0`: ids become fractions where a tool met a missing one."""
    column = quoted(name)
    is_whole = f"{column} = trunc({column}) AND abs({column}) < {_LARGEST_WHOLE}"
    # Tried, since the engine may cast all rows, NaN too, before it asks which are whole.
    return (
        f"CASE WHEN isnan({column}) THEN NULL WHEN {is_whole} "
        f"THEN CAST(TRY_CAST({column} AS BIGINT) AS VARCHAR) ELSE CAST({column} AS VARCHAR) END"
    )


def _number(text: str, written: CsvFormat) -> str:
    if written.decimal == "." and written.thousands is None:
        return f"TRY_CAST({text} AS DOUBLE)"
    mark = "," if written.decimal == "," else "[.]"
    bare = f"regexp_replace({text}, '{_BLANKS}|^\\(|\\)$', '', 'g')"
    bare = f"regexp_replace({bare}, '^({_MINUS}?){_CURRENCY}', '\\1')"
    bare = f"regexp_replace({bare}, '{_CURRENCY}({_MINUS}?)$', '\\2')"
    bare = f"regexp_replace({bare}, '{mark}{_NO_CENTS}', '')"
    is_negative = (
        f"regexp_matches({text}, '^\\(.*\\)$') OR regexp_matches({bare}, '^{_MINUS}|{_MINUS}$')"
    )
    digits = f"regexp_replace({bare}, '^[+]|^{_MINUS}|{_MINUS}$', '', 'g')"
    group = _group_mark(written)
    whole = f"([0-9]+|[0-9]{{1,3}}({group}[0-9]{{2,3}})*{group}[0-9]{{3}})"
    form = f"({whole}({mark}[0-9]*)?|{mark}[0-9]+)([eE][-+]?[0-9]+)?"
    point = f"replace(regexp_replace({digits}, '{group}', '', 'g'), ',', '.')"
    return (
        f"CASE WHEN regexp_full_match({digits}, '{form}') "
        f"THEN TRY_CAST({point} AS DOUBLE) * CASE WHEN {is_negative} THEN -1 ELSE 1 END END"
    )


def _group_mark(written: CsvFormat) -> str:
    """What may part groups of digits; blanks are gone by then. All that the mark is not, if open.

    A text with groups in a format without them is no number, rather than another one.
    """
    marks = {",": ",", ".": "[.]", "'": "[''’]", " ": "[''’]"}
    return "[.''’]" if written.thousands is None else marks[written.thousands]


def _time_written(text: str, date_format: str) -> str:
    """The time that a text tells in a format; one without hours allows any time of day after it."""
    formats = [date_format]
    if not any(mark in date_format for mark in _HOURS):
        formats += [f"{date_format}{gap}{time}" for gap in (" ", "T") for time in _TIMES_OF_DAY]
        text = f"regexp_replace({text}, ', *([0-9]+:)', ' \\1')"
    if "%b" in date_format or "%B" in date_format:
        formats = [f.replace("%b", "%m").replace("%B", "%m") for f in formats]
        text = _with_month_numbers(text)
    return f"TRY_STRPTIME({text}, [{', '.join(map(literal, formats))}])"


def _with_month_numbers(text: str) -> str:
    word = "[\\p{L}]{3,}"
    names = ", ".join(f"{literal(name)}: '{month:02}'" for name, month in MONTHS.items())
    found = f"strip_accents(lower(regexp_extract({text}, '{word}')))"
    number = f"map {{{names}}}[{found}]"
    return f"regexp_replace({text}, '{word}[.]?', {number})"


def _local_time(text: str, timezone: str) -> str:
    """The time that a text tells: a date, a local time, or an instant with its zone."""
    zoned = f"regexp_replace({text}, ' +([-+][0-9:]+|Z)$', '\\1')"
    return f"""CASE
        WHEN regexp_full_match({text}, '[0-9]{{8}}') THEN TRY_STRPTIME({text}, '%Y%m%d')
        WHEN regexp_matches({text}, ':[0-9.]+ *[-+](1[6-9]|[2-9][0-9])(:?[0-9]{{2}})*$') THEN NULL
        WHEN regexp_matches({text}, ':[0-9.]+ *[^0-9.: ]')
        THEN TRY(TRY_CAST({zoned} AS TIMESTAMPTZ) AT TIME ZONE {literal(timezone)})
        WHEN regexp_matches({text}, '^[0-9]') THEN TRY_CAST({text} AS TIMESTAMP)
    END"""
