"""`make docs`: no warning, every link leads somewhere, and nothing is fetched from a network.

The notebooks are shown without being run here; `test_notebooks.py` runs them.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
FETCHED = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*?\b(?:src|href)=\"([^\"]+)\"")
FOLLOWED = re.compile(r"<a\b[^>]*?\bhref=\"([^\"]+)\"")
OPTIONS = ("--fail-on-warning", "--keep-going", "--nitpicky", "-D", "nb_execution_mode=off")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The site, from a copy of the pages: its folder, and what Sphinx said."""
    folder = tmp_path_factory.mktemp("site")
    ours = shutil.ignore_patterns("_build")
    for name in ("docs", "notebooks"):
        shutil.copytree(ROOT / name, folder / name, ignore=ours)
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *OPTIONS, "docs", "site"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return folder / "site", done


@pytest.fixture(scope="module")
def pages(built):
    return {page: page.read_text(encoding="utf-8") for page in built[0].rglob("*.html")}


def test_it_builds_without_a_warning(built):
    _, done = built
    assert (done.returncode, done.stderr) == (0, "")


def test_every_page_of_the_documents_is_in_it(built, pages):
    site, _ = built
    there = {page.relative_to(site).with_suffix("") for page in pages}
    docs = ROOT / "docs"
    sources = {p.relative_to(docs).with_suffix("") for p in docs.rglob("*.md")}
    assert {page for page in sources if page.parts[0] != "_build"} - there == set()


def test_links_lead_to_pages_and_headings_that_are_there(pages):
    headings = {page: {*re.findall(r"\bid=\"([^\"]+)\"", text)} for page, text in pages.items()}
    lost = []
    for page, text in pages.items():
        for link in {*FOLLOWED.findall(text)}:
            path, _, heading = unquote(link).partition("#")
            if re.match(r"[a-z]+:", path):
                continue
            target = (page.parent / path).resolve() if path else page
            if not target.is_file() or (heading and heading not in headings[target]):
                lost.append((page.name, link))
    assert lost == []


def test_nothing_is_fetched_from_a_network(pages):
    fetched = {link for text in pages.values() for link in FETCHED.findall(text)}
    assert {link for link in fetched if "//" in link} == set()
