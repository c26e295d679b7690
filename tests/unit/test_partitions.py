"""The training table laid out for workers: every row once, whole customers, and no ids."""

from functools import partial

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.small_shop import NOW, TRAINED, quietly, settings_of

from portfolio_ml import learning, partitions, pipeline
from portfolio_ml.config import settings_from
from portfolio_ml.errors import ConfigError, ServiceUnavailableError
from portfolio_ml.models.grown import read
from portfolio_ml.partitions import OUTCOMES, lay_out, partition_of
from portfolio_ml.snapshots import labelled
from portfolio_ml.training import recency_weight

pytestmark = pytest.mark.unit

WORKERS = 3


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A small shop's training table of two days, and the same rows in memory."""
    settings = settings_of(tmp_path_factory.mktemp("shop"))
    training = settings.training.model_copy(update={"snapshots": 2})
    settings = settings.model_copy(update={"training": training})
    opened = partial(pipeline.opened, today=NOW.date(), as_of=TRAINED, say=quietly)
    with opened(settings) as portfolio:
        table = learning.training_table(portfolio)
        rows = labelled(portfolio.inputs, sorted(table.weights), horizons=table.horizons)
        yield table, rows


@pytest.fixture(scope="module")
def laid_out(shop, tmp_path_factory):
    """The partitions."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partitions, "FEWEST_ROWS", 1)
        return lay_out(shop[0], tmp_path_factory.mktemp("rows"), workers=WORKERS)


def test_the_partitions_hold_every_row_once_in_its_order(shop, laid_out):
    _, rows = shop
    of = partition_of(rows.customer, WORKERS)
    for number, partition in enumerate(laid_out):
        own = rows.where(of == number)
        features, labels, weights = read(
            partition.file, rows.names, outcome="churn", size=partition.rows
        )
        assert partition.rows == len(own) > 0
        assert np.array_equal(features, own.features, equal_nan=True)
        assert np.array_equal(labels, own.churned)
        assert np.array_equal(weights, recency_weight(rows.day)[of == number])


def test_rows_wait_until_they_fill_a_row_group(shop, monkeypatch, tmp_path):
    monkeypatch.setattr(partitions, "FEWEST_ROWS", 1)
    of_a_day = -(-len(shop[1]) // (2 * WORKERS))
    monkeypatch.setattr(partitions, "GROUP_ROWS", 10 * of_a_day)
    whole = lay_out(shop[0], tmp_path, workers=WORKERS)
    monkeypatch.setattr(partitions, "GROUP_ROWS", 1)
    (tmp_path / "by-batch").mkdir()
    parted = lay_out(shop[0], tmp_path / "by-batch", workers=WORKERS)
    groups = [[pq.ParquetFile(of.file).num_row_groups for of in laid] for laid in (whole, parted)]
    assert groups == [[1] * WORKERS, [2] * WORKERS]
    for one, other in zip(whole, parted, strict=True):
        assert (one.rows, one.bought) == (other.rows, other.bought)
        assert pq.read_table(one.file) == pq.read_table(other.file)


def test_amounts_are_learnt_from_those_who_buy(shop, laid_out):
    _, rows = shop
    own = rows.where((partition_of(rows.customer, WORKERS) == 0) & (rows.spend > 0))
    features, labels, weights = read(
        laid_out[0].file, rows.names, outcome="amount", size=laid_out[0].bought
    )
    assert np.array_equal(features, own.features, equal_nan=True)
    assert np.array_equal(labels, own.spend)
    assert len(weights) == len(own) > 0


def test_silence_is_no_spend(shop, laid_out):
    _, rows = shop
    own = rows.where(partition_of(rows.customer, WORKERS) == 1)
    _, labels, _ = read(laid_out[1].file, rows.names, outcome="silence", size=laid_out[1].rows)
    assert np.array_equal(labels, own.spend <= 0)
    assert 0 < labels.sum() < len(labels)


def test_no_customers_id_is_laid_out(shop, laid_out):
    table, _ = shop
    names = pq.read_schema(laid_out[0].file).names
    assert tuple(names) == (*table.inputs.catalogue.model_inputs, *OUTCOMES)
    assert b"buyer#" not in laid_out[0].file.read_bytes()


def test_too_few_rows_for_the_workers_are_refused(shop, tmp_path):
    with pytest.raises(ConfigError, match=r"too few to be parted among 40 workers.*Set fewer"):
        lay_out(shop[0], tmp_path, workers=40)


def test_a_folder_that_cannot_be_written_is_named(shop, tmp_path):
    with pytest.raises(ServiceUnavailableError, match=r"cannot be laid out.*missing"):
        lay_out(shop[0], tmp_path / "missing", workers=2)


def test_without_the_section_nothing_is_distributed(tmp_path):
    settings = settings_of(tmp_path)
    assert settings.training.distributed is None


@pytest.mark.parametrize(
    ("section", "fault"),
    [
        ({"workers": 2, "scheduler": "tcp://host:8786"}, "set folder"),
        ({"workers": 2, "scheduler": "host", "folder": "."}, "scheduler"),
        ({"workers": 0}, "workers"),
        ({"scheduler": "tcp://host:8786", "folder": "."}, "workers"),
    ],
    ids=["no folder", "no address", "no workers", "workers not told"],
)
def test_a_section_that_cannot_work_is_refused(tmp_path, section, fault):
    values = {"name": "shop", "data": {"transactions": {"source": "cdnow"}}}
    with pytest.raises(ConfigError, match=fault):
        settings_from({**values, "training": {"distributed": section}}, base=tmp_path)
