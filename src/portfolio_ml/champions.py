"""The champions in force: of the registry or the configured bundle; changed by hand."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from portfolio_ml import bundles, registry
from portfolio_ml.config import Settings
from portfolio_ml.databases import redacted
from portfolio_ml.errors import ConfigError, DataError, MissingChampionError
from portfolio_ml.judgement import PRIMARY
from portfolio_ml.models.segments import SegmentModel
from portfolio_ml.opening import Say
from portfolio_ml.publish import JUDGEMENT
from portfolio_ml.report.evidence import model_facts
from portfolio_ml.scoring import Champions, champions_from
from portfolio_ml.wording import TARGET_NAMES, command, value_name


def champions_in_force(settings: Settings, say: Say) -> tuple[Champions, dict[str, dict[str, Any]]]:
    """The champions, and per target how each was judged when it was trained.

    Where `scoring.bundle` names one, they come from there, and no registry is asked.

    Raises:
        DataError: A target has no champion, or its files are not the registered ones.
    """
    say("loading the champions")
    if settings.scoring.bundle is None:
        present = registered_champions(settings)
        files = {target: champion.files for target, champion in present.items()}
        versions = {target: champion.version for target, champion in present.items()}
    else:
        bundle = bundles.read(
            settings.resolve(settings.scoring.bundle),
            digest=settings.scoring.bundle_digest or "",
            portfolio=settings.name,
        )
        files = {target: champion.files for target, champion in bundle.champions.items()}
        versions = {target: champion.version for target, champion in bundle.champions.items()}
    champions = champions_from(files, versions)
    return champions, {target: judgement_in(files[target], target) for target in files}


def champions_if_any(settings: Settings, say: Say) -> Champions | None:
    """The champions; None where a target has none yet.

    Raises:
        DataError: The files of one are not the registered ones.
    """
    try:
        champions, _ = champions_in_force(settings, say)
    except MissingChampionError:
        return None
    return champions


def source_of_champions(settings: Settings) -> str:
    """Where the champions come from, as it may be shown."""
    bundle = settings.scoring.bundle
    return redacted(settings.tracking.uri) if bundle is None else f"the bundle in {bundle}"


def registered_champions(settings: Settings) -> dict[str, registry.Registered]:
    """Every target's champion in the registry.

    Raises:
        MissingChampionError: A target has none.
        DataError: Its files are not the registered ones.
    """
    present = _registered(settings, registry.TARGETS)
    if missing := sorted(set(registry.TARGETS) - set(present)):
        raise MissingChampionError(
            f"there is no champion for {', '.join(TARGET_NAMES[t].lower() for t in missing)}",
            where=f"the registry of {settings.name}, {redacted(settings.tracking.uri)}",
            do=f"train first: {_training_command(settings)}",
        )
    return present


def judgement_in(files: Mapping[str, bytes], target: str) -> dict[str, Any]:
    """How a model was judged when it was trained.

    Raises:
        DataError: Its files do not say so in a form that can be told.
    """
    try:
        judged: dict[str, Any] = json.loads(files[JUDGEMENT])  # undefined figures are NaN
        if target in PRIMARY and judged["cutoffs"]:
            value_name(model_facts(judged).measure)
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise DataError(
            f"how the champion for {TARGET_NAMES[target].lower()} was judged cannot be read",
            where=JUDGEMENT,
            saw=f"{error!s:.200}",
            do="retrain with portfolio-ml train",
        ) from None
    return judged


def segments_in_force(settings: Settings) -> tuple[SegmentModel | None, int]:
    """The champion's segments, and the highest id that any segment ever had.

    No segments without a champion that this version can read; the id is 0 before any.
    """
    if not registry.has_begun(settings.tracking.uri, base=settings.base):
        return None, 0
    with registry.opened(settings) as store:
        champion, highest_id = store.champion("segments"), store.highest_segment_id()
    try:
        model = None if champion is None else SegmentModel.from_files(champion.files)
    except DataError:
        model = None
    return model, highest_id


def promote(settings: Settings, target: str, version: str, *, reason: str) -> registry.Move:
    """Make a registered version the champion by hand; the reason goes on record.

    Raises:
        ConfigError: There is no such version, or a training left it half registered.
        NothingToDoError: It is the champion already.
        DataError: Its files are not the registered ones.
        TryAgainLaterError: Another process is changing the champion.
    """
    with _begun(settings) as store:
        return store.promote(_known(target), version, reason=reason)


def rollback(settings: Settings, target: str, *, reason: str) -> registry.Move:
    """Make the champion before the champion again; the reason goes on record.

    Raises:
        ConfigError: There is none to go back to, or no reason.
        DataError: Its files are not the registered ones.
        TryAgainLaterError: Another process is changing the champion.
    """
    if not reason.strip():
        raise ConfigError("a rollback needs a reason", do="say in a sentence what was wrong")
    with _begun(settings) as store:
        return store.rollback(_known(target), reason=reason)


@dataclass(frozen=True, slots=True)
class Succession:
    """Who is champion of one target, and how that came about.

    Attributes:
        target: What the models predict.
        aliases: The versions that have an alias, by alias.
        moves: Every promotion and rollback, oldest first.
    """

    target: str
    aliases: Mapping[str, str]
    moves: tuple[registry.Move, ...]


def successions(settings: Settings) -> tuple[Succession, ...]:
    """The champions of every target with the record of how they came about."""
    with _begun(settings) as store:
        return tuple(Succession(t, store.aliases(t), store.moves(t)) for t in registry.TARGETS)


def all_moves(successions: Sequence[Succession]) -> list[registry.Move]:
    """The promotions and rollbacks of all targets, oldest first."""
    return sorted((m for each in successions for m in each.moves), key=lambda m: (m.at, m.target))


@contextmanager
def _begun(settings: Settings) -> Iterator[registry.Store]:
    """The portfolio's store, which opening would begin where there is none."""
    if not registry.has_begun(settings.tracking.uri, base=settings.base):
        raise ConfigError(
            "nothing has been trained yet",
            where=redacted(settings.tracking.uri),
            do=f"train first: {_training_command(settings)}",
        )
    with registry.opened(settings) as store:
        yield store


def _registered(settings: Settings, targets: Sequence[str]) -> dict[str, registry.Registered]:
    """The champions that there are, by target."""
    if not registry.has_begun(settings.tracking.uri, base=settings.base):  # opening would begin it
        return {}
    with registry.opened(settings) as store:
        found = {target: store.champion(target) for target in targets}
    return {target: champion for target, champion in found.items() if champion is not None}


def _known(target: str) -> str:
    if target not in registry.TARGETS:
        raise ConfigError(
            "there is no such target", saw=repr(target), do=f"write {', '.join(registry.TARGETS)}"
        )
    return target


def _training_command(settings: Settings) -> str:
    return (
        "portfolio_ml.train(settings)" if settings.file is None else command("train", settings.file)
    )
