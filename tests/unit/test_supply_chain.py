"""What is installed, by its locks: hashes, no addresses, a bill of materials, known faults."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))


def tool(name):
    """A program of the folder requirements, as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "requirements" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_each_locked_version_has_hashes_and_no_address(lock):
    text = lock.read_text("utf-8")
    parts = [*tool("bill_of_materials").locked(text)]
    first = [line for line in text.splitlines() if line[:1].isalnum()]
    assert len(parts) == len(first) >= (1 if lock.name == "installer.txt" else 50)
    assert [part.name for part in parts if not part.hashes] == []
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text


def told(**variables):
    program = ROOT / "requirements" / "bill_of_materials.py"
    done = subprocess.run(
        [sys.executable, program], env=os.environ | variables, capture_output=True, check=True
    )
    return done.stdout


def test_the_bill_of_materials_is_the_lock_and_the_same_each_time():
    first = told()
    assert told() == first
    bill = json.loads(first)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert "timestamp" not in bill["metadata"]
    lock = [*tool("bill_of_materials").locked((ROOT / "requirements/run.txt").read_text("utf-8"))]
    assert {(c["name"], c["version"]) for c in bill["components"]} == {
        (part.name, part.version) for part in lock
    }
    references = {each["bom-ref"] for each in bill["components"]}
    needed = {ref for each in bill["dependencies"] for ref in each["dependsOn"]}
    assert needed == references
    by_name = {each["name"]: each for each in bill["components"]}
    assert "licenses" in by_name["lightgbm"]


def test_a_time_is_told_where_it_is_given():
    dated = json.loads(told(SOURCE_DATE_EPOCH="1700000000"))
    assert dated["metadata"]["timestamp"] == "2023-11-14T22:13:20+00:00"


class TestTheAudit:
    @pytest.fixture
    def environment(self, tmp_path):
        """What stands in for pip-audit's, which answers what the file `answer` says."""
        program = tmp_path / "bin" / "pip-audit"
        program.parent.mkdir()
        program.write_text(
            f"#!/bin/sh\ncat {tmp_path}/answer\necho 'Connection refused' >&2\nexit 1\n"
        )
        program.chmod(0o755)
        (tmp_path / "answer").write_text("")
        return tmp_path

    def test_where_nobody_answers_it_says_so_and_is_no_failure(self, environment, capsys):
        assert tool("audit").main(environment) == 0
        assert capsys.readouterr().out == (
            "audit skipped, nothing was looked at: "
            "the advisory service does not answer: Connection refused\n"
        )

    def test_what_is_known_is_told_and_is_a_failure(self, environment, capsys):
        fault = {"id": "PYSEC-1", "fix_versions": ["2.0"]}
        found = {"dependencies": [{"name": "some", "version": "1.0", "vulns": [fault]}]}
        (environment / "answer").write_text(json.dumps(found))
        assert tool("audit").main(environment) == 1
        assert "run.txt: some 1.0: PYSEC-1, fixed in 2.0\n" in capsys.readouterr().out

    def test_to_pass_over_every_version_is_not_to_have_looked(self, environment, capsys):
        found = {"dependencies": [{"name": "some", "skip_reason": "not found there"}]}
        (environment / "answer").write_text(json.dumps(found))
        assert tool("audit").main(environment) == 0
        assert capsys.readouterr().out == (
            "audit skipped, nothing was looked at: "
            "no version of run.txt could be asked about: not found there\n"
        )

    def test_nothing_known_is_well(self, environment, capsys):
        (environment / "answer").write_text('{"dependencies": [{"name": "a", "version": "1"}]}')
        assert tool("audit").main(environment) == 0
        assert capsys.readouterr().out == (
            "0 known vulnerabilities; 2 versions of run.txt and dev.txt seen\n"
        )
