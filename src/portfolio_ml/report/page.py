"""Facts -> one HTML file that needs no network, no script and no other file.

The page's policy allows its own style sheet (by hash) and images within the page, nothing else.
Bars are SVG rectangles whose width is an attribute, so that no inline style is needed.
"""

from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from portfolio_ml.errors import ConfigError, ServiceUnavailableError
from portfolio_ml.replacing import replace_bytes
from portfolio_ml.report import number, words
from portfolio_ml.report.charts.drawing import to_svg
from portfolio_ml.report.charts.models import drawn
from portfolio_ml.report.charts.theme import DARK, LIGHT
from portfolio_ml.report.evidence import ModelFacts
from portfolio_ml.report.facts import Facts

TEMPLATE, STYLE = "page.html.j2", "page.css"


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart in both colour schemes, as data addresses, with what it shows in words."""

    light: str
    dark: str
    caption: str
    note: str
    text: str


def render(facts: Facts) -> str:
    """The page as HTML; equal facts give equal pages."""
    loader = PackageLoader("portfolio_ml", "report")
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
        "signed": number.signed,
    }
    style, _, _ = loader.get_source(environment, STYLE)
    return environment.get_template(TEMPLATE).render(
        facts=facts,
        policy=_policy(style),
        style=Markup(style),  # noqa: S704 - the package's own file
        words=words,
        decimals=number.decimals,
        pictures={model.target: _pictures(model, facts.currency) for model in facts.models},
    )


def write(facts: Facts, path: Path) -> Path:
    """Write the page under its name, and its facts beside it as JSON: each whole, or not at all.

    Each is written beside its name, flushed to the disk and renamed; gives the path of the facts.

    Raises:
        ConfigError: The path is a folder, or lies in a folder that does not exist, or is the name
            of the facts.
        ServiceUnavailableError: The folder may not be written or is full.
    """
    data = path.with_suffix(".json")
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
    return data


_ADVICE = "set report.path to an .html file in a folder that exists"


def _policy(style: str) -> str:
    digest = b64encode(sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _pictures(model: ModelFacts, currency: str) -> list[Picture]:
    return [
        Picture(
            light=_address(to_svg(chart, colours=LIGHT)),
            dark=_address(to_svg(chart, colours=DARK)),
            caption=words.caption(name, model.measure),
            note=words.chart_note(name),
            text=words.chart_text(name, model),
        )
        for name, chart in drawn(model, currency=currency).items()
    ]


def _address(svg: str) -> str:
    return f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}"
