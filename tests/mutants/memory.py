"""Mutants of the retry with more memory."""

from tests.mutants.mutant import Mutant

MEMORY = (
    Mutant(
        "one out-of-memory end doubles the memory twice",
        "jobs/core/memory_policy.py",
        """    limit = min(2 * ran_with_bytes, memory_max_bytes)
""",
        """    limit = min(2 * current.limits.memory_bytes, memory_max_bytes)
""",
        "tests/jobs/test_memory_policy.py::test_a_second_call_for_the_same_attempt_raises_nothing",
    ),
    Mutant(
        "memory is raised above memory_max",
        "jobs/core/memory_policy.py",
        """    limit = min(2 * ran_with_bytes, memory_max_bytes)
""",
        """    limit = 2 * ran_with_bytes
""",
        "tests/jobs/test_memory_max.py::test_at_the_maximum_it_fails_and_names_memory_max",
    ),
    Mutant(
        "an attempt that is followed by one with more memory is counted",
        "jobs/lifecycle/ending.py",
        """    counts = raised is None and _counts(job, attempt, reason)
""",
        """    counts = _counts(job, attempt, reason)
""",
        "tests/jobs/test_memory_max.py::test_the_job_returns_to_the_queue_with_twice_the_memory_and_is_not_counted",
    ),
    Mutant(
        "a worker is launched with the memory of the job's row at that time",
        "jobs/clusters/machine.py",
        """    if memory_limit_bytes is not None:
""",
        """    if False:
""",
        "tests/jobs/test_memory_max.py::test_the_memory_of_an_ended_attempt_is_that_which_it_ran_with",
    ),
    Mutant(
        "the increase is not part of the move of the job",
        "jobs/lifecycle/ending.py",
        """        **columns,
""",
        "",
        "tests/jobs/test_memory_max.py::test_the_next_worker_gets_the_raised_memory_at_launch_and_at_its_claim",
    ),
)
