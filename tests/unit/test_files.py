"""Models as data: sorted JSON, digests that tell any change, and faults told as such."""

import hashlib
import json

import pytest

from portfolio_ml.errors import DataError
from portfolio_ml.models.files import (
    DESCRIPTION,
    ascending,
    days,
    demand_names,
    described,
    description,
    digests,
    kind_of,
    listed,
    most_bytes,
    numbers,
    texts,
    understood,
    verify,
)

pytestmark = pytest.mark.unit

FILES = {"model.json": b"{}", "trees.txt": b"tree\n"}


def test_a_description_is_read_back_with_its_kind():
    files = {DESCRIPTION: described("churn", {"b": (1, 2), "a": None})}
    assert description(files, "churn") == {"format": 1, "kind": "churn", "a": None, "b": [1, 2]}
    assert kind_of(files) == "churn"


def test_the_order_of_keys_changes_no_byte():
    assert described("churn", {"a": 1, "b": 2}) == described("churn", {"b": 2, "a": 1})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_json_does_not_know_is_not_written(value):
    with pytest.raises(ValueError, match="JSON"):
        described("churn", {"level": value})


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b"[1]", b"null", b'"churn"', b"[" * 100_000]
)
def test_what_is_no_description_is_an_expected_error(content):
    for read in (lambda files: description(files, "churn"), kind_of):
        with pytest.raises(DataError, match="cannot be read"):
            read({DESCRIPTION: content})


def test_a_missing_description_is_an_expected_error():
    with pytest.raises(DataError, match="cannot be read"):
        description({}, "churn")


def test_a_description_of_another_kind_is_refused():
    with pytest.raises(DataError, match=r"another kind.*Load a churn"):
        description({DESCRIPTION: described("segments", {})}, "churn")


def test_a_description_of_another_format_is_refused():
    content = json.dumps({"kind": "churn", "format": 99}).encode()
    with pytest.raises(DataError, match="another version: saw 99"):
        description({DESCRIPTION: content}, "churn")


def test_digests_are_those_of_the_contents():
    assert digests(FILES)["trees.txt"] == hashlib.sha256(b"tree\n").hexdigest()


def test_the_registered_files_pass():
    verify(FILES, digests(FILES))


@pytest.mark.parametrize(
    "found",
    [
        FILES | {"trees.txt": b"tree"},
        FILES | {"trees.txt": b""},
        {"model.json": b"{}"},
        FILES | {"more.txt": b""},
        {"model.json": b"tree\n", "trees.txt": b"{}"},
        {},
    ],
    ids=["cut", "emptied", "missing", "extra", "swapped", "nothing"],
)
def test_other_files_are_refused_by_name(found):
    with pytest.raises(DataError, match=r"not the ones that were registered.*(txt|json)"):
        verify(found, digests(FILES))


def test_what_a_description_lacks_is_named():
    with pytest.raises(DataError, match="no 'names'"), understood():
        raise KeyError("names")


@pytest.mark.parametrize("fault", [TypeError("x"), ValueError("x"), OverflowError("x")])
def test_what_a_description_holds_wrongly_is_an_expected_error(fault):
    with pytest.raises(DataError, match="cannot be read"), understood():
        raise fault


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (days, 0),
        (days, -90),
        (days, 90.0),
        (days, "90"),
        (days, None),
        (days, 100_001),
        (listed, "1.5"),
        (listed, [1, "2"]),
        (listed, [None]),
        (listed, {1: 2}),
        (listed, [10**400]),
        (ascending, [2, 1]),
        (texts, "name"),
        (texts, ["name", 1]),
        (numbers, {"rate": "1"}),
        (numbers, {"rate": [1]}),
        (numbers, {"rate": 10**400}),
        (numbers, [1]),
    ],
)
def test_a_value_of_another_type_is_not_taken_for_one(read, value):
    with pytest.raises(DataError, match="cannot be read"), understood():
        read(value)


@pytest.mark.parametrize(
    "name",
    [
        *("../model.json", "/model.json", "a/model.json", "model.json\n", "model.json\0"),
        *("model.py", "model.pkl", "Model.json", ".json", "x" * 61 + ".json", "", "."),
    ],
)
def test_a_name_that_no_file_of_a_model_has_is_refused(name):
    with pytest.raises(DataError, match="no name of a model's file"):
        most_bytes(name)


def test_names_are_compared_before_any_file_is_read():
    demand_names(["model.json", "trees.txt"], FILES)
    for found in (["model.json"], ["model.json", "trees.txt", "code/"], []):
        with pytest.raises(DataError, match="not the ones that were registered"):
            demand_names(found, FILES)
    with pytest.raises(DataError, match="no name of a model's file"):
        demand_names(["model.py"], ["model.py"])
