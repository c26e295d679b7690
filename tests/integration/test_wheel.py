"""The wheel builds, installs and runs without the repository."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests import small_shop
from tests.examples import is_long

from .conftest import FIVE_SEGMENTS, LIGHTER, ONCE, unless_long

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "src"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def test_it_holds_the_package_with_its_types_and_page(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert "portfolio_ml/py.typed" in names
    assert "portfolio_ml/report/html/page.html.j2" in names
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"portfolio_ml"}
    written = [f for f in SOURCES.rglob("*") if f.is_file() and "__pycache__" not in f.parts]
    assert {str(file.relative_to(SOURCES)) for file in written} <= {*names}


WALK = (ROOT / "tests" / "offline.py").read_text("utf-8")


def test_it_runs_in_an_empty_folder(wheel, tmp_path):
    """The dependencies are those of this environment; the package itself comes from the wheel."""
    home = tmp_path / "env"
    venv.create(home)
    python = home / "bin" / "python"
    elsewhere = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    elsewhere |= unless_long(LIGHTER, ONCE, FIVE_SEGMENTS)
    empty = tmp_path / "empty"
    empty.mkdir()

    def ran(*command):
        done = subprocess.run(
            command,
            cwd=empty,
            env=elsewhere,
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    pip = (sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check")
    ran(*pip, "install", "--quiet", "--no-deps", wheel)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    beside = home / "lib" / version / "site-packages" / "dependencies.pth"
    beside.write_text(sysconfig.get_path("purelib") + "\n")
    assert str(home) in ran(python, "-c", "import portfolio_ml; print(portfolio_ml.__file__)")
    program = home / "bin" / "portfolio-ml"
    if is_long():
        ran(program, "demo", "grocery", "--dir", "demo")
        assert (empty / "demo" / "report.html").is_file()
        return
    assert "portfolio-ml" in ran(program, "--version")
    pq.write_table(small_shop.history(), empty / "sales.parquet")
    ran(python, "-c", WALK, "tried")
    assert (empty / "shop-report.html").is_file()
    assert (empty / "tried").read_text() == "", "a connection that the config does not name"


def test_the_walk_would_note_a_connection_that_is_tried(tmp_path):
    tries = WALK.replace("    main()\n", "    watched(Path('tried'))\n") + (
        "    for call in (\n"
        "        lambda: socket.create_connection(('127.0.0.1', 9)),\n"
        "        lambda: socket.getaddrinfo('localhost', 80),\n"
        "        lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b'', ('127.0.0.1', 9)),\n"
        "    ):\n"
        "        try:\n"
        "            call()\n"
        "        except OSError as error:\n"
        "            assert 'no connection may leave' in str(error)\n"
        "    here, there = socket.socketpair()\n"
        "    here.sendall(b'1')\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", tries], cwd=tmp_path, check=True)
    noted = (tmp_path / "tried").read_text()
    assert noted.count("socket.getaddrinfo (") == 2  # the first connection asks for its address
    assert noted.count("socket.sendto (") == 1
