"""A search that is interrupted: what it says, and what the next run goes on from."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

pytestmark = pytest.mark.faults

SHOP = """
name: shop
data: {transactions: {source: sales.csv}}
targets: {churn: {horizon_days: 30}, lifetime_value: {horizon_days: 30}}
backtest: {cutoffs: 1, bootstrap: 100}
"""
MAIN = "import sys; from portfolio_ml.cli.app import run; sys.exit(run(sys.argv[1:]))"


@pytest.fixture
def shop(tmp_path):
    rng = np.random.default_rng(2)
    days = np.arange("2024-01-01", "2024-10-01", dtype="datetime64[D]")
    rows = [
        f"c{customer},{day},{rng.lognormal(3, 1):.2f}"
        for customer in range(150)
        for day in days[rng.random(days.size) < rng.gamma(1.2, 0.03)]
    ]
    (tmp_path / "sales.csv").write_text("\n".join(["customer_id,timestamp,amount", *rows, ""]))
    config = tmp_path / "shop.yaml"
    config.write_text(SHOP)
    return config


def started(config, *options):
    arguments = ["tune", "--config", str(config), "--target", "churn", *options]
    return subprocess.Popen(
        [sys.executable, "-c", MAIN, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    )


@pytest.mark.long
def test_what_is_finished_is_kept_and_the_next_run_goes_on(shop):
    with started(shop, "--minutes", "5") as search:
        told = []
        for line in search.stderr:
            told.append(line)
            if "trial 3" in line:
                search.send_signal(signal.SIGINT)
                break
        told += search.stderr.readlines()
        assert search.wait(60) == 130, told
    assert told[-2] == "the finished trials are kept; the same command goes on after them\n"
    assert told[-1] == "portfolio-ml: interrupted\n"

    finished = sum("trial" in line and "log loss" in line for line in told)
    again = started(shop, "--trials", str(finished + 1))
    shown, progress = again.communicate(timeout=120)
    assert again.returncode == 0, progress
    assert f"going on after {finished} trials" in progress
    assert f"trial {finished + 1}," in progress
    assert "Churn" in shown
