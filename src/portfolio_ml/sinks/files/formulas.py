r"""Text that a spreadsheet leaves as it is: protected on its way out, the original on its way back.

A spreadsheet runs a cell that begins with `=`, `+`, `-`, `@`, a tab or a line break as a formula,
also after spaces, quotes and invisible characters, and some do for the full-width forms. As OWASP
advises (https://owasp.org/www-community/attacks/CSV_Injection), such a text gets an apostrophe in
front. The same holds within a text after `;`, `|` and a line break: a spreadsheet that is set to
another separator begins a cell there. A text that would be read as another number or as a date,
such as `00123`, `1E5` or `3-4`, gets the apostrophe too, and keeps its zeros.

Every change can be undone, whatever the text, because a text that looks protected is itself
protected.
"""

import pyarrow as pa
import pyarrow.compute as pc

# In RE2's words, which Arrow speaks: what a spreadsheet may skip before the first sign.
_SKIPPED_IN_LINE = r"""[\p{Z}\p{Cf}'"\x{0}-\x{8}\x{b}\x{c}\x{e}-\x{1f}\x{7f}-\x{9f}]*"""
_SKIPPED = r"""[\p{Z}\p{Cf}\p{Cc}'"]*"""
_SIGNS = "=+\\-@＝＋－＠﹦﹢﹣﹫−"
_WITHIN = rf"([;|\t\r\n])({_SKIPPED_IN_LINE}[{_SIGNS}])"
_WITHIN_PROTECTED = rf"([;|\t\r\n])'({_SKIPPED_IN_LINE}[{_SIGNS}])"
_FORMULA = rf"^{_SKIPPED}[\t\r\n{_SIGNS}]"
_LIKE_A_NUMBER = rf"^{_SKIPPED}[0-9.][0-9.,:/%eE+ \-]*$"
_SAME_AS_NUMBER = r"^(0|[1-9][0-9]{0,14})$"


def protected(texts: pa.Array) -> pa.Array:
    """The texts as a spreadsheet may see them; null stays null.

    Example:
        >>> protected(pa.array(["=1+1", "00123", "42", "Ann", None])).to_pylist()
        ["'=1+1", "'00123", '42', 'Ann', None]
    """
    within = pc.replace_substring_regex(texts, _WITHIN, r"\1'\2")
    marked = pc.binary_join_element_wise("'", within, "")
    return pc.if_else(_needs_mark(within), marked, within)


def original(texts: pa.Array) -> pa.Array:
    """The texts before they were protected.

    Example:
        >>> original(pa.array(["'=1+1", "'00123", "'tis", None])).to_pylist()
        ['=1+1', '00123', "'tis", None]
    """
    rest = pc.utf8_slice_codeunits(texts, 1)
    is_marked = pc.and_(pc.starts_with(texts, "'"), _needs_mark(rest))
    within = pc.if_else(is_marked, rest, texts)
    return pc.replace_substring_regex(within, _WITHIN_PROTECTED, r"\1\2")


def _needs_mark(texts: pa.Array) -> pa.Array:
    is_number = pc.and_not(
        pc.match_substring_regex(texts, _LIKE_A_NUMBER),
        pc.match_substring_regex(texts, _SAME_AS_NUMBER),
    )
    return pc.or_(pc.match_substring_regex(texts, _FORMULA), is_number)
