"""The nightly script: what it does with each exit code, two at once, and killed."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.fake_program import FakeProgram

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(shutil.which("flock") is None, reason="flock is not on this machine"),
]

FOLDER = Path(__file__).parents[2] / "docs" / "how-to" / "operations"
PAGE = (FOLDER / "cron.md").read_text("utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
STEPS = ["score", "deliver --retry", "monitor --fail-on retrain"]


class Night:
    """A folder with a config, the script and a stand-in for portfolio-ml."""

    def __init__(self, folder):
        self.folder = folder
        self.config = folder / "shop.yaml"
        self.config.write_text("name: shop\n")
        self.program = FakeProgram(folder / "bin")
        self.script = folder / "bin" / "nightly.sh"
        shutil.copy(FOLDER / "nightly.sh", self.script)
        self.environment = {
            "PATH": f"{self.program.folder}:{os.environ['PATH']}",
            "NIGHTLY_PAUSES": "0 0",
        }

    @contextmanager
    def begun(self, *, pauses="0 0"):
        """The script, running; its log goes to a file, which a step that outlives it may keep."""
        environment = self.environment | {"NIGHTLY_PAUSES": pauses}
        line = [self.script, self.config]
        with (
            (self.folder / "log").open("w") as log,
            subprocess.Popen(line, env=environment, stdout=log, stderr=log) as run,
        ):
            yield run

    def run(self, *line):
        return subprocess.run(
            line or [self.script, self.config],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )

    @property
    def log(self):
        return (self.folder / "log").read_text()

    @property
    def steps(self):
        return [call.split(" --config")[0] for call in self.program.calls]


@pytest.fixture(autouse=True)
def hangups_are_heard():
    """Also where the tests run under nohup: a shell cannot trap what was ignored when it began."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def night(tmp_path):
    return Night(tmp_path)


def wait_until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("shell", ["sh", "bash", "dash"])
def test_a_plain_night_is_three_steps_with_json_on_standard_output(night, shell):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not on this machine")
    night.program.will_end(deliver=[99])
    done = night.run(shell, night.script, night.config)
    assert done.returncode == 0
    assert night.steps == STEPS
    told = [json.loads(line)["command"] for line in done.stdout.splitlines()]
    assert told == ["score", "deliver", "monitor"]
    assert "progress of score" in done.stderr
    assert done.stderr.endswith("nightly: done\n")


CELLS = r"^\| (\d+) \|[^|]+\|[^|]+\| ([^|]+) \|"
TABLE = re.findall(CELLS, (FOLDER / "nightly.md").read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize(("code", "does"), [(int(code), does) for code, does in TABLE])
def test_it_does_with_each_exit_code_what_the_table_says(night, code, does):
    night.program.will_end(deliver=[code])
    done = night.run()
    tries = 3 if does == "tries again" else 1
    assert night.steps == (STEPS if does == "goes on" else ["score", *["deliver --retry"] * tries])
    assert done.returncode == (0 if does == "goes on" else code)


def test_what_goes_through_later_is_tried_until_it_does(night):
    night.program.will_end(score=[75, 69, 0])
    assert night.run().returncode == 0
    assert night.steps == ["score", "score", *STEPS]


def test_a_monitor_that_says_retrain_ends_a_night_that_has_delivered(night):
    night.program.will_end(monitor=[78])
    assert night.run().returncode == 78
    assert night.steps == STEPS


def test_a_step_that_the_system_killed_ends_the_night(night):
    night.program.will_end(score=["kill"])
    assert night.run().returncode == 137
    assert night.steps == ["score"]


@pytest.mark.parametrize("arguments", [(), ("missing.yaml",)])
def test_without_a_config_it_says_how_it_is_called(night, arguments):
    done = night.run(night.script, *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: nightly.sh CONFIG")


def test_a_lock_that_cannot_be_made_is_a_fault_of_the_config(night):
    night.environment["NIGHTLY_LOCK"] = str(night.folder / "no" / "such" / "lock")
    assert night.run().returncode == 2
    assert night.steps == []


class TestTwoAtOnce:
    def test_the_second_is_refused_and_does_nothing(self, night):
        night.program.will_end(score=["hang"])
        with night.begun() as first:
            wait_until(lambda: night.program.is_hanging)
            second = night.run()
            first.terminate()
        assert second.returncode == 75
        assert "another run holds" in second.stderr
        assert night.steps == ["score", "score was stopped"]

    def test_after_it_the_next_finds_the_lock_free(self, night):
        assert night.run().returncode == 0
        assert night.run().returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_is_passed_on_and_the_same_command_finishes(night, number):
    night.program.will_end(score=["hang"])
    with night.begun() as run:
        wait_until(lambda: night.program.is_hanging)
        run.send_signal(number)
        assert run.wait(10) == 130
    assert night.steps == ["score", "score was stopped"]
    assert "stopped; the same command finishes" in night.log
    night.program.will_end()
    assert night.run().returncode == 0


def test_a_signal_ends_a_pause_at_once(night):
    night.program.will_end(score=[75])
    with night.begun(pauses="60") as run:
        wait_until(lambda: "again in 60 seconds" in night.log)
        run.terminate()
        assert run.wait(10) == 130
    assert night.steps == ["score"]


class TestKilledHard:
    def test_a_step_that_outlives_the_script_keeps_the_lock(self, night):
        night.program.will_end(score=["hang"])
        with night.begun() as run:
            wait_until(lambda: night.program.is_hanging)
            run.kill()
            run.wait(10)
            assert night.run().returncode == 75
            os.kill(int((night.program.folder / "pid").read_text()), signal.SIGTERM)
            wait_until(lambda: "score was stopped" in night.steps)
        night.program.will_end()
        wait_until(lambda: night.run().returncode == 0)

    def test_a_pause_that_outlives_it_does_not(self, night):
        night.program.will_end(score=[75])
        with night.begun(pauses="3") as run:
            wait_until(lambda: "again in 3 seconds" in night.log)
            run.kill()
            run.wait(10)
            night.program.will_end()
            assert night.run().returncode == 0


class TestCronsLine:
    @pytest.fixture
    def line(self, night):
        """The line of the cron table, with its folders moved below the test's own."""
        written = (FOLDER / "portfolio-ml.cron").read_text("utf-8").splitlines()[-1]
        command = written.split(maxsplit=6)[6]
        etc = night.folder / "etc"
        etc.mkdir()
        shutil.copy(night.config, etc)
        (secrets,) = [block for block in BLOCKS if "nightly.sh" not in block]
        (etc / "secrets").write_text(secrets)
        moved = command.replace("/etc/portfolio-ml", str(etc))
        return moved.replace("/var/lib/portfolio-ml", str(night.folder))

    def test_prints_nothing_when_all_went_well(self, night, line):
        done = night.run("/bin/sh", "-c", line)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert len((night.folder / "results.json").read_text().splitlines()) == 3
        assert night.steps == STEPS

    def test_gives_the_secrets_to_the_program(self, night, line):
        night.run("/bin/sh", "-c", line)
        environment = (night.program.folder / "environment").read_text().splitlines()
        assert {"CRM_PASSWORD=correct horse", "WAREHOUSE_PASSWORD=battery staple"} <= {*environment}

    @pytest.mark.parametrize("code", [1, 2, 65, 69, 75, 78, 130])
    def test_prints_the_end_of_the_log_when_the_night_failed(self, night, line, code):
        night.program.will_end(score=[code])
        done = night.run("/bin/sh", "-c", line)
        assert done.stdout.splitlines()[-1].endswith(f"exit code {code}, the night ends here")
        assert done.stderr == ""


def test_the_pages_line_to_try_it_with_runs_as_it_stands(night):
    (line,) = [block for block in BLOCKS if "nightly.sh" in block]
    night.program.will_end(score=[75])
    assert night.run("/bin/sh", "-c", line).returncode == 75
    assert night.steps == ["score"]
    night.program.will_end()
    assert night.run("/bin/sh", "-c", line).returncode == 0
