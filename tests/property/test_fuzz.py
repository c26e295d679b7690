"""Mutations of the known inputs break no promise: a few of what `make fuzz` tries."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.examples import shown
from tests.fuzz.promises import PARTS
from tests.fuzz.seeds import seeds

pytestmark = pytest.mark.property

EXAMPLES = {"config": 25, "csv": 12, "parquet": 8}
PIECES = [b"", b"\0", b'"', b",", b"\r", b"\n", b"\xff", b"\xef\xbb\xbf", b"{", b"[", b"&a", b"9"]


@st.composite
def mutated(draw, known):
    """A known input of which pieces are replaced, repeated or gone."""
    data = draw(st.sampled_from(known))
    for _ in range(draw(st.integers(1, 3))):
        first = draw(st.integers(0, len(data)))
        last = min(len(data), first + draw(st.integers(0, 8)))
        piece = draw(st.one_of(st.sampled_from(PIECES), st.binary(max_size=8)))
        data = data[:first] + piece * draw(st.sampled_from([1, 1, 1, 50])) + data[last:]
    return data


@pytest.mark.parametrize("part", EXAMPLES)
def test_a_mutated_input_is_taken_whole_or_told(part):
    known = [seed for seed in seeds(part) if len(seed) <= 5_000]

    @settings(shown(EXAMPLES[part], HealthCheck.too_slow), derandomize=True, database=None)
    @given(mutated(known))
    def holds(data):
        PARTS[part](data)

    holds()


def test_a_time_that_breaks_the_database_is_told_and_spoils_no_file_after_it():
    days = pa.array([1_709_596_800_000_000, 0, -(2**63) + 190], pa.timestamp("us"))
    lines = pa.table({"customer_id": ["a"] * 3, "timestamp": days, "amount": ["much"] * 3})
    file = io.BytesIO()
    pq.write_table(lines, file)
    PARTS["parquet"](b"\0" + file.getvalue())
    PARTS["parquet"](next(seed for seed in seeds("parquet") if seed[0] % 2 == 0))
