"""Mutants of the counters that metrics show."""

from tests.mutants.mutant import Mutant

COUNTERS = (
    Mutant(
        "a scrape reads several snapshots",
        "monitoring/selectors/metrics.py",
        "        connection.isolation_level = IsolationLevel.REPEATABLE_READ\n",
        "",
        "tests/monitoring/test_metrics.py::test_a_job_submitted_while_a_scrape_reads_is_in_all_its_figures_or_in_none",
    ),
    Mutant(
        "a fold keeps the rows that it added",
        "jobs/core/metrics.py",
        """    DELETE FROM jobs_metricdelta WHERE id IN (
        SELECT id FROM jobs_metricdelta ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
    )
    RETURNING metric, type, status, label, count, amount
""",
        "    SELECT metric, type, status, label, count, amount FROM jobs_metricdelta LIMIT %s\n",
        "tests/monitoring/test_metrics.py::test_counters_agree_with_the_rows_before_and_after_a_fold",
    ),
)
