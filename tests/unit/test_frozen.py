"""What a champion keeps of its portfolio, as a file."""

import json
from dataclasses import replace
from math import inf

import pytest
from tests.histories import FROZEN, HORIZONS, REFERENCE, Line, after, bought, day_of, history_of

from portfolio_ml.errors import DataError
from portfolio_ml.features.catalogue import catalogue
from portfolio_ml.features.inputs import inputs_of
from portfolio_ml.features.table import Horizons, at, definitions_hash
from portfolio_ml.frozen import Frozen

pytestmark = pytest.mark.unit

AS_OF = day_of(after(900))


def champion_of(inputs):
    """What a champion froze that was trained on these inputs."""
    table = at(inputs, [AS_OF], horizons=HORIZONS)
    return Frozen(
        reference=table.references[AS_OF],
        activity_days=28,
        horizons=HORIZONS,
        features=inputs.catalogue.names,
        features_hash=table.hash,
    )


def file(**changes):
    """The file of `FROZEN` with some values changed; a change to None takes the value away."""
    values = json.loads(FROZEN.to_json()) | changes
    return json.dumps({name: value for name, value in values.items() if value is not None}).encode()


def reference(**changes):
    return file(reference=REFERENCE.to_dict() | changes)


def edges(values):
    return reference(score_edges=dict.fromkeys(REFERENCE.score_edges, values))


def spend_model(**changes):
    return reference(spend_model=REFERENCE.spend_model.to_dict() | changes)


def test_a_portfolio_survives_as_a_file():
    assert Frozen.from_json(FROZEN.to_json()) == FROZEN


def test_the_file_is_the_same_each_time_and_is_strict_json():
    content = FROZEN.to_json()

    assert Frozen.from_json(content).to_json() == content
    json.loads(content, parse_constant=pytest.fail)


@pytest.mark.parametrize(
    "lines",
    [
        bought("a", 10),
        bought("a", 10, 400, 800),
        [line for n in range(30) for line in bought(f"{n}", n)],
        [line for n in range(30) for line in bought(f"{n}", n, 40 + 2 * n, amount=n % 3)],
    ],
    ids=["one purchase", "one customer", "everybody bought once", "many"],
)
def test_what_was_fitted_on_any_portfolio_survives_as_a_strict_file(engine, lines):
    frozen = champion_of(inputs_of(history_of(engine, lines), engine))

    json.loads(frozen.to_json(), parse_constant=pytest.fail)

    assert Frozen.from_json(frozen.to_json()) == frozen


def test_an_edge_below_everybody_is_null_in_the_file():
    edges = dict.fromkeys(REFERENCE.score_edges, (-inf, -inf, 3.0, 4.0))
    content = reference(score_edges={name: [None, None, 3, 4] for name in edges})

    assert Frozen.from_json(content).reference.score_edges == edges


def test_the_features_of_a_champion_are_those_of_the_portfolio_that_it_learnt_from(engine):
    inputs = inputs_of(history_of(engine, bought("a", 10, 400)), engine)
    frozen = champion_of(inputs)

    table = frozen.table(inputs, AS_OF)

    assert table.rows == at(inputs, [AS_OF], horizons=HORIZONS).rows
    assert table.references == {AS_OF: frozen.reference}
    assert table.hash == frozen.features_hash == definitions_hash(inputs.catalogue, HORIZONS)


def test_features_that_a_champion_does_not_know_are_left_out(engine):
    lines = [Line("a", after(10), 5.0, "o-1"), Line("a", after(400), 7.0, "o-2", "p-1", "food")]
    frozen = champion_of(inputs_of(history_of(engine, lines, columns=["order_id"]), engine))
    more = inputs_of(history_of(engine, lines), engine)

    table = frozen.table(more, AS_OF)

    assert "categories" in more.catalogue.names
    assert table.rows.column_names == ["customer_id", "as_of", *catalogue({"order_id"}).names]
    assert table.hash == frozen.features_hash


def test_a_feature_that_the_portfolio_no_longer_has_is_missed_with_what_it_needs(engine):
    lines = [Line("a", after(10), 5.0, category="food"), *bought("a", 400)]
    frozen = champion_of(inputs_of(history_of(engine, lines), engine))

    with pytest.raises(DataError, match=r"1?\d features.*lacks.*category.*categories"):
        frozen.table(inputs_of(history_of(engine, lines, columns=()), engine), AS_OF)


@pytest.mark.parametrize(
    "changes", [{"features_hash": "0" * 16}, {"horizons": Horizons(churn_days=91, value_days=180)}]
)
def test_other_feature_definitions_are_refused_with_the_advice_to_retrain(engine, changes):
    inputs = inputs_of(history_of(engine, bought("a", 10, 400)), engine)

    with pytest.raises(DataError, match=r"other feature definitions.*Retrain"):
        replace(champion_of(inputs), **changes).table(inputs, AS_OF)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"[]",
        b'"text"',
        b"7",
        b"{",
        b"[" * 100_000,
        b"9" * 10_000,
        b'{"reference": NaN}',
        file(reference=None),
        file(reference=[]),
        file(reference="text"),
        file(activity_days=None),
        file(activity_days=0),
        file(activity_days=-7),
        file(activity_days=56.5),
        file(activity_days="56"),
        file(activity_days=10**400),
        file(activity_days=inf),
        file(churn_days=0),
        file(features=None),
        file(features=7),
        file(features_hash=None),
        file(value_days=[]),
        reference(day=inf),
        reference(day="today"),
        reference(gap_days=0),
        reference(gap_days=float("nan")),
        reference(gap_days=10**400),
        reference(score_edges=[]),
        reference(score_edges={}),
        reference(score_edges={"rfm_r": [1, 2, 3, 4], "rfm_f": [1, 2, 3, 4]}),
        edges([1, 2, 3]),
        edges([1, 2, 4, 3]),
        edges("abcd"),
        edges([1, 2, 3, inf]),
        reference(tier_edges=None),
        reference(tier_edges=[1, 2]),
        reference(tier_edges=[1, 2, float("nan")]),
        reference(known_shares=None),
        reference(known_shares=["north"]),
        reference(known_shares={"region": {"north": "much"}}),
        reference(bg_nbd_model=REFERENCE.purchase_model.to_dict()),
        reference(purchase_model={}),
        reference(purchase_model=[]),
        reference(purchase_model=REFERENCE.spend_model.to_dict()),
        reference(purchase_model=REFERENCE.purchase_model.to_dict() | {"r": "one"}),
        reference(purchase_model=REFERENCE.purchase_model.to_dict() | {"__class__": "os"}),
        spend_model(p=-1),
        spend_model(p=None),
        spend_model(q=0.5),
        spend_model(warnings=None),
        spend_model(fallback_mean="text"),
        spend_model(fallback_mean=-1),
        spend_model(fallback_mean=inf),
    ],
)
def test_what_cannot_be_read_is_refused_whatever_it_is(content):
    with pytest.raises(DataError, match=r"cannot be read.*Retrain"):
        Frozen.from_json(content)
