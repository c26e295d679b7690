"""The documents' code blocks do what their pages say, from top to bottom, as a reader would.

What a comment above a block may say is told in `tests/page_blocks.py`. A page of how-to and the
others begins with the tutorial's shop, trained in February; a page of the tutorial with nothing.
"""

import shutil

import pytest
import yaml
from tests.examples import is_long
from tests.page_blocks import KNOWN, blocks
from tests.page_runs import ROOT, Reader, checked, whole_config
from tests.page_world import DOCS, world

from .conftest import FIVE_SEGMENTS, LIGHTEST, ONCE, unless_long

pytestmark = pytest.mark.integration

FIRST_MODEL = DOCS / "tutorial" / "first_model.md"
FILES = {"file", "into"}
BUILT = {"_build", "notebooks"}
PAGES = sorted(
    page
    for page in (ROOT / "README.md", *DOCS.rglob("*.md"))
    if not BUILT & set(page.relative_to(ROOT).parts)
)
README = ROOT / "README.md"
NOT_RUN_EVERY_TIME = {
    "docs/explanation/architecture",
    "docs/explanation/simulated_b2b",
    "docs/how-to/air_gap",
    "docs/how-to/drift",
    "docs/how-to/hubspot",
    "docs/how-to/salesforce",
    "docs/tutorial/own_data",
}
"""Pages whose blocks are only looked at in `make test`: what they do is done in other tests too."""

WITH_CODE = [page for page in PAGES if blocks(page) and page not in {FIRST_MODEL, README}]


def name(page):
    return str(page.relative_to(ROOT).with_suffix(""))


@pytest.fixture(scope="module")
def around():
    with pytest.MonkeyPatch.context() as patch, world() as found:
        for name, value in unless_long(LIGHTEST, ONCE, FIVE_SEGMENTS).items():
            patch.setenv(name, value)
        yield found


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_comments_above_blocks_are_of_a_known_kind(page):
    said = {(block.place, note) for block in blocks(page) for note in block.notes}
    assert {(place, note) for place, note in said if note not in KNOWN} == set()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_file_to_write_is_named_in_the_text(page):
    """The comment above a block is for the tests; a reader does not see it."""
    text = page.read_text(encoding="utf-8")
    files = {note for b in blocks(page) for kind, note in b.notes.items() if kind in FILES}
    assert {file for file in files if f"`{file}`" not in text} == set()


@pytest.mark.parametrize("page", WITH_CODE, ids=name)
def test_a_page_does_what_it_says(page, around):
    if name(page) in NOT_RUN_EVERY_TIME and not is_long():
        for block in blocks(page):
            checked(block)
        return
    around.reader(page, Reader).follows(page)


def test_the_pages_that_are_not_run_every_time_are_there():
    assert {name(page) for page in WITH_CODE} >= NOT_RUN_EVERY_TIME


@pytest.mark.parametrize("block", blocks(README), ids=lambda block: f"line {block.line}")
def test_the_readme_shows_what_is_there(block, tmp_path):
    """Its commands are those of the tutorial and the how-to pages, which run them."""
    checked(block)
    if block.language == "yaml":
        whole_config(yaml.safe_load(block.text), block.text, tmp_path)


@pytest.mark.xdist_group("cdnow")
def test_the_first_model_is_as_its_page_says(cdnow, tmp_path):
    """The demo is walked once for all tests; the page goes on from there."""
    folder, done = cdnow
    shutil.copytree(folder, tmp_path / "demo")
    demo = "portfolio-ml demo cdnow --dir demo"
    Reader(tmp_path, already={demo: (done.code, done.out)}).follows(FIRST_MODEL)


def test_a_page_that_shows_something_else_is_found_out(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```console\n$ echo read: 5\nread: 6\n```\n")
    with pytest.raises(pytest.fail.Exception, match=r"(?s)page.md, line 1.*read: 5"):
        Reader(tmp_path).follows(page)
    page.write_text("```yaml\ntargets: {churn: {horizont_days: 90}}\n```\n")
    with pytest.raises(pytest.fail.Exception, match="horizont_days"):
        Reader(tmp_path).follows(page)
