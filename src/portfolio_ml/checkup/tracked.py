"""The registry as scoring would meet it: whether it answers, and whether champions are whole."""

from collections.abc import Iterator

from portfolio_ml import bundles, registry
from portfolio_ml.champions import judgement_in
from portfolio_ml.checkup.check import Check, fault, warning, well
from portfolio_ml.config import Settings
from portfolio_ml.databases import redacted
from portfolio_ml.errors import DataError, MissingChampionError, PortfolioError
from portfolio_ml.registry import Registered
from portfolio_ml.scoring import champions_from
from portfolio_ml.wording import TARGET_NAMES, command


def tracking(settings: Settings) -> Iterator[Check]:
    """The tracking store, then the champion of every target; nothing is begun where nothing is."""
    uri = redacted(settings.tracking.uri)
    with registry.looking(settings) as store:
        if store is None:
            saw = f"nothing of the experiment {settings.experiment} yet"
            yield warning("tracking", uri, saw, do=_training(settings))
            return
        yield well("tracking", uri, f"answers; experiment {settings.experiment}")
        if settings.scoring.bundle is None:
            yield from _champions(settings, store)


def bundle(settings: Settings) -> Iterator[Check]:
    """The bundle that the champions come from, where the config names one."""
    if settings.scoring.bundle is None:
        return
    found = bundles.read(
        settings.resolve(settings.scoring.bundle),
        digest=settings.scoring.bundle_digest or "",
        portfolio=settings.name,
    )
    files = {target: each.files for target, each in found.champions.items()}
    champions_from(files, {target: each.version for target, each in found.champions.items()})
    yield well("champions", str(settings.scoring.bundle), "whole, and the one of its digest")


def _champions(settings: Settings, store: registry.Store) -> Iterator[Check]:
    whole: dict[str, Registered] = {}
    for target in registry.TARGETS:
        try:
            champion = store.champion(target)
            if champion is None:
                raise MissingChampionError("there is none", do=_training(settings))
            judgement_in(champion.files, target)
        except PortfolioError as error:
            yield fault("champions", TARGET_NAMES[target], error)
        else:
            whole[target] = champion
            yield well("champions", TARGET_NAMES[target], f"version {champion.version}, whole")
    if len(whole) == len(registry.TARGETS):
        files = {target: each.files for target, each in whole.items()}
        try:
            champions_from(files, {target: each.version for target, each in whole.items()})
        except DataError as error:
            yield fault("champions", "all together", error)


def _training(settings: Settings) -> str:
    return f"train: {command('train', settings.file or 'CONFIG')}"
