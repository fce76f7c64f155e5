"""Runs the DAG of a file in this process, as its author does: dag-test.py FILE DAY; prints `RESULT task state` lines."""

import runpy
import sys
from datetime import datetime, timezone

dag = runpy.run_path(sys.argv[1])["dag"]
run = dag.test(logical_date=datetime.fromisoformat(sys.argv[2]).replace(tzinfo=timezone.utc))
for task in run.get_task_instances():
    print("RESULT", task.task_id, task.state)
