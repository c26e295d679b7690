"""A chart as SVG, as PNG, and as what a page draws itself.

The converter works offline and is allowed no address.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import vl_convert

from portfolio_ml.report.charts.theme import LIGHT, PAPER, Theme

Chart = alt.Chart | alt.LayerChart | alt.FacetChart | alt.HConcatChart

FLUID = "container"
"""The width of a chart that is as wide as its place on the page."""
WIDTH, HEIGHT = 235, 215
LABELS, BESIDE_LABELS = 150, 140
PNG_SCALE = 2.0


def spec(chart: Chart) -> dict[str, Any]:
    """The chart as a page draws it: Vega-Lite as plain JSON values, without colours or address.

    It is not validated, which takes most of the time that a page takes; the tests do that.
    """
    told: dict[str, Any] = chart.to_dict(validate=False)
    return {key: value for key, value in told.items() if key not in {"$schema", "config"}}


def to_svg(chart: Chart, *, colours: Theme = LIGHT, width: int = WIDTH) -> str:
    """The chart as SVG; equal charts give equal text.

    Args:
        chart: The chart.
        colours: How it looks.
        width: Of its inner part, in pixels, where it is as wide as its place.
    """
    svg = vl_convert.vegalite_to_svg(
        _placed(chart, width), config=dict(colours), allowed_base_urls=_NO_ADDRESS
    )
    numbers: dict[str, int] = {}  # the converter counts its clips on from chart to chart
    return _CLIP.sub(lambda m: f"{m[1]}{numbers.setdefault(m[2], len(numbers))}", svg)


def to_png(chart: Chart, *, colours: Theme = PAPER, width: int = WIDTH) -> bytes:
    """The chart as PNG, on white."""
    return vl_convert.vegalite_to_png(
        _placed(chart, width),
        config=dict(colours),
        scale=PNG_SCALE,
        allowed_base_urls=_NO_ADDRESS,
    )


def sized(chart: Chart, width: int = WIDTH) -> Chart:
    """The chart at a width of its own, for where it has no place to be as wide as."""
    is_fluid = getattr(chart, "width", None) == FLUID  # a chart of charts has no width of its own
    return chart.properties(width=width) if is_fluid else chart


def beside(*charts: Chart) -> Chart:
    """Charts side by side; a single one stays as it is."""
    if len(charts) == 1:
        return charts[0]
    row: alt.HConcatChart = alt.hconcat(*map(sized, charts)).resolve_scale(color="independent")
    return row


def values(rows: Sequence[Mapping[str, Any]]) -> alt.InlineData:
    """Rows as a chart's own data."""
    return alt.InlineData(values=[dict(row) for row in rows])


def amounts(**settings: Any) -> alt.Axis:  # noqa: ANN401 - whatever an axis takes
    """An axis of amounts or counts: 20k, 1.5M, and plain numbers below 1."""
    plainly = "abs(datum.value) < 1 ? format(datum.value, '.2~f') : datum.label"
    return alt.Axis(**{"format": "~s", "tickCount": 5, "labelExpr": plainly, **settings})


_NO_ADDRESS: list[str] = []
_CLIP = re.compile(r'((?:id="|url\(#)clip)(\d+)')


def _placed(chart: Chart, width: int) -> dict[str, Any]:
    told: dict[str, Any] = chart.to_dict()
    return {**told, "width": width} if told.get("width") == FLUID else told
