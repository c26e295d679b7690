"""No file, however mangled, does more than be refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.examples import shown
from tests.histories import FROZEN

from portfolio_ml.errors import DataError
from portfolio_ml.features.reference import reference_table
from portfolio_ml.frozen import Frozen

pytestmark = pytest.mark.property

json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=5),
        st.sampled_from((10**400, -1, 0, 1e308)),
    ),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


def paths(values, path=()):
    """Every place in nested JSON values."""
    yield path
    if isinstance(values, dict | list):
        inner = values.items() if isinstance(values, dict) else enumerate(values)
        for key, value in inner:
            yield from paths(value, (*path, key))


def replaced(values, path, by):
    if not path:
        return by
    copy = values.copy()
    copy[path[0]] = replaced(values[path[0]], path[1:], by)
    return copy


WHOLE = json.loads(FROZEN.to_json())
MODELS = {"purchase_model", "bg_nbd_model", "spend_model"}  # they answer for what they read
PLACES = [path for path in paths(WHOLE) if not MODELS & {*path}]


@shown(300)
@given(place=st.sampled_from(PLACES), value=json_values)
def test_a_file_with_one_value_replaced_is_refused_or_can_be_used(place, value):
    content = json.dumps(replaced(WHOLE, place, value)).encode()

    try:
        frozen = Frozen.from_json(content)
    except DataError:
        return
    assert Frozen.from_json(frozen.to_json()) == frozen
    assert reference_table({0: frozen.reference}).num_rows == 1


@shown(200)
@given(content=st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_other_content_is_refused(content):
    with pytest.raises(DataError):
        Frozen.from_json(content)
