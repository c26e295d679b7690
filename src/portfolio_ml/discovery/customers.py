"""What the columns of a customers file are, and whether its customers are those who buy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import narwhals as nw

from portfolio_ml import customers
from portfolio_ml.config import CsvFormat, settings_from
from portfolio_ml.discovery.attributes import ROLES, attribute_fit
from portfolio_ml.discovery.guess import Guess, Sighting
from portfolio_ml.discovery.marks import date_form, number_form
from portfolio_ml.discovery.profiles import NATIVE, NUMBERS, Profile
from portfolio_ml.discovery.roles import Confidence, Finding
from portfolio_ml.discovery.words import fit, words_of
from portfolio_ml.engine import Frame, Reader, Reading
from portfolio_ml.errors import DataError
from portfolio_ml.wording import counted

DATES = ("valid_from", "signup_date", "ended_at", "birthday")
_NUMBERS = ("income", "service_cost")
_SURE = 0.9
_PLAIN_ID = 0.8
_HARDLY_ANY, _MOST = 0.1, 0.5


@dataclass(frozen=True, slots=True)
class Match:
    """How the ids of the customers file and of the transactions go together.

    Attributes:
        buyers: Customers with transactions.
        found: Those of them who are in the customers file.
        alike: Those who would be, without leading zeros, a `.0` at the end, and capitals.
    """

    buyers: int
    found: int
    alike: int

    @property
    def share(self) -> float:
        """The share of buyers who are in the customers file."""
        return self.found / self.buyers if self.buyers else 0.0

    @property
    def doubt(self) -> str:
        """What is wrong with the ids; empty where most are found."""
        said = f"only {self.share:.0%} of the customers with transactions are in this file"
        if self.share >= _MOST:
            return ""
        if self.alike > 2 * self.found and self.alike >= _HARDLY_ANY * self.buyers:
            return (
                f"{said}; {self.alike / self.buyers:.0%} would be without leading zeros, a .0 at "
                "the end and capitals: write the ids alike in both files"
            )
        return f"{said}: is its customer_id the right column?"


@dataclass(frozen=True, slots=True)
class CustomersGuess:
    """What the columns of a customers file are and how they are written.

    Attributes:
        source: What the user called the file.
        findings: The columns by role, those that the config maps.
        others: The columns that are not mapped.
        written: The format of the file.
        match: How its ids and those of the transactions go together.
        read: Its rows.
        refused: Those that break a rule, by rule.
        doubts: What a person should look at, beside the findings' own doubts.
    """

    source: str
    findings: Mapping[str, Finding]
    others: tuple[str, ...]
    written: CsvFormat
    match: Match
    read: int
    refused: Mapping[str, int]
    doubts: tuple[str, ...]

    @property
    def columns(self) -> dict[str, str]:
        """The mapping that the config takes."""
        return {role: finding.column for role, finding in self.findings.items()}

    def all_doubts(self, max_quarantined_share: float) -> tuple[str, ...]:
        """What a person should look at, with the ids and the rows that break a rule."""
        count = sum(self.refused.values())
        rules = ", ".join(f"{n:,} x {rule}" for rule, n in self.refused.items())
        told = f"{count:,} of {counted(self.read, 'row')} broke a rule: {rules}"
        if self.read and count / self.read > max_quarantined_share:
            told += "; no command goes on with more than max_quarantined_share"
        return tuple(filter(None, (*self.doubts, self.match.doubt, told if count else "")))

    @property
    def may_be_static(self) -> tuple[str, ...]:
        """The attributes that would enter models only if they were declared static."""
        if "valid_from" in self.findings:
            return ()
        return tuple(role for role in self.findings if role in ("region", "segment"))


def guess_customers(
    seen: Sighting, buyers: tuple[Sighting, Guess], engine: Reader, *, base: Path
) -> CustomersGuess:
    """What the columns of a customers file are, as far as names and values tell.

    Args:
        seen: The customers file.
        buyers: The transactions, and what their columns are.
        engine: Where both are read.
        base: Where relative paths start from.

    Raises:
        DataError: No column looks like the customer's id.
    """
    found = _found(seen.profiles)
    if "customer_id" not in found:
        raise DataError(
            "no column looks like the customer_id",
            where=seen.source,
            saw=f"columns {', '.join(repr(p.name) for p in seen.profiles)}",
            do="name the column so, or write the customers section by hand",
        )
    written, doubts = _written(seen, found)
    mapped = {finding.column for finding in found.values()}
    guessed = CustomersGuess(
        source=seen.source,
        findings=found,
        others=tuple(p.name for p in seen.profiles if p.name not in mapped),
        written=written,
        match=_match(seen.frame, found["customer_id"].column, buyers, engine),
        read=seen.profiles[0].rows,
        refused={},
        doubts=(*seen.doubts, *doubts),
    )
    return _checked(guessed, engine, base=base)


def _found(profiles: Sequence[Profile]) -> dict[str, Finding]:
    found: dict[str, Finding] = {}
    for role in ("customer_id", *ROLES):
        taken = {finding.column for finding in found.values()}
        free = [p for p in profiles if p.name not in taken and _may_be(role, p)]
        ranked = sorted(((_fit(role, p.name), p) for p in free), key=lambda pair: -pair[0])
        if ranked and ranked[0][0] > 0:
            found[role] = _finding(role, *ranked[0], [p.name for f, p in ranked[1:] if f > 0])
    return found


def _fit(role: str, name: str) -> float:
    if role != "customer_id":
        return attribute_fit(role, name)
    is_plain = words_of(name) in (("id",), ("nr",), ("key",), ("number",), ("nummer",))
    return max(fit("customer_id", name), _PLAIN_ID if is_plain else 0.0)


def _may_be(role: str, column: Profile) -> bool:
    """Whether the values allow it."""
    if not column.filled:
        return False
    if role in DATES:
        return column.date_share >= 0.5
    if role in _NUMBERS:
        return column.number_share >= 0.5
    return column.type != "day"


def _finding(role: str, name_fit: float, column: Profile, others: Sequence[str]) -> Finding:
    confidence: Confidence = "sure" if name_fit >= _SURE else "likely"
    evidence = [f"name fits {name_fit:.0%}"]
    if role in DATES:
        evidence.append(f"{column.date_share:.1%} are dates")
    elif role in _NUMBERS:
        evidence.append(f"{column.number_share:.1%} are numbers")
    else:
        evidence.append(counted(column.distinct, "different value"))
    if missing := column.rows - column.filled:
        evidence.append(f"no value in {missing:,} of {counted(column.rows, 'row')}")
    finding = Finding(role, column.name, confidence, tuple(evidence), others=tuple(others[:3]))
    if others and role != "customer_id" and _fit(role, others[0]) >= name_fit:
        finding = finding.doubted(f"{others[0]!r} fits about as well")
    return finding


def _written(seen: Sighting, found: dict[str, Finding]) -> tuple[CsvFormat, list[str]]:
    """How the dates and numbers of the mapped columns are written; all dates in one way."""
    by_name = {p.name: p for p in seen.profiles}
    of_dates = {role: by_name[found[role].column] for role in DATES if role in found}
    of_numbers = [by_name[found[role].column] for role in _NUMBERS if role in found]
    is_european = seen.written.delimiter == ";"
    numbers = number_form(of_numbers, is_european=is_european)
    doubts = [numbers.doubt] if numbers.doubt else []
    forms = {}
    for role, column in of_dates.items():
        decided = date_form(column, is_european=is_european)
        forms[role] = decided.form
        if decided.doubt:
            found[role] = found[role].doubted(decided.doubt)
    form = next(iter(forms.values()), NATIVE)
    for role, other in forms.items():
        if other != form:
            found[role] = found[role].doubted("its dates are written in another way than others")
    marks = NUMBERS[numbers.form]
    update = {
        "decimal": marks.decimal,
        "thousands": marks.thousands,
        "date_format": None if form == NATIVE else form,
    }
    return seen.written.model_copy(update=update), doubts


def _match(frame: Frame, column: str, buyers: tuple[Sighting, Guess], engine: Reader) -> Match:
    listed = _ids(frame, column, engine)
    sighting, guessed = buyers
    who = _ids(sighting.frame, guessed.columns["customer_id"], engine)
    counts = []
    for names in ("id", "plain"):
        known = listed.select(names).unique()
        found = who.join(known, on=names, how="semi")
        counts.append(engine.collect(found.select(n=nw.len()))["n"][0].as_py())
    return Match(engine.collect(who.select(n=nw.len()))["n"][0].as_py(), *counts)


def _ids(frame: Frame, column: str, engine: Reader) -> Frame:
    """The different ids, as they are and without what tools add to them or take from them."""
    read = engine.parsed(frame, [Reading("id", column, "text")], timezone="UTC")
    ids = read.select("id").filter(~nw.col("id").is_null()).unique()
    plain = nw.col("id").str.to_lowercase().str.replace_all(r"\.0+$", "")
    return engine.keep(ids.with_columns(plain=plain.str.replace_all("^0+", "")))


def _checked(guessed: CustomersGuess, engine: Reader, *, base: Path) -> CustomersGuess:
    """The guess with what loading the file says: the rows that break a rule."""
    source = {
        "source": guessed.source,
        "format": guessed.written.model_dump(exclude_defaults=True),
        "columns": guessed.columns,
    }
    data = {"transactions": {"source": "-"}, "customers": source, "max_quarantined_share": 1.0}
    settings = settings_from({"name": "guess", "data": data}, base=base)
    try:
        table = customers.load(settings, engine)
    except DataError as error:
        return replace(guessed, doubts=(*guessed.doubts, str(error)))
    rules = table.quarantine["rule"].value_counts().to_pylist()
    refused = {r["values"]: r["counts"] for r in sorted(rules, key=lambda r: -r["counts"])}
    return replace(guessed, refused=refused)
