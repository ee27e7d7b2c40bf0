"""Mutants of worker requests: order of events and locks, and the events of a finish."""

from tests.mutants.mutant import Mutant

WORKER_REQUESTS = (
    Mutant(
        "seq from a database sequence",
        "jobs/core/event_rows.py",
        """            _CHANGE.format(update=update, columns=_COLUMNS),
            [
                *parameters,
""",
        """            _CHANGE.format(update="SELECT * FROM jobs_job WHERE id = %s", columns=_COLUMNS)
            .replace(" RETURNING ", " -- ")
            .replace("changed.event_seq -", "nextval(pg_get_serial_sequence('jobs_jobevent', 'id')) -"),
            [
                rows.get().id,
""",
        "tests/jobs/test_events.py::test_a_later_event_is_not_visible_before_an_earlier_one",
    ),
    Mutant(
        "an attempt is locked before its job",
        "jobs/core/transition.py",
        'select_for_update(of=("job", "self"))',
        'select_for_update(of=("self", "job"))',
        "tests/jobs/test_events.py::test_the_job_is_locked_before_its_attempt",
    ),
    Mutant(
        "the events of a finish are lost",
        "jobs/lifecycle/finish.py",
        "        events_insert(job=job, attempt=attempt, events=report.events)\n",
        "",
        "tests/jobs/test_finish.py::test_the_events_of_a_finish_are_stored_once_before_its_own",
    ),
    Mutant(
        "the last events are sent in a call that an older orchestrator does not know",
        "jobs/worker/supervisor.py",
        'finish_takes_events=bool(self._claim.get("finish_takes_events"))',
        "finish_takes_events=True",
        "tests/worker/test_last_events.py::test_an_older_orchestrator_gets_the_events_before_the_finish",
    ),
    Mutant(
        "the last events travel in a call whose events an older orchestrator ignores",
        "jobs/worker/delivery.py",
        '            return "finish-with-events"\n',
        '            return "finish"\n',
        "tests/worker/test_last_events.py::test_an_older_orchestrator_gets_the_events_before_the_finish",
    ),
    Mutant(
        "a finish with refused events is not sent again without them",
        "jobs/worker/delivery.py",
        '                if "events" in body:\n',
        "                if False:\n",
        "tests/worker/test_last_events.py::test_a_finish_that_is_refused_for_its_events_is_sent_without_them",
    ),
)
