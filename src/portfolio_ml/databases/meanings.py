"""What databases of every kind say in codes of their own, in the error tree's terms."""

from portfolio_ml.errors import (
    ConfigError,
    PortfolioError,
    ServiceUnavailableError,
    TryAgainLaterError,
)

Meaning = tuple[type[PortfolioError], str, str]
"""The kind of error, what was wrong, and what to do."""

LOCKED: Meaning = (TryAgainLaterError, "the table is locked", "run again later")
OVERTAKEN: Meaning = (TryAgainLaterError, "another transaction came first", "run again later")
CROWDED: Meaning = (TryAgainLaterError, "the database has no connection left", "run again later")
CANCELLED: Meaning = (TryAgainLaterError, "the database cancelled the query", "run again later")
FULL: Meaning = (ServiceUnavailableError, "the disk is full", "free some space and run again")
SILENT: Meaning = (
    ServiceUnavailableError,
    "the database does not answer",
    "check the host, the user and the password",
)
UNFIT: Meaning = (
    ConfigError,
    "a column cannot hold what is to go into it",
    "map another column",
)
