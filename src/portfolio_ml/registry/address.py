"""Where an MLflow store is, whether it answers, and how it may be spoken of."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from portfolio_ml.databases import redacted, there_are
from portfolio_ml.databases.connections import connection, place
from portfolio_ml.errors import ServiceUnavailableError

SQLITE = "sqlite:///"
SERVERS = ("postgres:", "postgresql:", "postgresql+psycopg:")


def address_of(uri: str, *, base: Path) -> str:
    """The store's address; a relative SQLite file is relative to `base`.

    Example:
        >>> address_of("http://mlflow.example", base=Path("/srv/portfolio"))
        'http://mlflow.example'
        >>> address_of("sqlite:///mlflow.db", base=Path("/srv/portfolio"))
        'sqlite:////srv/portfolio/mlflow.db'
    """
    if not uri.startswith(SQLITE):
        return uri
    return f"{SQLITE}{(base / uri.removeprefix(SQLITE)).resolve()}"


def has_begun(uri: str, *, base: Path) -> bool:
    """Whether there may be a store: an SQLite store without its file has not begun."""
    address = address_of(uri, base=base)
    return not address.startswith(SQLITE) or Path(address.removeprefix(SQLITE)).exists()


def has_tables(address: str, *, base: Path) -> bool:
    """Whether the store's database has MLflow's tables; a server is taken to have its own.

    Raises:
        ConfigError: The address cannot be read, or its driver is not there.
        ServiceUnavailableError: The database does not answer.
    """
    if not address.startswith(("sqlite:", *SERVERS)):
        return True
    return there_are(address, ("alembic_version", "experiments"), base=base)


def artifacts_beside(address: str) -> str | None:
    """The folder for artifacts beside an SQLite store; None where the store has its own.

    Example:
        >>> artifacts_beside("sqlite:////srv/portfolio/mlflow.db")
        'file:///srv/portfolio/mlartifacts'
    """
    if not address.startswith(SQLITE):
        return None
    return (Path(address.removeprefix(SQLITE)).parent / "mlartifacts").as_uri()


def demand_answer(address: str) -> None:
    """Refuse a database that cannot be opened: MLflow would go on asking it for two minutes.

    Raises:
        ConfigError: The address cannot be read, or its driver is not there.
        ServiceUnavailableError: The database does not answer.
    """
    if address.startswith("sqlite:"):
        question = "PRAGMA schema_version"
    elif address.startswith(SERVERS):
        question = "SELECT 1"
    else:
        return
    to = place(address, base=Path())
    if to.file is not None:
        _make_folder(to.file.parent, to.name)
    with connection(to) as opened:
        opened.exec_driver_sql(question)


def without_secrets(message: str, address: str) -> str:
    r"""The first line of a message, with the store's address as it may be shown.

    Example:
        >>> without_secrets("no http://ann:pw@host/api\nmore", "http://ann:pw@host")
        'no http://ann:***@host/api'
    """
    first = message.strip().partition("\n")[0].replace(address, redacted(address))
    secret = urlsplit(address).password or ""
    for form in filter(None, {secret, unquote(secret)}):
        first = first.replace(form, "***")
    return first


def _make_folder(folder: Path, name: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ServiceUnavailableError(
            "the tracking store's folder cannot be made", where=name, saw=error.strerror
        ) from None
