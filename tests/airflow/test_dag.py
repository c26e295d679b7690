"""The real Airflow imports the DAG, and does with every exit code what the page says."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.fake_program import FakeProgram

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(1200)]

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".venv-airflow"
PLANS = {
    "done": {"score": [0], "deliver": [0], "monitor": [0]},
    "nothing left": {"score": [0], "deliver": [99], "monitor": [0]},
    "retrain": {"score": [0], "deliver": [99], "monitor": [78], "train": [0]},
    "stale, then away": {"score": [75, 69, 0]},
    "killed once": {"score": [130, 0]},
    "killed hard": {"score": ["kill", 0]},
    "stale all night": {"score": [75]},
    "bug": {"score": [1]},
    "config": {"score": [2]},
    "data": {"score": [65]},
    "unknown": {"score": [42]},
    "delivery refused": {"score": [0], "deliver": [65]},
    "hanging": {"score": [0], "monitor": [78], "train": ["hang"]},
}


@pytest.fixture(scope="module")
def airflow(tmp_path_factory):
    """How Airflow's own programs are run, on a database of its own."""
    if not (HOME / "bin" / "airflow").exists():
        pytest.skip("Airflow is not installed: make test-airflow does it")
    folder = tmp_path_factory.mktemp("airflow")
    dags = folder / "dags"
    dags.mkdir()
    shutil.copy(ROOT / "docs" / "how-to" / "operations" / "airflow_dag.py", dags)
    program = FakeProgram(folder / "bin")
    environment = {
        "PATH": f"{program.folder}:{os.environ['PATH']}",
        "HOME": str(folder),
        "AIRFLOW_HOME": str(folder / "home"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "FAKE_PROGRAM": str(program.folder),
    }

    def run(name, *arguments, given=None):
        done = subprocess.run(
            [HOME / "bin" / name, *arguments],
            env=environment,
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=1000,
        )
        assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
        return done.stdout

    run("airflow", "db", "migrate")
    run.dags = dags
    return run


@pytest.fixture(scope="module")
def seen(airflow):
    """What became of the tasks under each plan."""
    printed = airflow(
        "python",
        str(Path(__file__).with_name("drive.py")),
        str(airflow.dags),
        given=json.dumps(PLANS),
    )
    (line,) = [line for line in printed.splitlines() if line.startswith("SEEN ")]
    return json.loads(line.removeprefix("SEEN "))


def states(run):
    return {name: state for name, (state, _) in run["tasks"].items()}


def test_the_dag_is_imported_without_a_fault_or_a_warning(airflow):
    program = (
        "import sys, warnings; warnings.simplefilter('error'); "
        "from airflow.dag_processing.dagbag import DagBag; bag = DagBag(sys.argv[1]); "
        "print('FAULTS', bag.import_errors, sorted(bag.dags))"
    )
    printed = airflow("python", "-c", program, str(airflow.dags))
    assert "FAULTS {} ['portfolio_ml']" in printed


def test_a_plain_night_runs_the_steps_in_order_and_does_not_train(seen):
    run = seen["done"]
    assert run["run"] == "success"
    assert [call.split(" --config")[0] for call in run["calls"]] == [
        "score",
        "deliver --retry",
        "monitor --fail-on retrain",
    ]
    assert states(run)["train"] == "skipped"


def test_nothing_left_to_deliver_is_skipped_and_holds_up_nothing(seen):
    assert seen["nothing left"]["run"] == "success"
    assert states(seen["nothing left"])["deliver"] == "skipped"
    assert states(seen["nothing left"])["monitor"] == "success"


def test_a_monitor_that_says_retrain_has_it_trained(seen):
    assert seen["retrain"]["run"] == "success"
    assert states(seen["retrain"])["train"] == "success"
    assert seen["retrain"]["calls"][-1].startswith("train ")


@pytest.mark.parametrize(
    ("plan", "tries"), [("stale, then away", 3), ("killed once", 2), ("killed hard", 2)]
)
def test_what_may_go_through_later_is_tried_again(seen, plan, tries):
    assert seen[plan]["run"] == "success"
    assert seen[plan]["tasks"]["score"] == ["success", tries]


def test_it_is_not_tried_for_ever(seen):
    assert seen["stale all night"]["tasks"]["score"] == ["failed", 3]
    assert seen["stale all night"]["run"] == "failed"


@pytest.mark.parametrize("plan", ["bug", "config", "data", "unknown"])
def test_what_needs_somebody_fails_at_once(seen, plan):
    assert seen[plan]["run"] == "failed"
    assert seen[plan]["tasks"]["score"] == ["failed", 1]
    assert len(seen[plan]["calls"]) == 1
    assert states(seen[plan])["monitor"] == "upstream_failed"


def test_a_failed_delivery_ends_the_night(seen):
    assert states(seen["delivery refused"])["deliver"] == "failed"
    assert states(seen["delivery refused"])["monitor"] == "upstream_failed"


def test_a_command_that_takes_too_long_is_stopped_gently(seen):
    assert seen["hanging"]["tasks"]["train"] == ["failed", 1]
    assert seen["hanging"]["calls"][-1] == "train was stopped"
