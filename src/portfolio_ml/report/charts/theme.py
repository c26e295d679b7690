"""What charts look like: the colours of a light page, a dark one, and white paper."""

from collections.abc import Mapping
from typing import Any

Theme = Mapping[str, Any]

FONT = "Helvetica Neue, Helvetica, Arial, Liberation Sans, sans-serif"


def theme(
    *, ink: str, quiet: str, line: str, main: str, other: str, third: str, paper: str,
    ramp: tuple[str, str], background: str,
) -> Theme:  # fmt: skip
    """A Vega-Lite config of these colours.

    Args:
        ink: Of numbers and names within a chart.
        quiet: Of axes, and of what only helps to compare.
        line: Of the grid.
        main: Of what the chart is about.
        other: Of what it is compared with.
        third: Of a third kind.
        paper: What lies behind it; of numbers on dark cells.
        ramp: From nothing to all, of a heat map.
        background: Behind it all.
    """
    label = {"labelColor": quiet, "labelFontSize": 12, "titleColor": quiet, "titleFontSize": 12}
    axis = {
        "domain": False,
        "ticks": False,
        "gridColor": line,
        "labelPadding": 6,
        "labelFlush": False,
    }
    return {
        "aria": False,  # the chart has one text alternative, not one per mark
        "background": background,
        "font": FONT,
        "padding": 4,
        "view": {"stroke": None},
        "axis": {**label, **axis, "titleFontWeight": "normal", "titlePadding": 10},
        "title": {
            "anchor": "start",
            "color": ink,
            "fontSize": 14,
            "subtitleColor": quiet,
            "subtitleFontSize": 12,
            "subtitlePadding": 5,
            "offset": 12,
        },
        "header": label,
        "legend": {**label, "orient": "top", "title": None},
        "range": {
            "category": [main, other, third, quiet],
            "heatmap": list(ramp),
            "ramp": list(ramp),
        },
        "line": {"color": main, "strokeWidth": 2},
        "area": {"color": main},
        "point": {"color": main, "filled": True, "size": 60, "opacity": 1},
        "bar": {"color": main, "cornerRadiusEnd": 2},
        "rule": {"color": quiet},
        "text": {"color": ink, "fontSize": 12},
        "style": {
            "reference": {"color": quiet, "stroke": quiet, "strokeDash": [4, 4], "strokeWidth": 1},
            "quiet": {"color": quiet, "fill": quiet},
            "other": {"color": other, "fill": other, "stroke": other},
            "band": {"color": main, "opacity": 0.2},
            "main": {"color": main, "fill": main},
            "before": {"stroke": other, "strokeDash": [2, 3]},
            "span": {"color": main, "stroke": main, "strokeWidth": 2},
            "halo": {"stroke": paper, "strokeWidth": 5, "strokeJoin": "round"},
            "mark": {"color": ink, "fill": ink, "stroke": paper, "strokeWidth": 1},
            "guess": {"color": quiet, "stroke": quiet, "filled": False, "size": 50},
            "past": {"color": quiet, "stroke": quiet},
            "post": {"color": quiet, "fill": quiet},
            "reversed": {"color": paper, "fill": paper},
            "cell": {"stroke": paper, "strokeWidth": 2},
        },
    }


LIGHT = theme(
    ink="#1c2327", quiet="#56616a", line="#e4e7e5", main="#23686b", other="#c07c43",
    third="#7d6b9e", paper="#ffffff", ramp=("#e9f1f0", "#23686b"), background="transparent",
)  # fmt: skip
DARK = theme(
    ink="#e7eaea", quiet="#a3aeb4", line="#2d363b", main="#74bdb8", other="#e0a26f",
    third="#b7a6d9", paper="#1b2226", ramp=("#20302f", "#5fa39f"), background="transparent",
)  # fmt: skip
PAPER = {**LIGHT, "background": "white"}
