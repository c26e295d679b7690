"""The commands in the order of the walk: what each reads and writes, how it is typed and ends."""

from dataclasses import dataclass, field
from typing import Literal

Part = Literal["Start", "Train", "Score and deliver", "Look", "Operate"]
PARTS: tuple[Part, ...] = ("Start", "Train", "Score and deliver", "Look", "Operate")

FIRST_STEPS = """\
First time here? See the whole walk on a built-in data set:

\b
  portfolio-ml demo

Or begin with a file of your own:

\b
  portfolio-ml init --transactions sales.csv
  portfolio-ml train --config sales.yaml
  portfolio-ml score --config sales.yaml
"""

EXIT_CODES = """\
Exit codes: 0 done; 2 a mistake in the command or the config; 65 the data cannot be used; 69 a
service does not answer; 75 try again later; 78 the gate or the monitor says no; 99 nothing to do;
130 interrupted; 1 a bug.

portfolio-ml COMMAND --help tells more of each command.
"""


@dataclass(frozen=True, slots=True)
class Page:
    """What the help of a command tells beside its docstring and its options.

    Attributes:
        part: Where on the walk it stands.
        example: What to type, after `portfolio-ml`.
        reads: What it reads.
        writes: What it writes; empty for nothing.
        codes: What the exit codes mean that are special to it.
    """

    part: Part
    example: str
    reads: str
    writes: str = ""
    codes: dict[int, str] = field(default_factory=dict)

    @property
    def epilog(self) -> str:
        """The same in paragraphs, for the end of the help."""
        told = [f"Reads: {self.reads}.", f"Writes: {self.writes or 'nothing'}."]
        if self.codes:
            meanings = "; ".join(f"{code} {meaning}" for code, meaning in self.codes.items())
            told.append(f"Exit codes: {meanings}.")
        return "\n\n".join([*told, f"Example: portfolio-ml {self.example}"])


_TARGETS = "the delivery targets, each with a receipt in portfolio_runs"

PAGES = {
    "demo": Page(
        "Start",
        "demo cdnow --dir demo",
        reads="the built-in data set",
        writes="a folder with config, MLflow store, CRM database, scores and report",
    ),
    "init": Page(
        "Start",
        "init --transactions sales.csv",
        reads="the files that are named",
        writes="a YAML file, NAME.yaml",
        codes={2: "there is a config already, or a file cannot be read"},
    ),
    "validate": Page(
        "Start",
        "validate --config sales.yaml",
        reads="the config and its data",
        writes="the refused rows, in the file data.quarantine",
        codes={65: "too many rows are refused", 75: "the data are older than allowed"},
    ),
    "doctor": Page(
        "Start",
        "doctor --config sales.yaml",
        reads="the config, the environment, the data, the registry and every target",
        codes={
            0: "nothing is at fault, warnings aside",
            2: "the config is",
            65: "the data are, or a champion is missing or not whole",
            69: "a service is",
        },
    ),
    "features": Page(
        "Train",
        "features --config sales.yaml --as-of 2024-06-30",
        reads="the config and its data",
        writes="a Parquet file",
    ),
    "snapshots": Page(
        "Train",
        "snapshots --config sales.yaml --out snapshots.parquet",
        reads="the config and its data",
        writes="a Parquet file",
        codes={65: "the history is too short for a single snapshot"},
    ),
    "backtest": Page(
        "Train",
        "backtest --config sales.yaml",
        reads="the config and its data",
        codes={65: "the history is too short; the message says what would fit"},
    ),
    "tune": Page(
        "Train",
        "tune --config sales.yaml --minutes 30",
        reads="the config and its data, and the trials so far",
        writes="trials, in the database tuning.url",
    ),
    "train": Page(
        "Train",
        "train --config sales.yaml",
        reads="the config and its data, and the champions in force",
        writes="runs and model versions in MLflow, and which versions are champions",
        codes={
            75: "another training is changing the champions",
            78: "with --fail-on refused: the gate refused a model",
        },
    ),
    "score": Page(
        "Score and deliver",
        "score --config sales.yaml --dry-run",
        reads="the config and its data, and the champions",
        writes=_TARGETS,
        codes={
            65: "there is no champion yet, or the data cannot be used",
            69: "a target does not answer; the others were served",
            75: "the data are older than allowed, or a target is locked",
        },
    ),
    "deliver": Page(
        "Score and deliver",
        "deliver --retry --config sales.yaml",
        reads="what earlier deliveries left",
        writes=_TARGETS,
        codes={99: "nothing was left"},
    ),
    "portfolio": Page(
        "Look",
        "portfolio --config sales.yaml --figure sections",
        reads="the config and its data, and the champions where there are any",
        writes="the targets of portfolio.delivery, where it is configured",
    ),
    "report": Page(
        "Look",
        "report --config sales.yaml",
        reads="the config and its data, and the champions",
        writes="one HTML file, report.path, and its facts beside it as JSON",
    ),
    "monitor": Page(
        "Look",
        "monitor --config sales.yaml --fail-on retrain",
        reads="the config and its data, the champions, and delivered scores",
        writes="a run in MLflow",
        codes={78: "the verdict is that of --fail-on, or a graver one"},
    ),
    "champions": Page("Look", "champions --config sales.yaml", reads="the registry"),
    "promote": Page(
        "Operate",
        "promote churn 3 --config sales.yaml",
        reads="the registry",
        writes="which version is the champion, and a record of it",
        codes={75: "another process is changing the champion", 99: "it is the champion already"},
    ),
    "rollback": Page(
        "Operate",
        "rollback churn --config sales.yaml --reason 'too many false alarms'",
        reads="the registry",
        writes="which version is the champion, and a record of it",
        codes={75: "another process is changing the champion"},
    ),
    "migrate": Page(
        "Operate",
        "migrate --config sales.yaml",
        reads="the package's tables in SQL targets",
        writes="columns that are missing there",
        codes={99: "the tables have this version's shape"},
    ),
    "erase": Page(
        "Operate",
        "erase --customer 00042 --config sales.yaml",
        reads="every target",
        writes="every target, and the list of erased customers",
    ),
    "models export": Page(
        "Operate",
        "models export --config sales.yaml",
        reads="the registry",
        writes="a folder",
    ),
    "models import": Page(
        "Operate",
        "models import DIR --digest SHA --config sales.yaml",
        reads="the folder that models export wrote",
        writes="runs and model versions in MLflow",
        codes={65: "the bundle is not the one of that digest"},
    ),
    "models verify": Page(
        "Operate",
        "models verify DIR --digest SHA",
        reads="the folder that models export wrote",
        codes={65: "the bundle is not whole, or not the one of that digest"},
    ),
}
"""Every command, in the order in which the help lists them."""
