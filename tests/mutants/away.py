"""Mutants of the end of attempts whose cluster stays unreachable."""

from tests.mutants.mutant import Mutant

AWAY = (
    Mutant(
        "a worker with heartbeats is lost with its cluster",
        "jobs/reconcile/decide.py",
        """        return min(self.cluster_seconds, self.worker_seconds) >= self.grace_seconds
""",
        """        return self.cluster_seconds >= self.grace_seconds
""",
        "tests/scenarios/test_away.py::test_with_heartbeats_but_no_api_server_it_runs_to_its_own_timeout",
    ),
    Mutant(
        "a heartbeat concurrent with the end is ignored",
        "jobs/reconcile/silence.py",
        """    worker_seconds = (
        web_seconds - marked_from
        if marked_from is not None and last is not None and marked == last
        else 0.0
    )
""",
        """    worker_seconds = web_seconds - marked_from if marked_from is not None else 0.0
""",
        "tests/jobs/test_away.py::test_a_concurrent_heartbeat_is_counted_or_refused",
    ),
    Mutant(
        "an unobserved absence counts",
        "jobs/clusters/rows.py",
        """        WHEN web.counted - away_web_seconds BETWEEN 0 AND %(gap)s
        THEN web.counted - away_web_seconds ELSE 0 END
""",
        """        WHEN web.counted - away_web_seconds >= 0 THEN web.counted - away_web_seconds ELSE 0 END
""",
        "tests/jobs/test_away.py::test_a_cluster_counts_as_away_while_web_is_up_and_somebody_asks_it",
    ),
    Mutant(
        "downtime of web counts as silence",
        "jobs/liveness/uptime.py",
        """            AND web.beat_at >= web.up_since + make_interval(secs => %(settle)s)
        THEN extract(epoch FROM excluded.beat_at - web.beat_at) ELSE 0 END
""",
        """            AND web.beat_at >= web.up_since + make_interval(secs => %(settle)s)
        THEN extract(epoch FROM excluded.beat_at - web.beat_at)
        WHEN excluded.beat_at > web.beat_at + make_interval(secs => %(gap)s)
        THEN extract(epoch FROM excluded.beat_at - web.beat_at) ELSE 0 END
""",
        "tests/scenarios/test_away.py::test_web_down_for_longer_than_the_grace_period_loses_no_worker",
    ),
    Mutant(
        "a cancel waits for a cluster that never returns",
        "jobs/reconcile/decide.py",
        """        return Action(Verb.GONE) if gone else NOTHING
    if row.job_status in TERMINAL or row.job_attempt != row.number:
        return Action(Verb.FENCE)
    if row.claimed_at is None:
        return _unclaimed_away""",
        """        return NOTHING
    if row.job_status in TERMINAL or row.job_attempt != row.number:
        return Action(Verb.FENCE)
    if row.claimed_at is None:
        return _unclaimed_away""",
        "tests/scenarios/test_away.py::test_unreachable_and_cancelled_it_ends_after_the_grace_period",
    ),
    Mutant(
        "a lost worker is not terminated when its cluster returns",
        "jobs/reconcile/decide.py",
        """        if state is not None and not state.gone:
            return Action(Verb.TERMINATE)  # its cluster was away, and the attempt was ended
""",
        "",
        "tests/jobs/test_reconciliation.py::test_each_case_has_its_action",
    ),
)
