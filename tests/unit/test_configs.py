"""The configs that stand in the repository."""

from pathlib import Path

import pytest

from portfolio_ml.config import load_settings
from portfolio_ml.datasets import DATASETS

pytestmark = pytest.mark.unit

FOLDER = Path(__file__).parents[2] / "configs"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_config_is_valid(path):
    assert load_settings(path).name == path.stem


@pytest.mark.parametrize("name", DATASETS)
def test_a_built_in_data_sets_config_is_the_one_that_its_demo_leaves(name):
    schema, _, config = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8").partition("\n")
    assert config == DATASETS[name].config
    assert schema == "# yaml-language-server: $schema=../docs/reference/config.schema.json"
