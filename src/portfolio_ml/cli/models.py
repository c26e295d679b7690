"""The commands on model bundles, for hosts without a registry."""
# ruff: noqa: PLC0415 - heavy libraries are imported by the commands that need them

from pathlib import Path
from typing import Annotated

import typer

from portfolio_ml.cli.help import WIDEST, Commands
from portfolio_ml.cli.options import Config, Json, Quiet
from portfolio_ml.cli.printing import told

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The bundle's folder.")]
Out = Annotated[
    Path, typer.Option("--out", "-o", metavar="DIR", help="The folder to write the bundle to.")
]
Digest = Annotated[
    str,
    typer.Option("--digest", metavar="SHA", help="The digest that export printed."),
]
Promote = Annotated[
    bool, typer.Option("--promote/--no-promote", help="Make the models the champions.")
]

app = typer.Typer(
    cls=Commands,
    name="models",
    help="Carry champions to hosts without MLflow.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"max_content_width": WIDEST},
)


def export_(
    config: Config, out: Out = Path("models"), as_json: Json = False, quiet: Quiet = False
) -> None:
    """Write the champions to a folder that score can use without MLflow.

    It prints the bundle's digest: give it to whoever is to trust the bundle.
    """
    from portfolio_ml import transfer
    from portfolio_ml.cli.progress import telling
    from portfolio_ml.cli.show.bundles import carried, print_exported
    from portfolio_ml.config import load_settings

    settings = load_settings(config)
    with telling(quiet=quiet) as say:
        written = transfer.export_champions(settings, out, say=say)
    told(written, plain=carried, drawn=print_exported, as_json=as_json)


def import_(
    folder: Folder,
    config: Config,
    digest: Digest,
    *,
    promote: Promote = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Register a bundle's models in this host's registry.

    They become challengers, and champions where --promote says so.
    """
    from portfolio_ml import transfer
    from portfolio_ml.cli.progress import telling
    from portfolio_ml.cli.show.bundles import carried, print_imported
    from portfolio_ml.config import load_settings

    settings = load_settings(config)
    with telling(quiet=quiet) as say:
        found = transfer.import_champions(settings, folder, digest=digest, promote=promote, say=say)
    told(found, plain=carried, drawn=print_imported, as_json=as_json)


def verify(
    folder: Folder,
    digest: Annotated[
        str | None,
        typer.Option("--digest", metavar="SHA", help="The digest that export printed."),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Check that a bundle is whole, and the one that is trusted.

    Without --digest it is compared with its own manifest alone, which anybody can write.
    """
    from portfolio_ml import transfer
    from portfolio_ml.cli.progress import telling
    from portfolio_ml.cli.show.bundles import carried, print_verified

    with telling(quiet=quiet) as say:
        found = transfer.verified(folder, digest, say=say)
    told(
        found,
        plain=carried,
        drawn=lambda found: print_verified(found, trusted=digest is not None),
        as_json=as_json,
    )


COMMANDS = {"export": export_, "import": import_, "verify": verify}
