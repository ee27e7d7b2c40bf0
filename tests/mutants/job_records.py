"""Mutants of the records of a job: the division of its time and its export."""

from tests.mutants.mutant import Mutant

JOB_RECORDS = (
    Mutant(
        "a phase that continues after the end of the job",
        "jobs/queries/time_phases.py",
        "        at = min(max(at, self._marks[-1][0]), self._end)\n",
        "        at = max(at, self._marks[-1][0])\n",
        "tests/jobs/test_time_phases.py::test_any_history_is_covered_without_gaps_or_overlaps",
    ),
    Mutant(
        "the queue of a retry ends with the next event of the earlier attempt",
        "jobs/queries/time_phases.py",
        "        if event.kind in _MOVES:\n            self._pending = []\n",
        "        self._pending = []\n",
        "tests/jobs/test_time_phases.py::test_between_two_attempts_are_the_delay_the_previous_worker_and_the_queue",
    ),
    Mutant(
        "a worker that reports its end after a silence counts as silent",
        "jobs/queries/time_phases.py",
        "        if self._state is _State.RUNNING and not event.by_worker:\n",
        "        if self._state is _State.RUNNING:\n",
        "tests/jobs/test_time_phases.py::test_a_worker_that_reports_its_end_late_was_not_silent",
    ),
    Mutant(
        "a launch wait without an end",
        "jobs/reconcile/apply.py",
        '    if before is None or before["category"] == FailureReason.STARTING:\n        return None\n',
        "    return None\n",
        "tests/api/test_job_time.py::test_a_wait_of_a_launch_that_is_over_leaves_the_start",
    ),
    Mutant(
        "jobs of two projects are compared",
        "jobs/queries/comparison_read.py",
        "    if one.project_id != two.project_id:\n        raise NotFound()\n",
        "",
        "tests/jobs/test_comparison.py::test_jobs_of_two_projects_and_of_strangers_are_not_compared",
    ),
    Mutant(
        "an export without the events after the first page",
        "jobs/queries/job_files.py",
        "        after = page.next_after\n",
        "        after = None\n",
        "tests/api/test_job_export.py::test_many_usage_samples_are_read_in_pages",
    ),
)
