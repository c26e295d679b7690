"""Everybody scored a slice after the other: the same rows as at once, and they lie in a file."""

from dataclasses import replace
from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from tests.small_models import small_models
from tests.small_shop import FIRST_DAY, NOW, TRAINED, history, quietly, settings_of

from portfolio_ml import scored as module
from portfolio_ml.features.table import definitions_hash
from portfolio_ml.frozen import FILE, Frozen
from portfolio_ml.opening import opened
from portfolio_ml.pipeline import contributions, scoring
from portfolio_ml.scored import scored, scored_dates
from portfolio_ml.scoring import champions_from

pytestmark = pytest.mark.unit

TARGETS = ("churn", "lifetime_value", "segments")
LINEAGE = ("run_id",)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A small shop, and champions that froze its portfolio."""
    settings = settings_of(tmp_path_factory.mktemp("shop"))
    today = NOW.date()
    with opened(settings, today=today, as_of=TRAINED, say=quietly, table=history()) as portfolio:
        models = small_models()
        known = Frozen.from_json(models["churn"][FILE])
        catalogue = portfolio.inputs.catalogue
        own = replace(
            known,
            features=catalogue.names,
            features_hash=definitions_hash(catalogue, known.horizons),
        )
        files = {t: {**content, FILE: own.to_json()} for t, content in models.items()}
        yield portfolio, champions_from(files, dict.fromkeys(TARGETS, "1"))


def bands_of(ids):
    """Of each customer a band that they had before, in no order."""
    names = ("low", "medium", "high")
    rows = [(each, names[n % 3]) for n, each in enumerate(ids)][::-1]
    customer, band = zip(*rows, strict=True)
    return lambda _: pa.table({"customer_id": customer, "churn_band": band})


def score(shop, bands):
    portfolio, champions = shop
    return scored(portfolio, champions, bands_before=bands, now=lambda: NOW, say=quietly)


@pytest.fixture(scope="module")
def at_once(shop):
    portfolio, _ = shop
    ids = portfolio.engine.collect(portfolio.inputs.customers)["customer_id"].to_pylist()
    bands = bands_of([*ids[::2], "nobody", "zz"])
    return bands, score(shop, bands)


def test_customers_scored_in_parts_and_slices_get_the_same_rows_as_all_at_once(
    shop, at_once, monkeypatch
):
    bands, expected = at_once
    portfolio, _ = shop
    monkeypatch.setattr(module, "SLICE_ROWS", 43)
    monkeypatch.setattr(portfolio.engine, "rows_at_once", 60)

    found = score(shop, bands)

    assert expected.rows.num_rows > 100
    assert found.rows.drop(LINEAGE).equals(expected.rows.drop(LINEAGE))
    assert found.features.equals(expected.features)
    assert set(found.rows["run_id"].to_pylist()) == {found.run_id}


def test_a_date_alone_is_scored_as_among_several(shop, at_once):
    portfolio, champions = shop
    bands, expected = at_once
    before_anybody_bought = FIRST_DAY - timedelta(1)
    days = [before_anybody_bought, TRAINED - timedelta(40), TRAINED]

    early, late = scored_dates(portfolio, champions, days, bands_before=bands, now=lambda: NOW)

    assert early.as_of < late.as_of
    assert late.rows.drop(LINEAGE).equals(expected.rows.drop(LINEAGE))


def test_what_features_add_to_a_score_does_not_depend_on_who_else_is_asked_about(shop, monkeypatch):
    portfolio, champions = shop
    monkeypatch.setattr(scoring, "champions_in_force", lambda *_: (champions, {}))
    some = ["buyer#0003", "buyer#0001", "nobody"]

    everybody = contributions(portfolio, None, say=quietly)
    alone = contributions(portfolio, some, say=quietly)

    assert everybody.column_names == ["customer_id", *champions.churn.names]
    assert alone["customer_id"].to_pylist() == sorted(some)[:2]
    among = pc.is_in(everybody["customer_id"], value_set=pa.array(some))
    assert everybody.filter(among).equals(alone)


def test_the_rows_take_no_file_with_a_name(shop, at_once):
    portfolio, _ = shop
    _, expected = at_once

    assert not [*portfolio.engine._folder.glob("*.arrow")]
    assert expected.rows.validate() is None
