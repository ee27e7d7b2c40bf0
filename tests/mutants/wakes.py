"""Mutants of the wakes of the dispatcher."""

from tests.mutants.mutant import Mutant

_TESTS = "tests/jobs/test_wake.py::"

WAKES = (
    Mutant(
        "the mark of a wake stays during its pass",
        "jobs/core/queue.py",
        "        taking.delete(self.key, WAKE_MARK)\n",
        "        taking.delete(self.key)\n",
        _TESTS + "test_a_job_submitted_during_a_pass_has_a_wake_of_its_own",
    ),
    Mutant(
        "the mark of a wake never expires",
        "jobs/core/queue.py",
        "    return bool(connection().set(WAKE_MARK, 1, nx=True, px=milliseconds))\n",
        "    return bool(connection().set(WAKE_MARK, milliseconds, nx=True))\n",
        _TESTS + "test_a_mark_left_by_a_killed_process_expires_and_the_sweep_starts_the_job",
    ),
    Mutant(
        "each wake prolongs the mark",
        "jobs/core/queue.py",
        "        if operation is Operation.WAKE and not _wake_mark():\n            return\n",
        """        if operation is Operation.WAKE and not _wake_mark():
            connection().expire(WAKE_MARK, 1)
            return
""",
        _TESTS + "test_a_later_wake_never_makes_a_mark_last_longer",
    ),
    Mutant(
        "each submit sends a wake",
        "jobs/core/queue.py",
        "        if operation is Operation.WAKE and not _wake_mark():\n",
        "        if False:\n",
        _TESTS + "test_many_jobs_submitted_between_two_passes_are_one_wake",
    ),
    Mutant(
        "the end of a worker reads the queue before its commit",
        "jobs/core/transition.py",
        """        lambda: queue.wake(priority) if _A_WAITING_JOB.rows() else None, robust=True
    )
""",
        """        (lambda: queue.wake(priority)) if _A_WAITING_JOB.rows() else (lambda: None), robust=True
    )
""",
        _TESTS + "test_a_job_submitted_while_a_worker_goes_is_woken_by_one_of_the_two",
    ),
    Mutant(
        "a launch is not read again under the lock of its worker",
        "jobs/dispatch/launch_rows.py",
        "    return bool(_STILL_WANTED.rows(attempt_id))\n",
        "    return True\n",
        "tests/jobs/test_launch_rows.py::test_an_attempt_that_is_no_longer_wanted_is_not_launched",
    ),
)
