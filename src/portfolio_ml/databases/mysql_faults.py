"""The numbers by which MySQL and MariaDB tell what is wrong, in the error tree's terms."""

from portfolio_ml.databases.meanings import (
    CANCELLED,
    CROWDED,
    FULL,
    LOCKED,
    OVERTAKEN,
    SILENT,
    UNFIT,
    Meaning,
)
from portfolio_ml.errors import ConfigError, DataError, ServiceUnavailableError

_DENIED: Meaning = (
    ServiceUnavailableError,
    "the database denies access",
    "check the password, and what the user is granted",
)
_READ_ONLY: Meaning = (
    ServiceUnavailableError,
    "the database may not be written",
    "deliver to the server that others are copied from",
)
_PACKET: Meaning = (
    ServiceUnavailableError,
    "a statement is too long for the database",
    "raise its max_allowed_packet",
)
_NAME: Meaning = (ConfigError, "a name is none for this database", "choose another")
_ROW: Meaning = (DataError, "the database refuses a row", "look at the table's own rules")

REFUSED = frozenset(
    # keys, nulls, missing values, references, checks, triggers
    {1022, 1048, 1062, 1169, 1216, 1217, 1364, 1451, 1452, 1526, 1557, 1586, 1644, 1761, 1762}
    # values that a column cannot hold
    | {1264, 1265, 1292, 1366, 1367, 1406, 1411, 1416, 1690, 1748, 3140, 3156, 3819, 3903, 4025}
)
"""What is said of a row, and not of its table."""

OF_THE_QUERY = frozenset({1052, 1054, 1055, 1064, 1066, 1109, 1146, 1149, 1305, 1630})
"""What is wrong with the SQL itself."""

MEANINGS: dict[int, Meaning] = (
    dict.fromkeys(REFUSED, _ROW)
    | dict.fromkeys((1205, 3572), LOCKED)
    | dict.fromkeys((1020, 1213, 1614), OVERTAKEN)
    | dict.fromkeys((1040, 1203, 1226), CROWDED)
    | dict.fromkeys((1317, 1969, 3024), CANCELLED)
    | dict.fromkeys((3, 1021, 1114), FULL)
    | dict.fromkeys((1044, 1045, 1142, 1143, 1227, 1370, 1698, 3118), _DENIED)
    | dict.fromkeys((1049, 1053, 1129, 1130, 1927, 4031), SILENT)
    | dict.fromkeys((2002, 2003, 2005, 2006, 2013, 2055), SILENT)
    | dict.fromkeys((1290, 1792, 1836), _READ_ONLY)
    | {4078: UNFIT, 1153: _PACKET, 1059: _NAME, 1102: _NAME, 1103: _NAME, 1166: _NAME, 1300: _NAME}
)

SPOKEN = frozenset(number for number, meaning in MEANINGS.items() if meaning in (_DENIED, SILENT))
"""Where the message speaks of the connection and not of a row."""
