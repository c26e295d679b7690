"""A user's own features: how they are read, refused, checked and told apart."""

import subprocess
import sys
from dataclasses import replace
from functools import cache

import narwhals as nw
import pytest
from tests.histories import HORIZONS, REFERENCE, after, bought, day_of, history_of

import portfolio_ml as pml
from portfolio_ml.errors import ConfigError, DataError
from portfolio_ml.features.catalogue import catalogue
from portfolio_ml.features.feature import Feature, Stage, features_hash
from portfolio_ml.features.inputs import inputs_of
from portfolio_ml.features.own import own_features
from portfolio_ml.features.soundness import demand_sound
from portfolio_ml.features.table import definitions_hash
from portfolio_ml.frozen import Frozen
from portfolio_ml.testing import check_features

pytestmark = pytest.mark.unit

MODULE = """
import narwhals as nw
from portfolio_ml import Feature

FEATURES = [
    Feature(name="most_lines", family="own", unit="lines", formula="most on a day",
            value=nw.col("lines").max()),
]
"""


def own(value: nw.Expr, *, stage: Stage = Stage.DAYS, name: str = "mine", **more) -> Feature:
    return Feature(
        name=name, family="own", unit="x", formula="mine", stage=stage, value=value, **more
    )


REFUSED = {
    "1 / 0": "The feature module 'mine.py' cannot be imported (in features): saw"
    " ZeroDivisionError: division by zero. Mend it, or take it out of the config.",
    "FEATURES = 3": "The feature module 'mine.py' has no list or tuple FEATURES (in features)."
    " Give it one, of portfolio_ml.Feature.",
    "FEATURES = [3]": "FEATURES of 'mine.py' holds something that is no Feature (in features): saw"
    " 3. Make it a portfolio_ml.Feature.",
    MODULE.replace('nw.col("lines").max()', "3"): "The feature 'most_lines' of 'mine.py' has no"
    " value that can be computed (in features): saw int in stage DAYS. Give it a Narwhals"
    " expression over the columns of its stage.",
    MODULE.replace("value=", 'stage="DAYS", value='): "The feature 'most_lines' of 'mine.py' cannot"
    " have such a 'stage' (in features): saw 'DAYS'. Give it one of portfolio_ml.Stage, such as"
    " Stage.DAYS.",
    MODULE.replace(
        "value=", 'needs=["cost"], value='
    ): "The feature 'most_lines' of 'mine.py' cannot"
    " have such a 'needs' (in features): saw ['cost']. Give it a frozenset of texts.",
    MODULE.replace('"most_lines"', "3"): "The feature 3 of 'mine.py' cannot have such a 'name'"
    " (in features): saw 3. Give it a text.",
}


class TestAModule:
    def test_gives_its_features_in_order(self, tmp_path):
        (tmp_path / "mine.py").write_text(MODULE)
        assert [f.name for f in own_features(["mine.py"], tmp_path)] == ["most_lines"]
        assert [f.name for f in tmp_path.iterdir()] == ["mine.py"]

    def test_with_other_code_under_the_same_words_has_another_hash(self, tmp_path):
        hashes = []
        for text in (MODULE, MODULE.replace("max()", "min()"), MODULE):
            (tmp_path / "mine.py").write_text(text)
            hashes.append(features_hash(own_features(["mine.py"], tmp_path)))
        assert hashes[0] == hashes[2] != hashes[1]

    def test_leaves_the_hash_of_the_packages_features_alone(self):
        features = catalogue().features
        assert all(feature.origin == "" for feature in features)

    @pytest.mark.parametrize("text", REFUSED)
    def test_that_gives_no_features_is_refused_in_a_sentence(self, tmp_path, text):
        (tmp_path / "mine.py").write_text(text)
        with pytest.raises(ConfigError) as caught:
            own_features(["mine.py"], tmp_path)
        assert str(caught.value) == REFUSED[text]

    def test_may_be_one_that_python_finds(self, tmp_path, monkeypatch):
        (tmp_path / "found_by_python.py").write_text(MODULE)
        monkeypatch.syspath_prepend(tmp_path)
        by_name = own_features(["found_by_python"], tmp_path / "elsewhere")
        assert [feature.name for feature in by_name] == ["most_lines"]
        del sys.modules["found_by_python"]


GOOD = {
    "of days": own(nw.col("lines").max()),
    "of lines": own(nw.col("amount").max(), stage=Stage.LINES),
    "of categories": own(nw.col("spend").min(), stage=Stage.CATEGORIES),
    "of channels": own(nw.col("lines").max(), stage=Stage.CHANNELS),
    "of interactions": own(nw.col("value").max(), stage=Stage.INTERACTIONS, null="none"),
    "of contacts": own(nw.len(), stage=Stage.CONTACTS),
    "of attributes": own(nw.col("income") - nw.col("income_365d_ago"), stage=Stage.ATTRIBUTES),
    "of a customer": own(pml.share(nw.col("spend_90d"), nw.col("spend")), stage=Stage.CUSTOMER),
    "of the portfolio": own(
        nw.col("recency_days") / nw.col("reference_gap_days"), stage=Stage.PORTFOLIO
    ),
    "a yes or no": own((nw.col("lines") > 3).any()),
}


@pytest.mark.parametrize("is_relative", [False, pytest.param(True, marks=pytest.mark.long)])
def test_good_features_pass_the_check(is_relative):
    """Together, for the tables that they are computed from are the same."""
    features = [
        replace(feature, name=name.replace(" ", "_"))
        for name, feature in GOOD.items()
        if feature.is_relative == is_relative
    ]
    assert features
    check_features(features)


def test_one_may_use_another_and_an_open_engine_may_be_given(engine):
    first = own(nw.col("lines").max(), name="most_lines")
    second = own(nw.col("most_lines") / nw.col("orders"), stage=Stage.CUSTOMER)
    check_features([first, second], engine=engine)


BAD = {
    "sees the future": (
        own((nw.col("next_day") - nw.col("day")).max()),
        "it sees the future",
    ),
    "depends on the order": (
        own(nw.col("amount").any_value(), stage=Stage.LINES),
        "depends on their order",
    ),
    "looks at other customers": (own(nw.col("customer").max()), "looks at other customers"),
    "aggregates where a formula stands": (
        own(nw.col("spend") / nw.col("spend").sum(), stage=Stage.CUSTOMER),
        "looks at other rows than its own",
    ),
    "compares with a window": (
        own(nw.col("spend").sum().over("as_of"), stage=Stage.CUSTOMER),
        "looks at other rows than its own",
    ),
    "does not aggregate": (own(nw.col("lines") + 1), "does not reduce a customer's rows to one"),
    "reads what is not there": (own(nw.col("basket").max()), "stage DAYS does not offer"),
    "reads another stage": (own(nw.col("spend_90d").max()), "'returned', 'spend'"),
    "is a text": (own(nw.col("kind").max(), stage=Stage.INTERACTIONS), "is no number"),
    "reckons with a text": (
        own((nw.col("region") - 1), stage=Stage.ATTRIBUTES),
        "cannot be computed",
    ),
    "takes a name": (own(nw.col("lines").max(), name="spend"), "'spend' already"),
    "takes an outcome's name": (own(nw.col("lines").max(), name="churned"), "'churned' already"),
    "takes the name of margin's": (
        own(nw.col("lines").max(), name="future_margin"),
        "'future_margin' already",
    ),
    "has no name": (own(nw.col("lines").max(), name="Most lines"), "is no name for a feature"),
}


@pytest.fixture(scope="module")
def caught(engine):
    """Gives what is said of a bad feature, once."""

    @cache
    def caught(name):
        feature, _ = BAD[name]
        with pytest.raises(AssertionError, match=feature.name) as said:
            check_features([feature], engine=engine)
        return str(said.value)

    return caught


@pytest.mark.parametrize("name", BAD)
def test_a_bad_feature_is_caught(caught, name):
    _, told = BAD[name]
    assert told in caught(name)


@pytest.mark.parametrize(
    ("feature", "told"),
    [
        (own(nw.col("lines").max().cast(nw.String)), "is no number"),
        (replace(own(nw.len()), value=None), "has no value"),
    ],
)
def test_a_feature_that_cannot_be_is_refused_before_a_row_is_read(engine, feature, told):
    inputs = inputs_of(history_of(engine, bought("a", 0, 9)), engine)
    with pytest.raises(ConfigError, match=f"'mine' {told}"):
        demand_sound([feature], inputs)


def test_a_leak_names_the_customer_the_date_and_both_values(caught):
    said = caught("sees the future")
    assert said.startswith("the feature 'mine' of customer 'c")
    assert "without the rows after that day: it sees the future" in said


def test_public_names_need_no_heavy_library():
    program = (
        "import sys, portfolio_ml as pml; pml.Feature, pml.Stage, pml.share, pml.change; "
        "sys.exit(len({'mlflow', 'pyspark', 'duckdb', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_the_catalogue_keeps_own_features_before_the_expectations():
    names = catalogue(own=[replace(GOOD["of days"], name="mine")]).names
    assert names.index("mine") < names.index("p_alive")


def test_a_champion_of_another_version_of_the_module_is_refused(engine, tmp_path):
    frozen = []
    for text in (MODULE, MODULE.replace("max()", "min()")):
        (tmp_path / "mine.py").write_text(text)
        own = own_features(["mine.py"], tmp_path)
        inputs = inputs_of(history_of(engine, bought("a", 0, 9) + bought("b", 3)), engine, own=own)
        frozen.append(
            Frozen(
                reference=REFERENCE,
                activity_days=30,
                horizons=HORIZONS,
                features=inputs.catalogue.names,
                features_hash=definitions_hash(inputs.catalogue, HORIZONS),
            )
        )
    with pytest.raises(DataError, match="other feature definitions"):
        frozen[0].table(inputs, day_of(after(9)))
    assert "most_lines" in frozen[1].table(inputs, day_of(after(9))).rows.column_names
