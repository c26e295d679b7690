"""How much each feature matters to a model's trees: the gain of the splits on it.

The gain is the loss that a split takes away where the trees were fitted. It says what a model
leans on, not what causes what, and correlated features share it by chance.
"""

from collections.abc import Mapping

from portfolio_ml.models.files import TREES
from portfolio_ml.models.hurdle import AMOUNT, SILENCE
from portfolio_ml.models.trees import load

PARTS = {
    TREES: "no purchase",
    SILENCE: "no purchase",
    AMOUNT: "amount of those who buy",
}


def importance(files: Mapping[str, bytes]) -> dict[str, dict[str, float]]:
    """Per ensemble in a model's files, each feature's share of the gain, largest first.

    Features that no split uses are left out; a model without trees has no ensemble.

    Raises:
        DataError: A text is none that LightGBM could have written.
    """
    found = {}
    for file, part in PARTS.items():
        if file in files:
            gains = load(files[file].decode()).gains()
            total = sum(gains.values()) or 1.0
            ranked = sorted(gains.items(), key=lambda each: (-each[1], each[0]))
            found[part] = {name: gain / total for name, gain in ranked if gain > 0}
    return found
