"""The script that draws charts within the page: Vega, bundled, with one function of ours.

It evaluates no text as code (Vega's expressions are walked as trees), injects no style and opens
no address, so that a page may forbid all three.
"""

from functools import cache

import vl_convert

DRAW = "drawChart"
"""The function that the script defines: `drawChart(element, spec, config)` draws a Vega-Lite
specification into the element, as wide as that is, and gives a promise of
`{view, finalize, ...}`; before it is drawn anew, `finalize()` lets go of the old one."""

NOTICE = (
    "/* Vega, Vega-Lite and Vega-Embed: (c) University of Washington Interactive Data Lab and "
    "contributors, BSD 3-Clause licence. */\n"
)


@cache
def runtime() -> str:
    """The script as one text for a `<script>` element, about 0.9 MB.

    It is bundled once per process, in 2 to 4 seconds, without a network; the same versions give
    the same text.
    """
    return NOTICE + vl_convert.javascript_bundle(_SNIPPET)


_SNIPPET = f"""
const options = {{
  mode: "vega-lite", renderer: "svg", ast: true,
  actions: false, defaultStyle: false, tooltip: false,
}};
window.{DRAW} = (element, spec, config) => vegaEmbed(element, spec, {{...options, config}});
"""
