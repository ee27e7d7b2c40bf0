"""Mutants of the forecast and of the explanation of a request that is not submitted."""

from tests.mutants.mutant import Mutant

FORECASTS = (
    Mutant(
        "a worker beyond its usual duration promises its capacity",
        "jobs/admission/forecast.py",
        "        if end_at > self._view.now:\n",
        "        if end_at:\n",
        "tests/jobs/test_forecast.py::test_a_worker_that_exceeds_its_usual_duration_never_ends_in_a_forecast",
    ),
    Mutant(
        "a forecast considers one job of a group for several free slots",
        "jobs/admission/forecast.py",
        "islice(line, slots)]\n",
        "islice(line, 1)]\n",
        "tests/jobs/test_forecast.py::test_of_equal_jobs_as_many_as_slots_start_before_a_younger_one",
    ),
    Mutant(
        "a forecast continues behind jobs that it has not read",
        "jobs/admission/forecast.py",
        "            if job_id in self._last_read:\n",
        "            if job_id in ():\n",
        "tests/jobs/test_forecast.py::test_a_forecast_ends_where_the_queue_was_not_read_further",
    ),
    Mutant(
        "an explanation may write",
        "jobs/queries/job_start.py",
        'cursor.execute("SET TRANSACTION READ ONLY")\n',
        'cursor.execute("SELECT 1")\n',
        "tests/jobs/test_job_start.py::test_an_explanation_cannot_write",
    ),
    Mutant(
        "a request to explain and submit is only explained",
        "jobs/api/jobs.py",
        '            if self.query.get("dry_run") is False:\n',
        "            if False:\n",
        "tests/api/test_explain.py::test_a_request_to_explain_and_to_submit_is_refused",
    ),
    Mutant(
        "a change that starts no sooner is proposed",
        "jobs/queries/alternatives.py",
        "            is_offered = before is None or after <= sooner_than(before)\n",
        "            is_offered = True\n",
        "tests/jobs/test_job_start.py::test_a_quarter_is_an_alternative_only_if_it_starts_sooner_than_half",
    ),
    Mutant(
        "a change that no cluster can hold is proposed",
        "jobs/admission/hypothetical.py",
        "                never_fits and _fits(each, state),\n",
        "                never_fits,\n",
        "tests/jobs/test_job_start.py"
        "::test_a_change_that_fits_is_offered_even_if_its_start_is_unknown",
    ),
    Mutant(
        "a job starts before unread jobs of its queue",
        "jobs/admission/forecast.py",
        "    known = {job.job_id for job in head.jobs if not head.is_behind(job)}\n",
        "    known = {job.job_id for job in head.jobs}\n",
        "tests/jobs/test_forecast.py::test_a_job_behind_others_that_were_not_read_is_not_forecast",
    ),
    Mutant(
        "the submit form is run dry without the values that it preselects",
        "mimir/frontend/pages/submit/views.py",
        "    elif shown != texts:\n",
        "    elif False:\n",
        "tests/frontend/test_submit_dry_run.py::test_the_dry_run_uses_the_preselected_key",
    ),
    Mutant(
        "a request that was not checked is called invalid",
        "mimir/frontend/pages/submit/start_line.py",
        """if found.get("invalid") else ""\n""",
        """if True else ""\n""",
        "tests/frontend/test_start_line.py::test_a_request_that_was_not_checked_gets_no_reason",
    ),
)
