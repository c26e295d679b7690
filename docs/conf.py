"""How Sphinx makes the site: `make docs` writes it to docs/_build/html."""

from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sphinx.application import Sphinx
from sphinx.util.typing import stringify_annotation

HERE = Path(__file__).parent
NOTEBOOKS = HERE.parent / "notebooks"
CALLS = "portfolio_ml.notebook"
GIVEN = ("portfolio_ml.answers", "portfolio_ml.datasets.dataset")
NAMES = {
    stringify_annotation(npt.ArrayLike, "smart"): "ArrayLike",
    stringify_annotation(npt.NDArray[np.float64], "smart"): "ndarray",
}
"""What autodoc spells out, and what it is called."""
LISTED = "```{toctree}\n:hidden:\n:glob:\n\n0*\n```\n"

project = "portfolio_ml"
author = "the authors of portfolio_ml"
project_copyright = "2026, the authors of portfolio_ml"
release = version = version_of("portfolio-ml")

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "**/.ipynb_checkpoints"]
nitpicky = True
show_warning_types = True

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
suppress_warnings = ["myst.header"]  # a generated page may step down two levels at once

# The Python page is made from the docstrings, whose single backticks mean code. Types are told as
# they are written; most of them have no page of their own to link to.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_custom_sections = [("Attributes", "params_style")]
nitpick_ignore_regex = [("py:(class|obj|data|exc)", ".*")]

# Notebooks are committed without outputs. The first build runs them, which takes a few minutes;
# later ones take what has not changed from the cache.
nb_execution_mode = "cache"
nb_execution_cache_path = str(HERE / "_build" / "notebooks")
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_output_stderr = "warn"
nb_merge_streams = True

html_theme = "pydata_sphinx_theme"
html_title = "portfolio_ml"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "portfolio_ml"},
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "header_links_before_dropdown": 6,
    "show_toc_level": 2,
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "friendly",
    "pygments_dark_style": "github-dark",
}
html_context = {"default_mode": "auto"}
html_sidebars = {"index": []}


def brought_notebooks(app: Sphinx, *_: object) -> None:
    """Bring the notebooks beside the pages, with the links that hold there.

    They stay in a folder of their own for those who run them; Sphinx only sees what is in docs.
    """
    there = Path(app.srcdir) / "notebooks"
    there.mkdir(exist_ok=True)
    for path in sorted(NOTEBOOKS.iterdir()):
        if path.suffix in {".ipynb", ".md"}:
            text = path.read_text(encoding="utf-8").replace("](../docs/", "](../")
            text = text.replace("](../README.md)", "](../index.md)")
            if path.stem == "README":
                text += f"\n{LISTED}"
            _replace(there / path.name.replace("README", "index"), text)


def _replace(path: Path, text: str) -> None:
    """Where nothing changed, the file's time stays, and Sphinx does not read it again."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def readable_signature(
    _app: Sphinx,
    _what: str,
    _name: str,
    documented: Any,  # noqa: ANN401 - whatever has a docstring
    _options: object,
    signature: str | None,
    returned: str | None,
) -> tuple[str, str | None] | None:
    """Give types the names that the code has for them, and no signature to what nobody makes."""
    if signature is None:
        return None
    home = documented.__module__
    if isinstance(documented, type) and (home in GIVEN or "__init__" not in vars(documented)):
        return "", None

    def named(types: str) -> str:
        for spelt_out, name in NAMES.items():
            types = types.replace(spelt_out, name)
        return types.replace("~typing.Any", "Table") if home == CALLS else types

    return named(signature), returned and named(returned)


def setup(app: Sphinx) -> None:
    """What Sphinx calls first."""
    app.connect("autodoc-process-signature", readable_signature)
    app.connect("config-inited", brought_notebooks)
