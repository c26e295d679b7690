"""Facts -> one HTML file that needs no network and no other file.

The page's policy allows its own style sheet and its own scripts, each by its hash, and nothing
else. Bars are SVG rectangles whose width is an attribute, so that no inline style is needed.
"""

from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from portfolio_ml.errors import ConfigError, ServiceUnavailableError
from portfolio_ml.replacing import replace_bytes
from portfolio_ml.report import number, phrases, words
from portfolio_ml.report.exhibits import exhibits
from portfolio_ml.report.facts import Facts
from portfolio_ml.report.shipped import places_of, shipped
from portfolio_ml.report.vega import runtime

TEMPLATE, STYLE = "page.html.j2", "page.css"
SCRIPTS = ("page.js", "table.js", "drawer.js", "charts.js", "start.js")
"""Parts of one script, in their order."""


def render(facts: Facts) -> str:
    """The page as HTML; equal facts give equal pages."""
    loader = PackageLoader("portfolio_ml", "report/html")
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "day": number.day,
        "percent": number.percent,
        "plain": number.plain,
        "sentence": phrases.sentence,
        "signed": number.signed,
    }

    def source(name: str) -> str:
        text, _, _ = loader.get_source(environment, name)
        return text

    style = source(STYLE)
    own = "{\n" + "\n".join(source(name) for name in SCRIPTS) + "}\n"
    scripts = [runtime(), '"use strict";\n' + own]
    shown = exhibits(facts)
    drawn = [exhibit for some in shown.values() for exhibit in some]
    return environment.get_template(TEMPLATE).render(
        facts=facts,
        policy=_policy(style, scripts),
        style=Markup(style),  # noqa: S704 - the package's own file
        scripts=[Markup(script) for script in scripts],  # noqa: S704 - likewise
        data=Markup(shipped(facts, drawn)),  # noqa: S704 - without any sign that HTML reads
        words=words,
        phrases=phrases,
        decimals=number.decimals,
        people_places=places_of(facts.people),
        exhibits=shown,
    )


def data_beside(path: Path) -> Path:
    """Where the facts of a page are.

    Example:
        >>> data_beside(Path("report.html")).name
        'report.json'
    """
    return path.with_suffix(".json")


def write(facts: Facts, path: Path) -> None:
    """Write the page under its name, and its facts beside it as JSON: each whole, or not at all.

    Each is written beside its name, flushed to the disk and renamed.

    Raises:
        ConfigError: The path is a folder, or lies in a folder that does not exist, or is the name
            of the facts.
        ServiceUnavailableError: The folder may not be written or is full.
    """
    data = data_beside(path)
    if path.is_dir():
        raise ConfigError("the report cannot replace a folder", where=str(path), do=_ADVICE)
    if not path.parent.is_dir():
        raise ConfigError("the report's folder does not exist", where=str(path), do=_ADVICE)
    if data == path:
        raise ConfigError("the report's facts have that name", where=str(path), do=_ADVICE)
    page = render(facts).encode()
    try:
        replace_bytes(data, facts.to_json())
        replace_bytes(path, page)
    except OSError as error:
        raise ServiceUnavailableError(
            "the report cannot be written",
            where=str(path),
            saw=error.strerror or type(error).__name__,
            do="check that its folder may be written and has space",
        ) from error


_ADVICE = "set report.path to an .html file in a folder that exists"


def _policy(style: str, scripts: Iterable[str]) -> str:
    allowed = " ".join(_hash(script) for script in scripts)
    return (
        f"default-src 'none'; script-src {allowed}; style-src {_hash(style)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
