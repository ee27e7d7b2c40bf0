"""Mutants for thousands of workers: shared heartbeat statements, passes between complete ones."""

from tests.mutants.mutant import Mutant

MANY_WORKERS = (
    Mutant(
        "a mirror keeps objects in a group that they have left",
        "jobs/clusters/launchers/kubernetes/mirror.py",
        "            del self._groups[group][name]\n",
        "            self._groups[group].get(name)\n",
        "tests/launchers/test_mirror_groups.py::test_groups_follow_changes_and_lists",
    ),
    Mutant(
        "a compiled lock works outside of a transaction",
        "jobs/core/compiled_instances.py",
        "        if compiled.locks and not connection.in_atomic_block:\n",
        "        if False:\n",
        "tests/jobs/test_compiled_instances.py::test_an_attempt_is_locked_only_inside_a_transaction",
    ),
    Mutant(
        "a compiled query of instances ignores the value of the call",
        "jobs/core/compiled_instances.py",
        "value if each == self._varies else each for each in compiled.parameters",
        "each for each in compiled.parameters",
        "tests/jobs/test_compiled_instances.py::test_each_call_reads_the_row_of_its_value_as_it_is_now",
    ),
    Mutant(
        "heartbeats together do not compare the claim",
        "jobs/lifecycle/heartbeats.py",
        "        ON attempt.id = given.id AND attempt.claim_id = given.claim_id\n",
        "        ON attempt.id = given.id\n",
        "tests/jobs/test_heartbeats_together.py::test_an_attempt_that_another_claim_holds_stores_nothing",
    ),
    Mutant(
        "heartbeats together do not see a fence",
        "jobs/lifecycle/heartbeats.py",
        "    WHERE attempt.fenced_at IS NULL AND attempt.ended_at IS NULL\n",
        "    WHERE attempt.ended_at IS NULL\n",
        "tests/jobs/test_heartbeats_together.py::test_a_fenced_or_ended_attempt_has_no_response_and_stores_nothing",
    ),
    Mutant(
        "heartbeats together wait for a lock",
        "jobs/lifecycle/heartbeats.py",
        "    FOR NO KEY UPDATE OF attempt SKIP LOCKED\n",
        "    FOR NO KEY UPDATE OF attempt\n",
        "tests/jobs/test_heartbeats_together.py::test_a_row_that_another_transaction_holds_delays_nobody",
    ),
    Mutant(
        "a heartbeat is answered without its token",
        "jobs/api/heartbeats.py",
        "    if not is_token_of_claim(attempt_id, claim_id, token.strip()):\n",
        "    if False:\n",
        "tests/api/test_heartbeats_application.py::test_any_other_request_is_passed_to_django",
    ),
    Mutant(
        "a heartbeat that was not stored is answered",
        "jobs/api/heartbeats.py",
        "        if response is None:\n            await self._application(scope, receive, send)\n            return\n",
        "        if response is None and heartbeat is None:\n            await self._application(scope, receive, send)\n            return\n",
        "tests/api/test_heartbeats_application.py::test_a_heartbeat_that_was_not_stored_is_passed_to_django_and_its_claim_is_removed",
    ),
    Mutant(
        "a step that failed waits for a complete pass",
        "jobs/reconcile/once.py",
        "    action = Action(Verb.NOTHING)\n    known.unsettled.add(row.name)\n",
        "    action = Action(Verb.NOTHING)\n",
        "tests/jobs/test_unsettled.py::test_a_step_that_failed_is_repeated_before_the_next_complete_pass",
    ),
    Mutant(
        "a time limit waits for a complete pass",
        "jobs/reconcile/attempts.py",
        "        claimed_at__gt=Now() - times_out_after,\n",
        "",
        "tests/jobs/test_unsettled.py::test_an_attempt_that_rows_or_time_can_move_is_unsettled",
    ),
    Mutant(
        "the observation of a pod on a lost node is repeated",
        "jobs/clusters/launchers/kubernetes/observation.py",
        '        and not any(at(pod, "metadata").get("deletionTimestamp") for pod in evidence.pods)\n',
        "",
        "tests/launchers/test_kubernetes_lists.py::test_the_observation_of_a_pod_on_a_lost_node_is_not_repeated",
    ),
)
