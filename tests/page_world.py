"""Where the readers of pages work: a folder each, data to begin with, a database server."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import pytest
from tests.contract.hubspot import Weather, hubspot
from tests.contract.salesforce_org import Org
from tests.contract.salesforce_place import salesforces
from tests.page_blocks import blocks
from tests.page_runs import ROOT, Reader
from tests.servers import Server, server

DOCS = ROOT / "docs"
TUTORIAL = DOCS / "tutorial" / "own_data.md"
FEBRUARY = "1998-02-28"
"""When the champions of the how-to pages were trained: a horizon before the last day."""

OWN_BEGINNING = frozenset({"tutorial"})
"""Folders whose pages begin with nothing."""

R = TypeVar("R", bound=Reader)


@dataclass
class World:
    """What the pages' readers find.

    Attributes:
        folder: Where each gets a folder.
        stack: What ends with it.
        patch: What it changes of the environment.
        made: How many readers there have been.
    """

    folder: Path
    stack: contextlib.ExitStack
    patch: pytest.MonkeyPatch
    made: int = 0

    def reader(self, page: Path, kind: type[R]) -> R:
        """A reader of the page, in a folder of its own, with what the page begins with."""
        self.made += 1
        folder = self.folder / f"{self.made}"
        if page.parent.name in OWN_BEGINNING:
            folder.mkdir()
        else:
            shutil.copytree(self.begun, folder)
        if kept := {"hubspot": self._hubspot, "salesforce": self._salesforce}.get(page.stem):
            return kind(folder, *kept())
        return kind(folder, *(self._database() if asks_psql(page) else ()))

    @cached_property
    def begun(self) -> Path:
        """The tutorial's shop on a day in February: its sales, trained, scored, delivered."""
        folder = self.folder / "begun"
        folder.mkdir()
        (program,) = (b for b in blocks(TUTORIAL) if b.notes.get("file") == "make_sales.py")
        page = folder / "begun.md"
        lines = [
            "portfolio-ml init --transactions sales.csv",
            f"portfolio-ml train --config sales.yaml --as-of {FEBRUARY}",
            f"portfolio-ml score --config sales.yaml --as-of {FEBRUARY}",
        ]
        typed = "".join(f"$ {line}\n" for line in lines)
        page.write_text(f"```python\n{program.text}```\n\n```console\n{typed}```\n")
        Reader(folder).follows(page)
        page.unlink()
        shutil.copy(folder / "sales.yaml", folder / "shop.yaml")  # what the nights' pages call it
        return folder

    @cached_property
    def running(self) -> Server:
        """A PostgreSQL server, which psql finds, too."""
        running = self.stack.enter_context(server())
        programs = running.running.bin_path
        self.patch.setenv("PATH", f"{os.environ['PATH']}:{programs}")
        self.patch.setenv("PGHOST", str(running.socket.parent))
        self.patch.setenv("PGUSER", "postgres")
        return running

    def _hubspot(self) -> tuple[dict[str, str], dict[str, str]]:
        """What stands for HubSpot, which has a contact for each customer, and back."""
        weather = Weather(token="pat-na1-your-token")
        crm, address = self.stack.enter_context(hubspot(weather=weather))
        crm.have([f"{number:05}" for number in range(10, 23_571, 10)])
        here = {"- kind: hubspot\n": f"- kind: hubspot\n    base_url: {address}\n"}
        return here, {address: "https://api.hubapi.com"}

    def _salesforce(self) -> tuple[dict[str, str], dict[str, str]]:
        """What stands for Salesforce, which has an account for each customer, and back."""
        place = self.stack.enter_context(salesforces())
        place.fresh()
        fields = {"Churn__c": "double", "Lifetime_Value__c": "double", "Active__c": "boolean"}
        place.here.org = Org(fields, external_id="Customer_Number__c")
        place.here.org.add(*(f"{number:05}" for number in range(10, 23_571, 10)))
        told = "https://acme.my.salesforce.com"
        return {told: place.address}, {place.address: told}

    def _database(self) -> tuple[dict[str, str], dict[str, str]]:
        """What stands for the server that the pages call localhost, and the other way round."""
        for (name,) in self.running.run("SELECT datname FROM pg_database WHERE oid > 16383"):
            self.running.run(f"DROP DATABASE {name}")
        for (name,) in self.running.run("SELECT rolname FROM pg_roles WHERE oid > 16383"):
            self.running.run(f"DROP ROLE {name}")
        socket = str(self.running.socket.parent)
        here = {r"@localhost/(\w+)": rf"@/\1?host={socket}"}
        return here, {r"@/(\w+)(\?host=[^\s\"]+)?": r"@localhost/\1"}


def asks_psql(page: Path) -> bool:
    """Whether the page's reader needs a PostgreSQL server."""
    return any("psql " in block.text for block in blocks(page) if "not run" not in block.notes)


@contextlib.contextmanager
def world() -> Iterator[World]:
    """Such a world for the length of a `with` block."""
    with (
        tempfile.TemporaryDirectory(prefix="pages-") as folder,
        contextlib.ExitStack() as stack,
        pytest.MonkeyPatch.context() as patch,
    ):
        yield World(Path(folder), stack, patch)
