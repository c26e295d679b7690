"""The nightly run as a DAG of Airflow 3: score, deliver what was left, monitor, retrain if due.

Copy this file into the folder of DAGs, and set the four names below.
"""

import json
import subprocess
import tempfile
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, BaseOperator, CronTriggerTimetable, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

PROGRAM = "portfolio-ml"  # on the worker's PATH, or in full: it has an environment of its own
CONFIG = "/etc/portfolio-ml/shop.yaml"
SCHEDULE = "30 2 * * *"
TIMEZONE = "UTC"

OUTCOMES = {
    0: "done",
    1: "fail",  # a bug; the traceback is in the task's log
    2: "fail",  # the command line or the config is wrong
    65: "fail",  # the data cannot be used
    69: "retry",  # a service is unavailable
    75: "retry",  # not now: a stale load, a lock, a rate limit
    78: "retrain",  # what `monitor --fail-on retrain` says
    99: "skip",  # there was nothing to do
    130: "retry",  # stopped halfway; the same command finishes
}


def outcome(code: int) -> str:
    """What a task makes of an exit code; a process that a signal has ended is run again."""
    return OUTCOMES.get(code, "retry" if code < 0 else "fail")


class PortfolioMl(BaseOperator):
    """One command of portfolio-ml: its progress goes to the task's log, its JSON to XCom."""

    def __init__(self, *, command: str, **rest: Any) -> None:  # noqa: ANN401 - Airflow's own
        super().__init__(**rest)
        self.command = command
        self._process: subprocess.Popen[str] | None = None

    def execute(self, context: Any) -> dict[str, Any]:  # noqa: ANN401, ARG002 - Airflow's own
        """Run the command, and end as its exit code asks for."""
        code, printed = self._run()
        ending = outcome(code)
        told = f"portfolio-ml {self.command.split()[0]} ended with exit code {code}"
        if ending == "fail":
            raise AirflowFailException(told)  # at once, whatever `retries` says
        if ending == "retry":
            raise AirflowException(told)
        if ending == "skip":
            raise AirflowSkipException(told)
        return {"outcome": ending, "result": json.loads(printed) if printed.strip() else None}

    def on_kill(self) -> None:
        """Stop the command; it takes back what is half done."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def _run(self) -> tuple[int, str]:
        line = [PROGRAM, *self.command.split(), "--config", CONFIG, "--json"]
        with tempfile.TemporaryFile("w+", encoding="utf-8") as printed:
            try:
                self._process = subprocess.Popen(  # noqa: S603 - the line stands in this file
                    line,
                    stdin=subprocess.DEVNULL,
                    stdout=printed,
                    stderr=subprocess.PIPE,
                    encoding="utf-8",
                    errors="replace",
                )
            except FileNotFoundError as error:
                raise AirflowFailException(f"{PROGRAM} is not on the worker's PATH") from error
            try:
                for told in self._process.stderr or ():
                    self.log.info("%s", told.rstrip())
                code = self._process.wait()
            finally:  # also where Airflow's own time-out comes first
                self.on_kill()
                self._process.wait()
            printed.seek(0)
            return code, printed.read()


with DAG(
    dag_id="portfolio_ml",
    description="Score every customer, deliver, monitor, and retrain if due",
    schedule=CronTriggerTimetable(SCHEDULE, timezone=TIMEZONE),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={
        "retries": 5,
        "retry_delay": timedelta(minutes=5),
        "retry_exponential_backoff": 2.0,  # a number: True would mean a factor of 1
        "max_retry_delay": timedelta(hours=1),
        "execution_timeout": timedelta(hours=6),
    },
) as dag:

    @task.short_circuit(retries=0)
    def retraining_is_due(seen: dict[str, Any]) -> bool:
        """Whether the monitor asked for it; where not, `train` is skipped."""
        return seen["outcome"] == "retrain"

    score = PortfolioMl(task_id="score", command="score")
    # A skipped task does not hold up the next one.
    deliver = PortfolioMl(task_id="deliver", command="deliver --retry", trigger_rule="none_failed")
    monitor = PortfolioMl(
        task_id="monitor", command="monitor --fail-on retrain", trigger_rule="none_failed"
    )
    train = PortfolioMl(task_id="train", command="train")

    score >> deliver >> monitor
    retraining_is_due(monitor.output) >> train
