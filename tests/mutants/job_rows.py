"""Mutants of job rows: search rows, events of a transition, retention."""

from tests.mutants.mutant import Mutant

JOB_ROWS = (
    Mutant(
        "a search row without the labels of its job",
        "jobs/migrations/0024_job_search_table.py",
        "nullif(labels, '{}') FROM added",
        "NULL FROM added",
        "tests/jobs/test_search_rows.py::test_jobs_of_any_statement_have_search_rows",
    ),
    Mutant(
        "only the first batch of existing jobs gets search rows",
        "jobs/migrations/0025_job_search_rows.py",
        "            last = found[0] if found else None\n",
        "            last = None\n",
        "tests/jobs/test_search_rows.py::test_the_migration_copies_existing_jobs_and_keeps_no_row_of_a_deleted_one",
    ),
    Mutant(
        "an event of a transition is recorded after it",
        "jobs/core/transition.py",
        "    events = [*((each, at, facts) for each, facts in earlier), (kind, at, data or {})]\n",
        "    events = [(kind, at, data or {}), *((each, at, facts) for each, facts in earlier)]\n",
        "tests/jobs/test_row_writes.py::test_the_event_of_the_closed_log_precedes_the_end",
    ),
    Mutant(
        "the pods of a failure are not recorded",
        "jobs/reconcile/apply.py",
        "CASE WHEN reason = '' THEN '[]' ELSE pods_seen END",
        "'[]'",
        "tests/jobs/test_row_writes.py::test_only_a_success_removes_its_stored_pods",
    ),
    Mutant(
        "retention skips a job that ended with another one",
        "jobs/lifecycle/retention.py",
        "Q(finished_at__gt=at) | Q(id__gt=job_id), finished_at__gte=at",
        "finished_at__gt=at",
        "tests/jobs/test_retention.py::test_jobs_of_the_same_moment_are_all_deleted",
    ),
)
