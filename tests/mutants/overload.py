"""Mutants of the start window and of the launch clock."""

from tests.mutants.mutant import Mutant

OVERLOAD = (
    Mutant(
        "the start window is ignored",
        "jobs/admission/ledger.py",
        """            and self.can_start(capacity)
        ]
""",
        """        ]
""",
        "tests/jobs/test_starts.py::test_no_more_start_at_once_than_the_window_allows",
        more=(
            (
                "jobs/admission/decide.py",
                "    startable = [capacity for capacity in unreserved if ledger.can_start(capacity)]\n",
                "    startable = unreserved\n",
            ),
        ),
    ),
    Mutant(
        "slow starts do not shrink the start window",
        "jobs/admission/start_window.py",
        "    size = max(window.size * SHRINK, bounds.smallest)\n",
        "    size = window.size\n",
        "tests/jobs/test_start_window.py::test_many_slow_starts_of_one_burst_shrink_the_window_once",
    ),
    Mutant(
        "the start window shrinks again for the same burst",
        "jobs/admission/start_window.py",
        "    if window.cut_at is not None and start.admitted_at <= window.cut_at:\n",
        "    if False:\n",
        "tests/jobs/test_start_window.py::test_many_slow_starts_of_one_burst_shrink_the_window_once",
    ),
    Mutant(
        "a claim wakes no job that waits for the start window",
        "jobs/lifecycle/claim.py",
        "    if has_waiting_jobs(attempt.cluster):\n",
        "    if False:\n",
        "tests/jobs/test_starts.py::TestStored::test_a_claim_wakes_admission_while_jobs_wait_for_the_window",
    ),
    Mutant(
        "the launch timeout runs while web serves no claim",
        "jobs/reconcile/decide.py",
        "    paused = paused_seconds(times.web_pauses, since, now)\n",
        "    paused = 0.0\n",
        "tests/jobs/test_launch_clock.py::test_time_in_which_web_served_no_claim_does_not_count",
    ),
    Mutant(
        "a worker that calls is ended",
        "jobs/reconcile/decide.py",
        "    if row.called_at is not None and _seconds(now, row.called_at) <= CALLED_SECONDS:\n",
        "    if False:\n",
        "tests/jobs/test_launch_clock.py::test_a_worker_that_calls_and_is_refused_is_not_ended",
    ),
    Mutant(
        "a job that may reserve a cluster is in no queue",
        "jobs/admission/line_rows.py",
        " AND ({fits} OR ({reserves}))",
        " AND {fits}",
        "tests/jobs/test_queue_rows.py::test_the_database_returns_the_lines_that_a_list_has",
    ),
    Mutant(
        "a queue ends with its first read",
        "jobs/admission/lines.py",
        "        if not line and not complete[number] and not ledger.is_exhausted:\n",
        "        if False:\n",
        "tests/jobs/test_admission_heads.py"
        "::test_with_too_many_groups_the_lines_give_the_same_admissions",
    ),
    Mutant(
        "a sum of allocations counts as one worker",
        "jobs/admission/ledger.py",
        "            self._take(allocation.cluster, allocation, allocation.workers)\n",
        "            self._take(allocation.cluster, allocation, 1)\n",
        "tests/jobs/test_queue_rows.py"
        "::test_allocations_that_are_added_up_hold_what_the_attempts_hold",
    ),
    Mutant(
        "reports that web refuses are repeated without a pause",
        "jobs/worker/reporting.py",
        "                    self._retry.set(self._backoff.next_pause(error))\n",
        "                    self._retry.set(0.0)\n",
        "tests/serving/test_slow_database.py"
        "::test_a_slow_database_and_a_web_that_is_away_cost_time_and_nothing_else",
    ),
    Mutant(
        "a worker that ends sleeps for a whole Retry-After",
        "jobs/worker/retry_time.py",
        "        self._end_by = at\n        self.set(self.left_seconds)\n",
        "        self._end_by = at\n",
        "tests/worker/test_retry_after.py"
        "::test_a_pause_that_has_begun_is_shortened_when_the_worker_ends",
    ),
    Mutant(
        "many explanations run at once",
        "jobs/queries/explain_turns.py",
        "                if not self._is_taken and self._waiting[0] is mine:\n",
        "                if self._waiting[0] is mine:\n",
        "tests/jobs/test_explain_turns.py"
        "::test_of_fifty_at_once_one_runs_few_wait_and_the_others_are_refused",
    ),
)
