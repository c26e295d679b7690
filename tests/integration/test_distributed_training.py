"""Trees fitted by two worker processes: as good as here, the same each time, all or nothing."""

import os
import signal
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.histories import REFERENCE
from tests.simulated import RECIPE, simulated
from tests.small_shop import NOW, TRAINED, quietly, settings_of

from portfolio_ml import bundles, pipeline, registry, transfer
from portfolio_ml.config import Distributed
from portfolio_ml.errors import ConfigError, ServiceUnavailableError
from portfolio_ml.metrics import METRICS
from portfolio_ml.models import cluster as clusters
from portfolio_ml.models.churn import ChurnModel, fit_churn_trees
from portfolio_ml.models.cluster import connected, demand_dask
from portfolio_ml.models.grown import Grower
from portfolio_ml.models.trees import DEFAULTS
from portfolio_ml.partitions import Partition, partition_of
from portfolio_ml.training import fit_candidates, recency_weight

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("distributed")]

ROUNDS = 40


@pytest.fixture(scope="module")
def cluster():
    """Two workers on this machine."""
    with connected(Distributed(workers=2)) as found:
        yield found


@pytest.fixture(scope="module")
def rows():
    return simulated(1_000)


def laid_out(rows, folder, workers):
    """The rows as `partitions.lay_out` would lay them out."""
    weight, of = recency_weight(rows.day), partition_of(rows.customer, workers)
    found = []
    for number in range(workers):
        own, path = rows.where(of == number), folder / f"{workers}-{number}.parquet"
        columns = dict(zip(own.names, own.features.T, strict=True))
        outcomes = {"weight": weight[of == number], "churned": own.churned}
        pq.write_table(pa.table({**columns, **outcomes, "future_spend": own.spend}), path)
        found.append(Partition(path, len(own), int((own.spend > 0).sum())))
    return tuple(found)


@pytest.fixture(scope="module")
def grower(cluster, rows, tmp_path_factory):
    """Both workers, with half of the customers each."""
    partitions = laid_out(rows, tmp_path_factory.mktemp("rows"), 2)
    return Grower(cluster, partitions, rows.names, RECIPE.seed)


@pytest.fixture(scope="module")
def candidates(grower, rows):
    """Every candidate with trees that both workers fitted."""
    return fit_candidates(rows, RECIPE, tier_edges=REFERENCE.tier_edges, grow=grower.grow)


@pytest.fixture(scope="module")
def grown(grower):
    return grower.grow("churn", DEFAULTS, ROUNDS)


def test_one_worker_fits_the_very_trees_that_are_fitted_here(cluster, rows, tmp_path):
    alone = replace(cluster, workers=cluster.workers[:1])
    grower = Grower(alone, laid_out(rows, tmp_path, 1), rows.names, RECIPE.seed)
    weight = recency_weight(rows.day)
    here = fit_churn_trees(rows, weight, seed=RECIPE.seed, parameters=DEFAULTS)
    assert grower.grow("churn", DEFAULTS, here.rounds).text == here.trees.text


def test_the_same_rows_give_the_same_trees_whichever_worker_has_them(grower, grown):
    turned = replace(grower.cluster, workers=grower.cluster.workers[::-1])
    again = replace(grower, cluster=turned).grow("churn", DEFAULTS, ROUNDS)
    assert again.text == grown.text


def test_two_workers_rank_unseen_customers_as_well_as_one_machine(candidates, rows):
    """On customers of the same kind whom neither has seen: AUROC within 0.01, Gini within 0.02."""
    unseen = simulated(1_000, seed=1)
    here = fit_candidates(rows, RECIPE, tier_edges=REFERENCE.tier_edges)
    auroc, gini = METRICS["auroc"], METRICS["normalised_gini"]
    churn = [
        auroc.value(unseen.churned.astype(float), found.churn["boosted"].predict(unseen.features))
        for found in (here, candidates)
    ]
    assert churn[0] > 0.7
    assert churn[1] == pytest.approx(churn[0], abs=0.01)
    value = [
        gini.value(unseen.net, found.lifetime_value["boosted"].predict(unseen.features))
        for found in (here, candidates)
    ]
    assert value[0] > 0.5
    assert value[1] == pytest.approx(value[0], abs=0.02)
    texts = [found.churn["boosted"].trees.text for found in (here, candidates)]
    assert texts[0] != texts[1]


def test_a_model_from_workers_is_stored_and_explained_as_any_other(candidates, rows):
    model = candidates.churn["boosted"]
    again = ChurnModel.from_files(model.to_files())
    few = rows.features[:50]
    assert np.array_equal(again.predict(few), model.predict(few))
    assert np.array_equal(again.contributions(few), model.contributions(few))


def test_a_training_registers_scores_and_carries_what_workers_fitted(cluster, tmp_path):
    """Through a running scheduler, whose workers read from a folder; nothing is left in it."""
    folder = tmp_path / "rows"
    folder.mkdir()
    settings = settings_of(tmp_path)
    section = Distributed(workers=1, scheduler=cluster.client.scheduler.address, folder="rows")
    training = settings.training.model_copy(update={"distributed": section, "snapshots": 3})
    settings = settings.model_copy(update={"training": training})
    told = []
    with pipeline.opened(settings, today=NOW.date(), as_of=TRAINED, say=quietly) as portfolio:
        done = pipeline.train(portfolio, promote=True, say=told.append)
        assert any("fitting the final trees on 360 rows" in text for text in told)
        assert any("on all 360 rows by 1 worker" in r for r in done.decisions["churn"].reasons)
        scored = pipeline.score(portfolio, now=lambda: NOW, say=quietly)
    assert scored.rows.num_rows > 0
    assert list(folder.iterdir()) == []
    carried = transfer.export_champions(settings, tmp_path / "models", say=quietly)
    read = bundles.read(tmp_path / "models", digest=carried.digest)
    with registry.opened(settings) as store:
        champion = store.champion("churn")
    assert {*read.champions} >= {"churn", "lifetime_value"}
    assert champion is not None


# What goes wrong


def test_rows_that_the_workers_do_not_see_are_a_fault_of_the_config(grower, tmp_path):
    gone = tuple(replace(p, file=tmp_path / "gone" / p.file.name) for p in grower.partitions)
    with pytest.raises(ConfigError, match=r"do not see the rows.*training\.distributed\.folder"):
        replace(grower, partitions=gone).grow("churn", DEFAULTS, ROUNDS)


def test_a_scheduler_that_does_not_answer_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(clusters, "ANSWER_SECONDS", 1)
    nowhere = Distributed(workers=2, scheduler="tcp://127.0.0.1:9", folder=tmp_path)
    with (
        pytest.raises(ServiceUnavailableError, match=r"No Dask scheduler.*tcp://127\.0\.0\.1:9"),
        connected(nowhere),
    ):
        pass


def test_a_cluster_with_too_few_workers_is_refused(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(clusters, "ANSWER_SECONDS", 1)
    address = cluster.client.scheduler.address
    more = Distributed(workers=3, scheduler=address, folder=tmp_path)
    with (
        pytest.raises(ServiceUnavailableError, match=r"fewer than 3 workers.*saw 2 workers"),
        connected(more),
    ):
        pass


@pytest.mark.parametrize(("seen", "told"), [(None, "saw none"), ("1.0", r"saw 1\.0")])
def test_a_worker_with_other_packages_is_refused(seen, told):
    own = dict.fromkeys(clusters.PACKAGES, "2.0")
    versions = {
        "client": {"packages": own},
        "scheduler": {"packages": own},
        "workers": {"tcp://w:1": {"packages": own | {"lightgbm": seen}}},
    }
    with pytest.raises(ConfigError, match=rf"needs lightgbm 2\.0.*tcp://w:1 of c.*{told}"):
        clusters._demand_alike(versions, "c")


def test_without_dask_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(clusters, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"pip install 'portfolio-ml\[dask\]'"):
        demand_dask()


def test_a_worker_that_is_killed_ends_the_fit_in_one_sentence(cluster, rows, tmp_path, monkeypatch):
    """The other worker would wait for it in native code for two hours, and is restarted.

    The last test of the module: both workers come back under other addresses.
    """
    looked = clusters.Cluster._lost
    killed = []

    def after_a_kill(self):
        if not killed:
            killed.append(self.workers[1])
            process = self.client.run(os.getpid, workers=[self.workers[1]])[self.workers[1]]
            os.kill(process, signal.SIGKILL)
        return looked(self)

    monkeypatch.setattr(clusters.Cluster, "_lost", after_a_kill)
    address = cluster.client.scheduler.address
    with connected(Distributed(workers=2, scheduler=address, folder=tmp_path)) as found:
        grower = Grower(found, laid_out(rows, tmp_path, 2), rows.names, 1)
        with pytest.raises(
            ServiceUnavailableError, match=r"worker was lost.*nothing is registered"
        ):
            grower.grow("churn", DEFAULTS, 100_000)
    assert killed
    assert not {*cluster.client.nthreads()} & {*cluster.workers}
