"""What the models cannot tell, in sentences: said on their cards and on the page."""

from collections.abc import Mapping
from types import MappingProxyType

_HISTORY = "It holds for customers like those in its history; a new season or range breaks it."
LIMITS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "churn": (
            "It says who leaves, not who would stay if called.",
            _HISTORY,
            "For inactive customers, who count as gone already, its complement is told.",
        ),
        "lifetime_value": (
            "It is what a customer will bring within the horizon, not over a lifetime.",
            _HISTORY,
            "Its interval is meant for a tier on average, not for each customer in it.",
            "A few large customers move the totals: look at the value tiers.",
        ),
        "segments": (
            "Segments describe who is alike in how they buy; they predict nothing.",
            "A customer near a border may move when the model is trained again.",
        ),
    }
)
