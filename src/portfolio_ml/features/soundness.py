"""Whether a user's own features can be computed: tried on the columns alone, before any row is.

What an expression reads, and whether it reduces a customer's rows to one, is asked of the engine
that will compute it.
"""

from collections.abc import Collection
from dataclasses import replace

import narwhals as nw
from narwhals.exceptions import ColumnNotFoundError, InvalidOperationError

from portfolio_ml.engine import Frame
from portfolio_ml.errors import ConfigError
from portfolio_ml.features.account import KNOWN_SHARE
from portfolio_ml.features.catalogue import Catalogue
from portfolio_ml.features.cut import KEYS, aggregated, stages_seen, tables_at
from portfolio_ml.features.feature import AGGREGATES, Feature, Stage
from portfolio_ml.features.inputs import Inputs
from portfolio_ml.features.own import WHERE
from portfolio_ml.features.rfm import SCORED
from portfolio_ml.features.table import with_features

_TABLES = {
    Stage.CATEGORIES: "category",
    Stage.CHANNELS: "channel",
    Stage.INTERACTIONS: "interactions",
    Stage.CONTACTS: "contacts",
    Stage.ATTRIBUTES: "customers",
}


def demand_sound(own: Collection[Feature], inputs: Inputs) -> None:
    """Refuse a feature that cannot be computed, or that looks beyond its customer.

    Args:
        own: The user's own features, which are in the catalogue.
        inputs: What they are to be computed from.

    Raises:
        ConfigError: The first of them that reads what its stage does not offer, does not reduce
            to one value where it must, mixes rows where it must not, or is no number.
    """
    if not own:
        return
    nobody = _without_rows(inputs)
    _demand_tables(own, inputs)
    tables = tables_at(nobody, [inputs.span.last_day])
    offered = stages_seen(tables, inputs.catalogue)
    for feature in own:
        if feature.stage in offered:
            _demand_aggregate(feature, offered[feature.stage])
    names = {feature.name for feature in own}
    ours = (feature for feature in inputs.catalogue.features if feature.name not in names)
    standard = replace(inputs.catalogue, features=tuple(ours))
    frame = inputs.engine.keep(aggregated(tables, inputs.catalogue))
    for stage in (Stage.ATTRIBUTES, Stage.CUSTOMER, Stage.PORTFOLIO):
        if stage is Stage.PORTFOLIO:
            frame = _with_reference_columns(frame, inputs.catalogue)
        frame = with_features(frame, standard, stage)
        for feature in inputs.catalogue.of_stage(stage):
            if feature.name in names:
                _demand_formula(feature, frame)
                frame = frame.with_columns(_value(feature).alias(feature.name))


def _demand_tables(own: Collection[Feature], inputs: Inputs) -> None:
    for feature in own:
        if feature.stage in _TABLES and not _has_table(feature.stage, inputs):
            raise _error(
                feature,
                f"needs {_TABLES[feature.stage]}",
                saw="no such column or table in this portfolio",
                do="map it under data, or leave the feature out",
            )


def _without_rows(inputs: Inputs) -> Inputs:
    def none_of(frame: Frame | None) -> Frame | None:
        return None if frame is None else frame.head(0)

    return replace(
        inputs,
        lines=inputs.lines.head(0),
        days=inputs.days.head(0),
        attributes=none_of(inputs.attributes),
        interactions=none_of(inputs.interactions),
        contacts=none_of(inputs.contacts),
    )


def _has_table(stage: Stage, inputs: Inputs) -> bool:
    events = {
        Stage.INTERACTIONS: inputs.interactions,
        Stage.CONTACTS: inputs.contacts,
        Stage.ATTRIBUTES: inputs.attributes,
    }
    return events[stage] is not None if stage in events else _TABLES[stage] in inputs.columns


def _with_reference_columns(frame: Frame, catalogue: Catalogue) -> Frame:
    shares = (n.removesuffix(KNOWN_SHARE) for n in catalogue.names if n.endswith(KNOWN_SHARE))
    edges = (f"{score}_{level}" for score in SCORED for level in (1, 2, 3, 4))
    known = ("gap_days", *edges, *shares)
    return frame.with_columns(nw.lit(0.0).alias(f"reference_{name}") for name in known)


def _demand_aggregate(feature: Feature, frame: Frame) -> None:
    value = _value(feature)
    _demand_columns(feature, frame)
    try:
        found = frame.group_by(*KEYS).agg(value.alias(feature.name))
        is_number = _is_number(found, feature.name)
    except Exception as error:
        told = _first_line(error)
        raise _error(
            feature,
            "does not reduce a customer's rows to one value"
            if isinstance(error, InvalidOperationError) and "aggregate" in told
            else "cannot be computed",
            saw=told,
            do=f"a feature of stage {feature.stage.name} is an aggregate, such as "
            f"nw.col({_example(frame)!r}).max()",
        ) from error
    if not is_number:
        raise _no_number(feature)


def _demand_formula(feature: Feature, frame: Frame) -> None:
    _demand_columns(feature, frame)
    if not _is_row_wise(_value(feature)):
        raise _error(
            feature,
            "looks at other rows than its own",
            saw=f"an aggregate or a window in stage {feature.stage.name}",
            do="aggregate in one of the stages "
            f"{', '.join(s.name for s in AGGREGATES if s is not Stage.ATTRIBUTES)}, "
            "and combine the results here",
        )
    try:
        is_number = _is_number(frame.select(_value(feature).alias(feature.name)), feature.name)
    except Exception as error:
        raise _error(
            feature,
            "cannot be computed",
            saw=_first_line(error),
            do="check the types of the columns that it combines",
        ) from error
    if not is_number:
        raise _no_number(feature)


def _demand_columns(feature: Feature, frame: Frame) -> None:
    try:
        frame.with_columns(_value(feature).alias(feature.name)).collect_schema()
    except ColumnNotFoundError:
        offered = sorted(name for name in frame.columns if not name.startswith("_"))
        raise _error(
            feature,
            f"reads a column that stage {feature.stage.name} does not offer",
            saw=f"columns {', '.join(map(repr, offered))}",
            do="use these, or another stage",
        ) from None
    except Exception:  # noqa: BLE001 - whatever else is wrong is told by the step that computes it
        return


def _is_row_wise(value: nw.Expr) -> bool:
    """Whether each row's value needs that row alone: Narwhals refuses such a value a window."""
    try:
        value.over("customer")
    except InvalidOperationError as error:
        return "elementwise" in str(error)
    return False


def _is_number(frame: Frame, name: str) -> bool:
    found = frame.collect_schema()[name]
    return found.is_numeric() or found == nw.Boolean


def _value(feature: Feature) -> nw.Expr:
    if feature.value is None:
        raise _error(feature, "has no value", saw="None", do="give it a Narwhals expression")
    return feature.value


def _example(frame: Frame) -> str:
    return next(n for n in ("spend", "amount", "age_days") if n in frame.columns)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].strip().rstrip(".") if lines else type(error).__name__


def _no_number(feature: Feature) -> ConfigError:
    return _error(feature, "is no number", saw="text or another type", do="cast or count it")


def _error(feature: Feature, what: str, *, saw: str, do: str) -> ConfigError:
    return ConfigError(f"the feature {feature.name!r} {what}", where=WHERE, saw=saw, do=do)
