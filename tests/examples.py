"""How much a test is shown: little in `make test`, more in `make test-long`."""

from hypothesis import HealthCheck, settings

TIMES = 20
USUAL = 100  # of a property that sets no number of its own
settings.register_profile("long", max_examples=TIMES * USUAL)


def is_long() -> bool:
    """Whether this run is `make test-long`."""
    return settings.get_current_profile_name() == "long"


def shown(count: int, *suppressed: HealthCheck) -> settings:
    """So many examples, without a deadline; under the profile `long`, `TIMES` as many."""
    times = TIMES if is_long() else 1
    return settings(
        max_examples=times * count, deadline=None, suppress_health_check=list(suppressed)
    )
