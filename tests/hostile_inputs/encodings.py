"""Texts in encodings that were declared, were not, or are none."""

import codecs
from typing import Any

from tests.hostile_inputs.case import GOOD, read, told
from tests.laid_out import HEADER, csv

NAMED = csv("Müller,2024-03-05,10", "Żółć,2024-03-05,5")
WESTERN = csv("Müller,2024-03-05,10")


def _declared(encoding: str, **more: Any) -> dict[str, Any]:
    return {"config": {"data.transactions.format": {"encoding": encoding, **more}}}


CASES = [
    read("UTF-8 with a byte-order mark", 1, csv=codecs.BOM_UTF8 + csv(GOOD).encode()),
    read("a byte-order mark and quotes", 1,
         csv=codecs.BOM_UTF8 + b'"customer_id","timestamp","amount"\n' + GOOD.encode()),
    told("two byte-order marks", 65, "column 'customer_id' is missing", r"'\ufeffcustomer_id'",
         csv=codecs.BOM_UTF8 * 2 + csv(GOOD).encode()),
    read("files joined with their headers and marks", 2, {"timestamp_unreadable": 1},
         csv=(codecs.BOM_UTF8 + csv(GOOD).encode()) * 2),
    told("UTF-16 that was not declared", 65, "not UTF-8", "encoding: utf-16",
         csv=csv(GOOD).encode("utf-16")),
    told("UTF-16, big end first, that was not declared", 65, "not UTF-8", "encoding: utf-16",
         csv=codecs.BOM_UTF16_BE + csv(GOOD).encode("utf-16-be")),
    told("UTF-16 without a mark that was not declared", 65, "NUL", "utf-16",
         csv=csv(GOOD).encode("utf-16-le")),
    told("UTF-32 that was not declared", 65, "not UTF-8", "save it as UTF-8",
         csv=csv(GOOD).encode("utf-32")),
    read("UTF-16", 2, customers=("Müller", "Żółć"), csv=NAMED.encode("utf-16"),
         **_declared("utf-16")),
    read("UTF-16, big end first", 2, customers=("Müller", "Żółć"),
         csv=codecs.BOM_UTF16_BE + NAMED.encode("utf-16-be"), **_declared("utf-16")),
    told("UTF-16 cut within a character", 65, "not utf-16",
         csv=NAMED.encode("utf-16")[:-1], **_declared("utf-16")),
    told("UTF-8 that was declared UTF-16", 65, "not utf-16", csv=NAMED, **_declared("utf-16")),
    told("UTF-16 that was declared Latin-1", 65, "NUL", csv=NAMED.encode("utf-16"),
         **_declared("latin-1")),
    read("Latin-1", 1, customers=("Müller",), csv=WESTERN.encode("latin-1"),
         **_declared("latin-1")),
    read("windows-1252 with its own quotes", 1, customers=("“Ü€”",),
         csv=csv("“Ü€”,2024-03-05,1").encode("cp1252"), **_declared("windows-1252")),
    read("windows-1250", 1, customers=("Żółć",),
         csv=csv("Żółć,2024-03-05,1").encode("cp1250"), **_declared("windows-1250")),
    told("a byte that windows-1252 does not have", 65, "not windows-1252",
         csv=csv("\x81,2024-03-05,1").encode("latin-1"), **_declared("windows-1252")),
    told("an encoding that is none of ours", 2, "encoding", "'utf-16'", csv=WESTERN,
         **_declared("ebcdic")),
    told("an encoding of a program", 2, "encoding", csv=WESTERN, **_declared("zip")),
    told("UTF-8 and Latin-1 in one file", 65, "not UTF-8", "windows-1252",
         csv=NAMED.encode() + "Jürgen,2024-03-05,1\n".encode("latin-1")),
    told("a NUL written in two bytes", 65, "not UTF-8",
         csv=HEADER.encode() + b"\na\xc0\x80,2024-03-05,1\n"),
    told("a slash written in three bytes", 65, "not UTF-8",
         csv=HEADER.encode() + b"\n\xe0\x80\xaf,2024-03-05,1\n"),
    told("half of a surrogate pair", 65, "not UTF-8",
         csv=HEADER.encode() + b"\n\xed\xa0\xbd,2024-03-05,1\n"),
    told("a character beyond Unicode", 65, "not UTF-8",
         csv=HEADER.encode() + b"\n\xf4\x90\x80\x80,2024-03-05,1\n"),
    told("a character cut at the end", 65, "not UTF-8",
         csv=HEADER.encode() + b"\na,2024-03-05,1\xc3"),
    told("a wrong byte in a column that nobody asks for", 65, "not UTF-8",
         csv=HEADER.encode() + b",note\na,2024-03-05,1,\xff\n"),
    told("a wrong byte in the header", 65, "not UTF-8",
         csv=HEADER.encode() + b",\xfc\na,2024-03-05,1,\n"),
    told("a wrong byte and a broken line", 65, "not UTF-8",
         csv=HEADER.encode() + b"\na\nM\xfc,2024-03-05,1\n"),
    told("EBCDIC", 65, "not UTF-8", csv=csv(GOOD).encode("cp500")),
    read("one name in two normal forms", 2, customers=("Mu\u0308ller", "M\u00fcller"),
         csv=csv("M\u00fcller,2024-03-05,1", "Mu\u0308ller,2024-03-05,1")),
    read("line separators of Unicode in a value", 1, customers=("a\u2028b\x85c\x0bd",),
         csv=csv("a\u2028b\x85c\x0bd,2024-03-05,1")),
    told("a header of characters without width", 65, "column 'customer_id' is missing",
         r"'\u200bcustomer_id'", csv=csv(GOOD, header="\u200bcustomer_id,timestamp,amount")),
    told("a header in Cyrillic look-alikes", 65, "column 'customer_id' is missing",
         csv=csv(GOOD, header="сustomer_id,timestamp,amount")),
    read("a header of emoji", 1, csv=csv(GOOD, header="🧑,📅,💶"),
         config={"data.transactions.columns": {"customer_id": "🧑", "timestamp": "📅",
                                               "amount": "💶"}}),
]  # fmt: skip
