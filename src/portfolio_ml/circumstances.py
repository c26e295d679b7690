"""What a scoring and its figures go by, beside the history and the champions."""

from dataclasses import dataclass

from portfolio_ml.opening import Say
from portfolio_ml.scored import BandsBefore, Clock
from portfolio_ml.sinks.suppression import Suppression


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What earlier runs left behind, what time it is, and who listens.

    Attributes:
        bands_before: What was delivered before, by which bands stay steady.
        erased: Who was erased: no figure counts them, no row is theirs.
        now: The wall clock.
        say: Told what is being done.
    """

    bands_before: BandsBefore
    erased: Suppression
    now: Clock
    say: Say
