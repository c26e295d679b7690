"""The fit of resellers who never bought, against pandas and scikit-learn."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from tests.books import RESELLERS_AS_OF, data_folder, opened_book, reseller_tables

from portfolio_ml.config import settings_from
from portfolio_ml.portfolio.book import Book
from portfolio_ml.portfolio.selling.prospects import Fit, fit_of, prospect_fit, prospect_traits

COLUMNS = {
    0: "customer_id", 3: "phone", 4: "segment", 5: "name", 6: "employees", 11: "product_line",
    14: "annual_sales", 15: "bank", 19: "year_opened",
}  # fmt: skip
TODAY = pd.Timestamp(RESELLERS_AS_OF)


@pytest.fixture(scope="module")
def resellers() -> pd.DataFrame:
    file = data_folder() / "adventureworks" / "ms_DimReseller.csv"
    table = pd.read_csv(file, sep="|", header=None, encoding="latin1", dtype=str)
    return table[[*COLUMNS]].rename(columns=COLUMNS)


@pytest.fixture(scope="module")
def lines() -> pd.DataFrame:
    return reseller_tables()[0]


@pytest.fixture(scope="module")
def book(
    tmp_path_factory: pytest.TempPathFactory, resellers: pd.DataFrame, lines: pd.DataFrame
) -> Iterator[Book]:
    folder = tmp_path_factory.mktemp("resellers")
    is_customer = resellers["customer_id"].isin(lines["customer_id"])
    leads = resellers[~is_customer].rename(columns={"customer_id": "prospect_id"})
    lines.to_parquet(folder / "lines.parquet", index=False)
    resellers.to_parquet(folder / "customers.parquet", index=False)
    leads.to_parquet(folder / "prospects.parquet", index=False)
    sources = ("transactions", "lines"), ("customers", "customers"), ("prospects", "prospects")
    values = {
        "name": "resellers",
        "currency": "USD",
        "data": {table: {"source": f"{file}.parquet"} for table, file in sources},
        "engine": {"threads": 1},
    }
    with opened_book(settings_from(values, base=folder), as_of=RESELLERS_AS_OF) as book:
        yield book


@pytest.fixture(scope="module")
def fit(book: Book) -> Fit:
    fit = fit_of(book)
    assert isinstance(fit, Fit)
    return fit


def test_the_best_and_the_worst_are_those_of_pandas(
    book: Book, fit: Fit, lines: pd.DataFrame
) -> None:
    known = lines[lines["timestamp"] <= TODAY]
    first = known.groupby("customer_id")["timestamp"].min()
    age = (known["timestamp"] - known["customer_id"].map(first)).dt.days
    value = known[age < 365].groupby("customer_id")["amount"].sum()
    asked = value[first[(TODAY - first).dt.days + 1 >= 365].index]
    ids = np.array(book.now.rows["customer_id"].to_pylist())

    assert set(ids[fit.best]) == set(asked.index[asked >= asked.quantile(0.75)])
    assert set(ids[fit.worst]) == set(asked.index[asked <= asked.quantile(0.25)])


def test_it_tells_them_apart_as_well_as_a_logistic_regression(
    book: Book, fit: Fit, resellers: pd.DataFrame
) -> None:
    ids = np.array(book.now.rows["customer_id"].to_pylist())
    judged = np.concatenate([fit.best, fit.worst])
    rows = resellers.set_index("customer_id").loc[ids[judged]]
    names = ["segment", "product_line", "annual_sales", "bank"]
    numbers = rows[["employees", "year_opened"]].astype(float)
    table = pd.get_dummies(rows[names]).join((numbers - numbers.mean()) / numbers.std())
    is_best = np.arange(judged.size) < fit.best.size
    folds = StratifiedKFold(5, shuffle=True, random_state=1)
    model = LogisticRegression(C=0.3, max_iter=1000)
    peer = cross_val_predict(model, table, is_best, cv=folds, method="predict_proba")[:, 1]

    assert fit.found.auroc > roc_auc_score(is_best, peer) - 0.03
    assert fit.found.auroc_low > 0.6


def test_warehouses_are_alike_and_specialty_shops_are_not(book: Book, fit: Fit) -> None:
    rows = prospect_fit(book, fit).rows.to_pylist()
    traits = {(r["attribute"], r["level"]): r for r in prospect_traits(book, fit).rows.to_pylist()}

    assert "segment Warehouse" in rows[0]["alike"]
    assert "segment Specialty Bike Shop" in rows[-1]["unlike"]
    assert traits["segment", "Specialty Bike Shop"]["best"] == 0
    assert traits["segment", "Specialty Bike Shop"]["worst"] == 30
    assert rows[0]["expected_value"] > 3 * rows[-1]["expected_value"]
    assert not {name for name, _ in traits} & {"phone", "name"}
