"""Databases that SQLAlchemy alone leads to: their URLs, their drivers, their first words.

Any of them can be read from where SQLAlchemy has a dialect and the driver is installed. What can be
written to is told by `other`.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from portfolio_ml.errors import ConfigError

CONNECT_WAIT_SECONDS = 10
MYSQL = ("mysql", "mariadb")
"""Two names of SQLAlchemy for one family: either may lead to a server of MySQL or of MariaDB."""

_PACKAGES = {
    "MySQLdb": "mysqlclient",
    "mysql": "mysql-connector-python",
    "cx_Oracle": "cx-Oracle",
}
"""Modules whose package has another name."""


def driver_url(url: sa.URL) -> sa.URL:
    """The URL with a driver; texts travel as UTF-8, whatever the server's own character set.

    Example:
        >>> driver_url(sa.make_url("mysql://db/crm")).render_as_string()
        'mysql+pymysql://db/crm?charset=utf8mb4'
    """
    if url.get_backend_name() not in MYSQL:
        return url
    if "+" not in url.drivername:
        url = url.set(drivername=f"{url.drivername}+pymysql")
    is_asked = url.get_driver_name() in {"pymysql", "mysqldb"}
    return url.update_query_dict({"charset": "utf8mb4"}) if is_asked else url


def options(url: sa.URL) -> Mapping[str, Any]:
    """What the driver is told beside the URL: not to wait for ever."""
    waits = url.get_backend_name() in MYSQL and url.get_driver_name() in {"pymysql", "mysqldb"}
    asked = "connect_timeout" in url.query
    return {"connect_timeout": CONNECT_WAIT_SECONDS} if waits and not asked else {}


def greeting(url: sa.URL) -> tuple[str, ...]:
    """What is said at the start of every connection: that times are told in UTC."""
    return ("SET time_zone = '+00:00'",) if url.get_backend_name() in MYSQL else ()


def demand_dialect(url: sa.URL, *, where: str) -> None:
    """Refuse a URL of which SQLAlchemy knows nothing, or that is for asynchronous programs.

    Raises:
        ConfigError: It is such a URL.
    """
    try:
        dialect = url.get_dialect()
    except sa.exc.NoSuchModuleError:
        raise ConfigError(
            "this kind of database is unknown",
            where=where,
            saw=url.drivername,
            do="write sqlite:///FILE, postgresql://..., mysql://... or mariadb://...; for another"
            " database, install the package that brings its dialect for SQLAlchemy",
        ) from None
    if dialect.is_async:
        raise ConfigError(
            "the URL's driver is for asynchronous programs",
            where=where,
            saw=url.drivername,
            do="name another driver, such as mysql+pymysql",
        )


def without_driver(url: sa.URL, missing: ImportError, *, where: str) -> ConfigError:
    """The error that names the package to install."""
    if url.get_backend_name() == "postgresql":
        package = "'portfolio-ml[postgres]'"
    else:
        module = (missing.name or url.get_driver_name()).partition(".")[0]
        package = _PACKAGES.get(module, module)
    return ConfigError(
        f"the driver of {url.get_backend_name()} is missing",
        where=where,
        do=f"pip install {package}",
    )
