"""A portfolio looked over from config to targets: what is well, what is at fault, what to do.

Nothing is written anywhere, and what is wrong at one place keeps nobody from looking at the next.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path

from portfolio_ml.checkup import history, machine, targets, tracked
from portfolio_ml.checkup.check import Check, State, fault, tried, well, worst
from portfolio_ml.config import Settings, load_settings
from portfolio_ml.errors import ConfigError, FaultyConfigError
from portfolio_ml.steps import Say
from portfolio_ml.timeline import date_at

__all__ = ["Check", "State", "check_up", "worst"]

Look = Callable[[], Iterable[Check]]


def check_up(config: Path, *, now: datetime, say: Say) -> Iterator[Check]:
    """Look a portfolio over, one check after the other as it is made.

    Args:
        config: The config file.
        now: The time, in UTC.
        say: Told what is being looked at.
    """
    say("reading the config")
    try:
        settings = load_settings(config)
    except ConfigError as error:
        yield from _faults(config, error)
        return
    sections = len(settings.model_fields_set)
    yield well("config", str(config), f"portfolio {settings.name}, {sections} keys set")
    for area, subject, look in _looks(settings, now=now, say=say):
        if area != "data":  # which tells its own steps
            say(f"looking at {subject}")
        yield from tried(area, subject, look)


def _faults(config: Path, error: ConfigError) -> Iterator[Check]:
    if not isinstance(error, FaultyConfigError):
        yield fault("config", str(config), error)
        return
    for each in error.faults:
        path, _, what = each.partition(": ")
        do = f"correct these keys in {config}" if each == error.faults[-1] else None
        yield fault("config", path, ConfigError(what, do=do))


def _looks(settings: Settings, *, now: datetime, say: Say) -> Iterator[tuple[str, str, Look]]:
    yield "environment", "the environment", lambda: machine.environment(settings)
    yield "time zone", "the time zone", lambda: machine.time_zone(settings, now)
    yield "disk", "the disks", lambda: machine.disks(settings)
    today = date_at(now, settings.timezone)
    yield "data", "the data", lambda: history.data(settings, today=today, say=say)
    yield "tracking", "the tracking store", lambda: tracked.tracking(settings)
    if settings.scoring.bundle is not None:
        yield "champions", "the bundle", lambda: tracked.bundle(settings)
    yield "delivery", "the targets", lambda: targets.delivery(settings, now=now)
    yield "figures", "the figures' targets", lambda: targets.figures(settings)
    yield "state", "the state database", lambda: targets.state(settings)
