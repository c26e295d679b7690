"""What the campaigns share: what each saw is shown at once, and kept for the page."""

import sys
from collections.abc import Callable, Mapping

import pytest
from tests.faults_seen import keep

Tell = Callable[[str, str, int, Mapping[str, int]], None]


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Tell:
    """Keeps and shows what was seen: the fault, of what, how often, and the outcomes."""

    def told(fault: str, of: str, times: int, outcomes: Mapping[str, int]) -> None:
        seen = keep(fault, of, times, outcomes)
        with capsys.disabled():
            sys.stdout.write(f"\n{seen.row}")

    return told
