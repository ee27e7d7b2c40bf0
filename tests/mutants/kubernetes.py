"""Mutants of the Kubernetes launcher and of the reconciler's handling of its observations."""

from tests.mutants.mutant import Mutant

KUBERNETES = (
    Mutant(
        "the host of a worker's request is checked",
        "mimir/api/middleware.py",
        """        if request.path.startswith(WORKER_PATH):
""",
        """        if False:
""",
        "tests/api/test_worker_host.py::test_a_worker_claims_at_the_url_of_its_cluster",
    ),
    Mutant(
        "every request is answered whatever its host",
        "mimir/api/middleware.py",
        """        if request.path.startswith(WORKER_PATH):
""",
        """        if True:
""",
        "tests/api/test_worker_host.py::test_other_requests_need_a_known_host",
    ),
    Mutant(
        "a compiled query keeps the time of its first call",
        "jobs/core/compiled_query.py",
        "        if self._varies is not None:\n",
        "        if False:\n",
        "tests/jobs/test_compiled_query.py::test_a_compiled_query_takes_the_value_of_each_call",
    ),
    Mutant(
        "a worker missing from a late list is gone",
        "jobs/clusters/launchers/kubernetes/launcher.py",
        """        jobs, pods = self._fetched(name, attempt_id)
        return observation.has_ended(jobs, pods, lost_before=lost_before)
""",
        """        return observation.has_ended(jobs, pods, lost_before=lost_before)
""",
        "tests/launchers/test_kubernetes_observe.py::test_a_job_missing_from_a_stale_watch_is_read_directly",
    ),
    Mutant(
        "a 403 is accepted without a read",
        "jobs/clusters/launchers/kubernetes/launcher.py",
        """        found = self._adopted(spec)
        if found is not None:
            return found
        raw = answer.message()
""",
        """        raw = answer.message()
""",
        "tests/scenarios/test_named.py::test_403_while_the_object_exists",
    ),
    Mutant(
        "any Job with the name is adopted",
        "jobs/clusters/launchers/kubernetes/launcher.py",
        """        if observation.attempt_id(job) != spec.attempt_id:
""",
        """        if False:
""",
        "tests/launchers/test_kubernetes.py::test_a_name_that_another_attempt_has_is_refused",
    ),
    Mutant(
        "orphans are not removed",
        "jobs/reconcile/once.py",
        "    orphans = [each for each in observed if _attempt_id(each.attempt_id) not in owned]\n",
        "    orphans: list[Observation] = []\n",
        "tests/scenarios/test_named.py::test_a_create_that_lands_after_the_job_ended_and_after_clean_up",
    ),
    Mutant(
        "a disconnected node holds its capacity without limit",
        "jobs/clusters/launchers/kubernetes/observation.py",
        """    return due is not None and due < lost_before
""",
        """    return False
""",
        "tests/scenarios/test_named_nodes.py::test_cancel_on_a_node_that_never_returns",
    ),
    Mutant(
        "a pod's log is appended without its marker",
        "jobs/clusters/launchers/kubernetes/tail.py",
        """    if place is None:
        yield from _newer(read(), _stamp(last[-1]))
        return
""",
        """    if place is None:
        place = 0
        lines = read()
""",
        "tests/launchers/test_tail.py::test_where_the_joint_is_thrown_away_a_marker_says_so",
    ),
    Mutant(
        "a broken watch is not followed by a list",
        "jobs/clusters/launchers/kubernetes/mirror.py",
        """                    "watch broke: listing again", resource=self.resource, error=str(error)[:300]
                )
                self._list_again()
""",
        """                    "watch broke: listing again", resource=self.resource, error=str(error)[:300]
                )
                return
""",
        "tests/launchers/test_kubernetes_observe.py::test_an_interrupted_watch_continues",
    ),
    Mutant(
        "a pod waiting for capacity is relaunched like one that does not start",
        "jobs/reconcile/decide.py",
        """    if reason in SHORTAGE_REASONS:
        limit = capacity_wait(row.number, limit)
    else:
""",
        """    if True:
""",
        "tests/scenarios/test_named.py::test_a_launch_without_capacity_is_retried_with_backoff_and_starts_at_last",
    ),
    Mutant(
        "a pod with capacity is ended because of its earlier wait",
        "jobs/reconcile/observe.py",
        """    state = _placed(state, evidence)
""",
        "",
        "tests/scenarios/test_named.py::test_a_launch_without_capacity_is_retried_with_backoff_and_starts_at_last",
    ),
    Mutant(
        "a launch that is never allowed counts",
        "jobs/reconcile/decide.py",
        """    return _known_wait(row) if row.launched_at is None else None
""",
        """    return None
""",
        "tests/scenarios/test_named.py::test_a_403_of_every_launch_fails_no_job_however_long_that_lasts",
    ),
    Mutant(
        "a hanging launch blocks the sweep",
        "jobs/dispatch/dispatcher.py",
        """            thread.start()
""",
        """            thread.start()
            thread.join()
""",
        "tests/jobs/test_dispatcher.py::test_launches_that_hang_hold_up_neither_the_sweep_nor_another_cluster",
    ),
)
