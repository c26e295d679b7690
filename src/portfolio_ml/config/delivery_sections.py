"""Where scores are delivered to: one section per kind of target."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from portfolio_ml.config.section import Count, Section, Url
from portfolio_ml.errors import nearest
from portfolio_ml.schema import CUSTOMER_ROWS

Secret = Annotated[str, Field(repr=False, min_length=1)]
MaybeSecret = Annotated[str | None, Field(repr=False, min_length=1)]
Mode = Literal["update", "upsert"]


def _in_the_contract(columns: dict[str, str]) -> dict[str, str]:
    known = CUSTOMER_ROWS.names
    if unknown := sorted(set(columns) - set(known)):
        guess = nearest(unknown[0], known)
        there = f", did you mean {guess!r}?" if guess else f": {', '.join(known)}"
        raise ValueError(f"{unknown[0]!r} is no column of the customer rows{there}")
    if "customer_id" in columns:
        raise ValueError("customer_id is no figure: name the column that holds it as the key")
    theirs = [name.casefold() for name in columns.values()]
    if twice := sorted({name for name in theirs if theirs.count(name) > 1}):
        raise ValueError(f"two columns go into {twice[0]!r}")
    return columns


Columns = Annotated[
    dict[str, Annotated[str, Field(min_length=1)]], AfterValidator(_in_the_contract)
]
SomeColumns = Annotated[Columns, Field(min_length=1)]


class SqlTarget(Section):
    """A table in a SQL database: the package's own, or with `columns` one that the CRM has.

    Attributes:
        kind: Which kind of target it is.
        url: The database, such as `postgresql://crm:${CRM_PASSWORD}@db/crm`.
        table: The table that is written to; `schema.table` works too.
        columns: Which column of the customer rows goes into which column of the CRM's own table.
            Without it the table is the package's own, created where it is missing.
        key: The column of the CRM's own table that holds the customer's id.
        mode: `update` writes only to customers whom the table has, `upsert` adds the others.
            Without it, `update` where the table is the CRM's own, else `upsert`.
    """

    kind: Literal["sql"]
    url: Url
    table: str = "customer_scores"
    columns: Columns = Field(default={})
    key: str = "customer_id"
    mode: Mode | None = None

    @property
    def is_crms_own(self) -> bool:
        """Whether the table belongs to the CRM."""
        return bool(self.columns)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if not self.columns and self.mode == "update":
            raise ValueError("mode: update needs columns, which say what goes where in the table")
        if not self.columns and self.key != "customer_id":
            raise ValueError("key goes with columns, for a table that the CRM has")
        if self.key.casefold() in {name.casefold() for name in self.columns.values()}:
            raise ValueError(f"{self.key!r} is the key, so no column can go into it")
        return self


class ParquetTarget(Section):
    """A Parquet file that is replaced whole, or a folder with a file per date.

    Attributes:
        kind: Which kind of target it is.
        path: The file, or the folder.
        partitioned: Whether it is a folder that keeps every date, as `as_of=2024-06-30/`.
    """

    kind: Literal["parquet"]
    path: Path
    partitioned: bool = False


class CsvTarget(Section):
    """A CSV file that is replaced whole.

    Attributes:
        kind: Which kind of target it is.
        path: The file.
        readers: `people` open it in a spreadsheet, so no value may act as a formula there;
            `machines` get every value as it is.
    """

    kind: Literal["csv"]
    path: Path
    readers: Literal["people", "machines"] = "people"


def history_beside(path: Path) -> Path:
    """The folder that keeps past scores beside a file which each delivery replaces.

    Example:
        >>> history_beside(Path("out/scores.csv")).as_posix()
        'out/scores.history'
    """
    return path.with_suffix(".history")


class HubSpotTarget(Section):
    """Properties of HubSpot's contacts, companies or another object.

    Attributes:
        kind: Which kind of target it is.
        token: The private app's access token, as `${HUBSPOT_TOKEN}`.
        object: The object's type, such as `contacts`, `companies` or `2-3465404`.
        id_property: The unique property that holds the customer's id; without it, the id is
            HubSpot's own record id, which cannot be upserted.
        columns: Which column of the customer rows goes into which property.
        mode: `update` writes only to records that are there, `upsert` adds the others.
        base_url: Where HubSpot's interface is.
        requests_per_10_seconds: How many requests the account allows: 100 (free) or 190.
    """

    kind: Literal["hubspot"]
    token: Secret
    object: str = Field(default="contacts", pattern=r"^[A-Za-z0-9_-]{1,100}$")
    id_property: str | None = Field(default=None, min_length=1)
    columns: SomeColumns
    mode: Mode = "update"
    base_url: Url = "https://api.hubapi.com"
    requests_per_10_seconds: Count = 100

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.mode == "upsert" and self.id_property is None:
            raise ValueError("mode: upsert needs id_property, which tells a new record's id")
        if self.id_property in self.columns.values():
            raise ValueError(f"{self.id_property!r} is id_property, so no column can go into it")
        return self


class SalesforceTarget(Section):
    """Fields of a Salesforce object, through Bulk API 2.0.

    Log in with `client_secret` (client credentials), or with `username` and `private_key` (JWT).

    Attributes:
        kind: Which kind of target it is.
        login_url: The organisation's own address, such as `https://acme.my.salesforce.com`.
        client_id: The connected app's consumer key.
        client_secret: Its secret, as `${SALESFORCE_SECRET}`.
        username: Whom the app acts for, with `private_key`.
        private_key: The key that signs, in PEM format, as `${SALESFORCE_KEY}`.
        object: The object, such as `Account`.
        external_id: The field that holds the customer's id and is an external id; with `mode:
            update`, `Id` is allowed too.
        columns: Which column of the customer rows goes into which field.
        mode: `update` writes only to records that are there, `upsert` adds the others.
        api_version: The version of the interface.
        poll_minutes: How long one run waits for a job; the next run takes it up again.
    """

    kind: Literal["salesforce"]
    login_url: Url
    client_id: Secret
    client_secret: MaybeSecret = None
    username: str | None = None
    private_key: MaybeSecret = None
    object: str = Field(default="Account", pattern=r"^[A-Za-z][A-Za-z0-9_]{0,79}$")
    external_id: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,79}$")
    columns: SomeColumns
    mode: Mode = "update"
    api_version: str = Field(default="67.0", pattern=r"^\d{2,3}\.0$")
    poll_minutes: Count = 60

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        by_key = self.username is not None and self.private_key is not None
        if (self.client_secret is not None) == by_key:
            raise ValueError("log in with client_secret, or with username and private_key")
        if self.external_id in self.columns.values():
            raise ValueError(f"{self.external_id!r} is external_id, so no column can go into it")
        return self


Target = Annotated[
    SqlTarget | ParquetTarget | CsvTarget | HubSpotTarget | SalesforceTarget,
    Field(discriminator="kind"),
]


class State(Section):
    """Where the package keeps what it must know from one delivery to the next.

    For targets that cannot hold it themselves: HubSpot and Salesforce (the outbox, receipts and
    the history of scores) and files (receipts and refused rows). And for all of them, who was
    erased.

    Attributes:
        url: A database, SQLite or PostgreSQL; without HubSpot and Salesforce, MariaDB will do.
        key: What the ids of erased customers are hashed with, as `${PORTFOLIO_KEY}`; without it
            one is drawn and kept in the database, where it guards against a look, not a search.
    """

    url: Url = "sqlite:///portfolio_state.db"
    key: MaybeSecret = None
