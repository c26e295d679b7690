"""The examples in the package's docstrings, every one."""

import doctest
import importlib
from pathlib import Path

import pytest

import portfolio_ml

pytestmark = pytest.mark.unit

PACKAGE = Path(portfolio_ml.__file__).parent
WITH_EXAMPLES = [
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted(PACKAGE.rglob("*.py"))
    if ">>>" in path.read_text()
]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_of_each_module_show_what_comes(name):
    module = importlib.import_module(f"portfolio_ml.{name}")
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert result.attempted > 0
    assert result.failed == 0
