"""What tests of a user's own features call: do they see the future, the order, or other customers?

```python
from portfolio_ml.testing import check_features
from my_features import FEATURES

def test_my_features():
    check_features(FEATURES)
```
"""

from portfolio_ml.testing.checks import check_features

__all__ = ["check_features"]
