"""The README's pictures: the report's first screen, one of its customers, and a terminal.

Run it as `python docs/pictures/draw.py DEMO`, on the folder that `portfolio-ml demo b2b` left; it
needs Chromium.
"""

import argparse
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from io import StringIO
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

HERE = Path(__file__).parent
WIDTH, HEIGHT = 1280, 860
COLUMNS = 112
TERMINAL = """<style>
body {{ margin: 0; background: {background}; color: {foreground}; }}
pre {{ margin: 0; padding: 18px 22px; font: 15px/1.45 'DejaVu Sans Mono', monospace; }}
{stylesheet}</style><pre>{code}</pre>"""


def told(command: Sequence[str], folder: Path) -> str:
    """What a command prints on a terminal of this width, with its colours, below its line."""
    environment = {**os.environ, "COLUMNS": str(COLUMNS), "TERM": "xterm-256color"}
    program = Path(sys.executable).with_name("portfolio-ml")
    ours, its = pty.openpty()
    with subprocess.Popen(  # noqa: S603 - the package's own program
        [program, *command], cwd=folder, env=environment, stdout=its, stderr=subprocess.DEVNULL
    ) as running:
        os.close(its)
        parts = []
        with suppress(OSError):  # how a terminal tells that its program has ended
            while part := os.read(ours, 65536):
                parts.append(part)
    os.close(ours)
    if running.returncode:
        sys.exit(f"portfolio-ml {' '.join(command)} ended with {running.returncode}")
    text = b"".join(parts).decode().replace("\r\n", "\n")
    return f"$ portfolio-ml {' '.join(command)}\n{text.rstrip()}\n"


def page_of(text: str) -> str:
    """A terminal's text as a page."""
    console = Console(record=True, width=COLUMNS, file=StringIO())
    console.print(Text.from_ansi(text), soft_wrap=True)
    return console.export_html(theme=MONOKAI, code_format=TERMINAL, inline_styles=False)


def draw(browser: Browser, folder: Path) -> None:
    """Write the pictures beside this file."""
    tab = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    tab.goto((folder / "report.html").resolve().as_uri())
    tab.wait_for_timeout(2000)  # the charts are drawn
    tab.screenshot(path=HERE / "report.png")
    first = tab.locator("a[href^='#customer=']").first
    first.click()
    tab.wait_for_timeout(1500)
    tab.screenshot(path=HERE / "customer.png")
    terminal = browser.new_page(viewport={"width": 1080, "height": 100})
    terminal.set_content(page_of(told(DAILY_LIST, folder)))
    terminal.screenshot(path=HERE / "terminal.png", full_page=True)


DAILY_LIST = (
    "portfolio",
    "--config",
    "b2b.yaml",
    "--figure",
    "daily_list",
    "--rows",
    "6",
    "--quiet",
)


def main() -> None:
    """Draw the pictures of a demo."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("demo", type=Path, help="the folder that `portfolio-ml demo b2b` left")
    given = parser.parse_args()
    with sync_playwright() as play:
        chromium = shutil.which("chromium")
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        draw(browser, given.demo)
        browser.close()


if __name__ == "__main__":
    main()
