"""Runs the DAG once per plan, under Airflow's own Python; prints what became of its tasks.

    python drive.py DAG_FOLDER < plans.json

A plan gives each command's exit codes. Pauses are shortened; everything else is the DAG's own.
"""

import importlib.util
import json
import os
import sys
from datetime import timedelta
from pathlib import Path

folder = Path(os.environ["FAKE_PROGRAM"])
spec = importlib.util.spec_from_file_location("airflow_dag", Path(sys.argv[1]) / "airflow_dag.py")
module = importlib.util.module_from_spec(spec)
sys.modules["airflow_dag"] = module
spec.loader.exec_module(module)

for task in module.dag.tasks:
    task.retries = min(task.retries, 2)
    task.retry_delay = timedelta(seconds=0)
    task.retry_exponential_backoff = 0
    if task.task_id == "train":
        task.retries = 0
        task.execution_timeout = timedelta(seconds=5)

seen = {}
for name, plan in json.load(sys.stdin).items():
    for old in (*folder.glob("*.plan"), folder / "calls"):
        old.unlink(missing_ok=True)
    for command, ends in plan.items():
        (folder / f"{command}.plan").write_text("".join(f"{end}\n" for end in ends))
    run = module.dag.test()
    tasks = {ti.task_id: [str(ti.state), ti.try_number] for ti in run.get_task_instances()}
    calls = folder / "calls"
    seen[name] = {
        "run": str(run.state),
        "tasks": tasks,
        "calls": calls.read_text().splitlines() if calls.exists() else [],
    }
sys.stdout.write(f"SEEN {json.dumps(seen)}\n")
