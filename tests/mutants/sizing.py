"""Mutants of recommended limits."""

from tests.mutants.mutant import Mutant

SIZING = (
    Mutant(
        "a recommendation is below a measured peak",
        "jobs/core/sizing.py",
        """    needed = max(-(-basis.memory_demand_bytes * 5 // 4), 2 * _unproven_limit(runs))
""",
        """    needed = max(basis.memory_demand_bytes * 3 // 4, 2 * _unproven_limit(runs))
""",
        "tests/jobs/test_sizing.py::test_no_recommendation_is_below_a_measured_peak",
    ),
    Mutant(
        "a leak doubles the automatic limit without end",
        "jobs/core/sizing.py",
        """    return change_from(replace(sizing, memory_bytes=min(sizing.memory_bytes, most)), default)
""",
        """    return change_from(sizing, default)
""",
        "tests/jobs/test_sizing.py::test_an_automatic_limit_is_not_raised_without_end",
    ),
    Mutant(
        "requested resources are replaced by recommended ones",
        "jobs/lifecycle/amounts.py",
        """    if plain or not project.automatic_resources:
""",
        """    if not project.automatic_resources:
""",
        "tests/jobs/test_automatic_resources.py::test_requested_resources_are_kept",
    ),
    Mutant(
        "a lowered limit costs a job that the default would have been enough for",
        "jobs/lifecycle/amounts.py",
        """        memory_max_bytes=default_bytes if is_lowered else None,
""",
        """        memory_max_bytes=None,
""",
        "tests/jobs/test_automatic_resources.py::test_a_job_that_ran_out_of_a_lowered_limit_is_retried_up_to_the_default",
    ),
    Mutant(
        "a worker raises limits with a forged peak",
        "jobs/lifecycle/measured_runs.py",
        """                memory_peak_bytes=None if peak is None else min(peak, limits.memory_bytes),
""",
        """                memory_peak_bytes=peak,
""",
        "tests/jobs/test_measured_runs.py::test_a_worker_cannot_report_more_than_its_limits",
    ),
)
