"""The notebooks run from top to bottom, each in a kernel of its own, and say nothing on stderr.

The first of them here, and all in `make test-long`: a kernel takes up to 40 seconds. That the names
which the others use are there, `tests/unit/test_notebook_files.py` sees.
"""

import sys
from pathlib import Path

import nbformat
import pytest
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from nbclient import NotebookClient
from tests.examples import is_long

from .conftest import FIVE_SEGMENTS, LIGHTER, ONCE, unless_long

pytestmark = pytest.mark.integration

FOLDER = Path(__file__).parents[2] / "notebooks"
AS_SHIPPED = "02_features_without_leakage"
"""The one about snapshots and cutoffs, of which the others have fewer here."""

RUN_EVERY_TIME = {"01_know_your_portfolio"}

OF_SEGMENTS = "05_segments"
"""The one that looks for their number."""


class ThisPython(KernelSpecManager):
    """A kernel of the interpreter that runs the tests, whatever else is installed."""

    def get_kernel_spec(self, kernel_name):
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=command, display_name=kernel_name, language="python")


class Kernel(AsyncKernelManager):
    """Such a kernel."""

    def _kernel_spec_manager_default(self):
        return ThisPython()


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=pytest.mark.xdist_group(path.stem))
        for path in sorted(FOLDER.glob("*.ipynb"))
    ],
)
def test_a_notebook_runs_from_top_to_bottom(path, tmp_path, monkeypatch):
    if path.stem not in RUN_EVERY_TIME and not is_long():
        pytest.skip("run by make test-long")
    lighter = [] if path.stem == AS_SHIPPED else [LIGHTER, ONCE]
    if path.stem not in {AS_SHIPPED, OF_SEGMENTS}:
        lighter.append(FIVE_SEGMENTS)
    for name, value in unless_long(*lighter).items():
        monkeypatch.setenv(name, value)
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook,
        kernel_manager_class=Kernel,
        timeout=500,
        resources={"metadata": {"path": str(tmp_path)}},
    ).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    said = [o["text"] for o in outputs if o["output_type"] == "stream" and o["name"] == "stderr"]
    assert said == []
    pictures = [o for o in outputs if "image/svg+xml" in o.get("data", {})]
    assert pictures
    assert all("<svg" in picture["data"]["image/svg+xml"] for picture in pictures)
