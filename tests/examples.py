"""How much a test is shown: little in `make test`, more in `make test-long`, least to mutants."""

from hypothesis import HealthCheck, Phase, settings

TIMES = 20
USUAL = 100  # of a property that sets no number of its own
FEW = 25  # a mutant that these do not notice is read by eye
settings.register_profile("long", max_examples=TIMES * USUAL)
settings.register_profile(
    "mutants",
    max_examples=FEW,
    deadline=None,
    derandomize=True,  # the same examples, with the mutant and without
    phases=[Phase.explicit, Phase.generate],  # that it fails is enough
    database=None,
)


def is_long() -> bool:
    """Whether this run is `make test-long`."""
    return settings.get_current_profile_name() == "long"


def shown(count: int, *suppressed: HealthCheck) -> settings:
    """So many examples, without a deadline; under the profile `long`, `TIMES` as many."""
    times = TIMES if is_long() else 1
    if settings.get_current_profile_name() == "mutants":
        count = min(count, FEW)
    return settings(
        max_examples=times * count, deadline=None, suppress_health_check=list(suppressed)
    )
