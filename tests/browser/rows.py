"""Many jobs, inserted directly into an installation's database.

Five hundred submissions would be slow, and are not what the tests are about.
"""

import subprocess
import sys

import psutil

from mimir.dev.paths import ROOT
from tests.support.stack import Stack

_PROGRAM = """
import datetime as dt, sys, django
django.setup()
from jobs.contract import JobStatus
from jobs.models import Job
from projects.models import Project
project = Project.objects.get(slug=sys.argv[1])
now = dt.datetime.now(dt.UTC)
ended = (JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.SUCCEEDED, JobStatus.SUCCEEDED)
amounts = {"cpu_millicores": 1000, "memory_bytes": 2**30, "gpus": 0}
rows = [
    Job(
        project=project, name=f"night {number:03d}", type="pipeline_execution", priority="normal", parameters={"pipeline": "nightly"},
        resources={"limits": amounts, "requests": amounts}, timeout_seconds=60, labels={"team": "even" if number % 2 == 0 else "odd"},
        status=ended[number % 5], message=f"number {number}", finished_at=now, started_at=now - dt.timedelta(seconds=9),
    )
    for number in range(int(sys.argv[2]))
]
Job.objects.bulk_create(rows)
for number, row in enumerate(rows):
    row.created_at = now - dt.timedelta(minutes=10, seconds=int(sys.argv[2]) - number)
Job.objects.bulk_update(rows, ["created_at"])
"""  # noqa: E501


def many_jobs(stack: Stack, project: str, count: int) -> None:
    """Insert `count` ended jobs.

    Of every five, three succeeded, one failed and one was cancelled; `night 000` is the oldest.
    """
    environment = {
        **psutil.Process(stack.pids("web")[0]).environ(),
        "DJANGO_SETTINGS_MODULE": "mimir.settings.orchestrator",
    }
    subprocess.run(
        [sys.executable, "-c", _PROGRAM, stack.project(project), str(count)],
        cwd=ROOT,
        env=environment,
        check=True,
        timeout=60,
    )
