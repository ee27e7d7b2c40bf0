"""Mutants and the tests that must kill them. `old` must occur exactly once in the file."""

from tests.mutants.away import AWAY
from tests.mutants.counters import COUNTERS
from tests.mutants.forecasts import FORECASTS
from tests.mutants.job_records import JOB_RECORDS
from tests.mutants.job_rows import JOB_ROWS
from tests.mutants.kubernetes import KUBERNETES
from tests.mutants.machine_workers import MACHINE_WORKERS
from tests.mutants.many_workers import MANY_WORKERS
from tests.mutants.memory import MEMORY
from tests.mutants.mutant import Mutant
from tests.mutants.overload import OVERLOAD
from tests.mutants.sizing import SIZING
from tests.mutants.wakes import WAKES
from tests.mutants.worker_requests import WORKER_REQUESTS

TABLE = (
    Mutant(
        "a stale base is accepted",
        "projects/twins/updates.py",
        """    if twin.base_revision != base_revision:
        raise StaleBase""",
        """    if False:
        raise StaleBase""",
        "tests/projects/test_twins.py::test_of_two_updates_with_one_base_exactly_one_is_taken",
    ),
    Mutant(
        "an update overwrites an edit",
        "projects/twins/revision.py",
        """        return self._set(entity, entity.reported, ChangeLayer.REPORTED, name, value)
""",
        """        self._set(entity, entity.overlay, ChangeLayer.OVERLAY, name, None)
        return self._set(entity, entity.reported, ChangeLayer.REPORTED, name, value)
""",
        "tests/jobs/test_twin_outcome.py::test_an_edit_leaves_a_running_update_its_base_and_outlives_it",
    ),
    Mutant(
        "a job runs on a cluster that it did not request",
        "jobs/admission/ledger.py",
        """            if capacity.open
            and can_use(capacity, job)
            and capacity.cluster not in self.reserved
            and self.has_capacity(capacity, job)
""",
        """            if capacity.open
            and capacity.cluster not in self.reserved
            and self.has_capacity(capacity, job)
""",
        "tests/jobs/test_admission_clusters.py::test_a_job_runs_only_where_it_asks_to",
    ),
    Mutant(
        "jobs that request different clusters fail together",
        "jobs/admission/decide.py",
        """    size, place = (job.cpu_millicores, job.memory_bytes, job.gpus), (job.cluster, job.region)
""",
        """    size, place = (job.cpu_millicores, job.memory_bytes, job.gpus), ()
""",
        "tests/jobs/test_admission_clusters.py::test_a_cluster_that_is_switched_off_and_one_that_is_away_are_two_reasons",
    ),
    Mutant(
        "a cluster is deleted during a pass that places work on it",
        "jobs/clusters/edit.py",
        """        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ADMISSION_LOCK])
""",
        """        cursor.execute("SELECT 1")
""",
        "tests/api/test_clusters.py::test_a_cluster_is_not_removed_during_an_admission_pass",
    ),
    Mutant(
        "workers are moved while their attempts run",
        "jobs/clusters/edit.py",
        """        if moved and Attempt.objects.filter(cluster=row, cleaned_up_at__isnull=True).exists():
""",
        """        if False:
""",
        "tests/api/test_clusters.py::test_a_cluster_with_attempts_stays_and_its_workers_keep_it_where_it_is",
    ),
    Mutant(
        "a cached model is not checked",
        "jobs/worker/modelcache.py",
        """        return size == size_bytes and hmac.compare_digest(digest.hexdigest(), sha256)
""",
        """        return True
""",
        "tests/worker/test_modelcache.py::test_a_changed_byte_is_noticed_and_the_entry_thrown_away",
        (
            (
                "jobs/worker/modelcache.py",
                """            except (invalid_tag, ValueError):
                return False
""",
                """            except (invalid_tag, ValueError):
                plain = sealed[:-TAG_BYTES]
""",
            ),
        ),
    ),
    Mutant(
        "no adoption on AlreadyExists",
        "jobs/clusters/launchers/process.py",
        """        with worker_folder.lock(folder) as descriptor:
            if descriptor is None:
                return Launched(self._uid_of_living(folder), adopted=True)
            return self._start(folder, spec, descriptor, still_wanted)
""",
        """        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT)
        return self._start(folder, spec, descriptor, still_wanted)
""",
        "tests/launchers/test_process.py::test_a_second_launch_adopts_the_worker_that_is_there",
    ),
    Mutant(
        "no fence",
        "jobs/lifecycle/finish.py",
        """        if attempt.fenced_at or attempt.claim_id is None:
            raise Gone(
                "This attempt is fenced: another attempt runs, or the job has ended.", code="fenced"
            )
        if attempt.ended_at:
""",
        """        if False:
""",
        "tests/jobs/test_finish.py::test_a_fenced_attempt_cannot_finish",
        more=(
            (
                "jobs/lifecycle/finish.py",
                "    if attempt.ended_at or attempt.fenced_at:\n",
                "    if False:\n",
            ),
        ),
    ),
    Mutant(
        "no advisory lock",
        "jobs/admission/admit.py",
        '            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ADMISSION_LOCK])\n',
        '            cursor.execute("SELECT 1")\n',
        "tests/jobs/test_admit.py::test_two_passes_at_once_give_a_slot_away_once",
    ),
    Mutant(
        "a claim is shed without Retry-After",
        "mimir/api/lanes.py",
        "                retry_after_seconds=seconds,\n",
        "",
        "tests/api/test_lanes.py::test_a_request_that_cannot_begin_in_time_is_refused_with_retry_after",
    ),
    Mutant(
        "pages are served before waiting claims",
        "mimir/api/lanes.py",
        "            lane is not claims\n",
        "            False\n",
        "tests/api/test_lanes.py::test_waiting_claims_begin_before_everything_else",
    ),
    Mutant(
        "a worker does not obey Retry-After",
        "jobs/worker/client.py",
        "        if error.retry_after_seconds is not None:\n",
        "        if False:\n",
        "tests/worker/test_retry_after.py::test_retry_after_is_obeyed_and_spread",
    ),
    Mutant(
        "a second claim_id accepted",
        "jobs/lifecycle/claim.py",
        "        elif attempt.claim_id != claim_id:\n",
        "        elif False:\n",
        "tests/jobs/test_claim.py::test_another_worker_with_the_same_token_is_refused",
    ),
    Mutant(
        "the same claim_id refused",
        "jobs/lifecycle/claim.py",
        "        elif attempt.claim_id != claim_id:\n",
        "        else:\n",
        "tests/jobs/test_claim.py::test_the_same_claim_again_gets_the_same_answer",
    ),
    Mutant(
        "wake inside the transaction",
        "jobs/core/transition.py",
        "    transaction.on_commit(lambda: queue.wake(priority), robust=True)\n",
        "    queue.wake(priority)\n",
        "tests/jobs/test_submit.py::test_the_dispatcher_is_woken_after_the_commit_and_not_before",
    ),
    Mutant(
        "a failing wake fails the POST",
        "jobs/core/transition.py",
        "    transaction.on_commit(lambda: queue.wake(priority), robust=True)\n",
        "    transaction.on_commit(lambda: queue.connection().ping())\n",
        "tests/jobs/test_submit.py::test_a_wake_that_fails_does_not_fail_the_submit",
    ),
    Mutant(
        "vanished although the list is older than the row",
        "jobs/reconcile/once.py",
        "        if before.get(attempt_id) != row.fence():\n",
        "        if False:\n",
        "tests/jobs/test_reconcile.py::test_a_worker_that_claims_during_the_listing_is_kept",
        more=(
            (
                "jobs/reconcile/once.py",
                "        if not shown and not launcher.is_gone(row.name, str(row.id)):\n",
                "        if False:\n",
            ),
        ),
    ),
    Mutant(
        "attempt + 1 before the previous one is gone",
        "jobs/admission/decide.py",
        "    yield Check(WaitRule.PREVIOUS_ATTEMPT, not job.previous_alive)\n",
        "    yield Check(WaitRule.PREVIOUS_ATTEMPT, True)\n",
        "tests/jobs/test_reconcile.py::test_the_next_attempt_waits_until_the_previous_one_is_observed_gone",
    ),
    Mutant(
        "finish accepted before the log is complete",
        "jobs/lifecycle/finish.py",
        "        if attempt.log_end < report.log_end:\n",
        "        if False:\n",
        "tests/jobs/test_finish.py::test_finish_waits_until_the_log_is_whole",
    ),
    Mutant(
        "outcome outside the transaction",
        "jobs/lifecycle/finish.py",
        "    log_matches = _log_matches(stored, report)\n",
        """    log_matches = _log_matches(stored, report)
    if report.status is FinishStatus.SUCCEEDED:
        with transaction.atomic():
            early_job, early_attempt = attempt_lock(attempt_id=attempt_id)
            outcome_apply(job=early_job, attempt=early_attempt, prepared=_prepare(stored, report))
""",
        "tests/jobs/test_finish.py::test_nothing_of_an_outcome_stays_when_its_transaction_fails",
    ),
    Mutant(
        "chunk accepted past the end",
        "jobs/logs/append.py",
        "        if offset != attempt.log_end:\n",
        "        if offset < attempt.log_end:\n",
        "tests/logs/test_append.py::test_a_chunk_past_the_end_is_refused",
    ),
    Mutant(
        "seal deletes rows before the object is durable",
        "jobs/logs/seal.py",
        '        _write_durably(name, index.blocks_of(attempt_id, row["log_end"]))\n',
        """        made = list(index.blocks_of(attempt_id, row["log_end"]))
        LogChunk.objects.filter(attempt_id=attempt_id).delete()
        _write_durably(name, iter(made))
""",
        "tests/logs/test_seal.py::test_rows_stay_until_the_object_exists",
    ),
    Mutant(
        "two sealers, one object name",
        "jobs/logs/seal.py",
        '    return f"{ROOT}/{attempt_id.hex[-2:]}/{attempt_id}.{uuid.uuid4().hex}.cri.gz"\n',
        '    return f"{ROOT}/{attempt_id.hex[-2:]}/{attempt_id}.cri.gz"\n',
        "tests/logs/test_seal.py::test_two_sealers_at_once_leave_one_whole_object",
    ),
    Mutant(
        "snapshot before the advisory lock",
        "jobs/admission/admit.py",
        """        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ADMISSION_LOCK])
        crash_point("admit.inside_transaction")
        clusters = clusters_with_windows()
        windows = windows_judge(clusters)
        view = snapshot(clusters, waiting=(), summed=True)
""",
        """        clusters = clusters_with_windows()
        windows = windows_judge(clusters)
        view = snapshot(clusters, waiting=(), summed=True)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ADMISSION_LOCK])
        crash_point("admit.inside_transaction")
""",
        "tests/jobs/test_admit.py::test_a_pass_decides_over_what_the_pass_before_it_committed",
    ),
    Mutant(
        "capacity freed when the job ends",
        "jobs/admission/snapshot.py",
        "with_starting(Attempt.objects.filter(gone_at__isnull=True))",
        "with_starting(Attempt.objects.filter(gone_at__isnull=True, ended_at__isnull=True))",
        "tests/jobs/test_admit.py::test_capacity_is_held_until_the_worker_is_observed_gone",
        (
            (
                "jobs/admission/snapshot.py",
                '(cluster=OuterRef("pk"), gone_at__isnull=True)\n',
                '(cluster=OuterRef("pk"), gone_at__isnull=True, ended_at__isnull=True)\n',
            ),
        ),
    ),
    Mutant(
        "a head counts as complete when all of its jobs start",
        "jobs/admission/candidates.py",
        "        if not any(check is not None and check.rule not in OF_ONE_JOB for check in checks):\n",
        "        if not jobs:\n",
        "tests/jobs/test_admission_heads.py::test_the_heads_give_the_same_admissions_as_the_whole_queue",
    ),
    Mutant(
        "retries that may reserve share a queue with others",
        "jobs/admission/queue_rows.py",
        "            SELECT id, queued_at, exclusive_key, not_before IS NOT NULL\n",
        "            SELECT id, queued_at, exclusive_key, not_before IS NULL\n",
        "tests/jobs/test_queue_rows.py::test_the_database_returns_the_groups_and_heads_that_a_list_has",
    ),
    Mutant(
        "success applied in cancelling",
        "jobs/lifecycle/finish.py",
        "    if job.status == JobStatus.CANCELLING:\n",
        "    if job.status == JobStatus.CANCELLING and report.status is FinishStatus.SUCCEEDED:\n"
        "        Job.objects.filter(id=job.id).update(result=outcome_apply(job=job, attempt=attempt, prepared=outcome))\n"
        "    if job.status == JobStatus.CANCELLING:\n",
        "tests/jobs/test_cancel.py::test_a_success_in_cancelling_changes_nothing_in_the_project",
    ),
    Mutant(
        "lease by the local clock",
        "jobs/reconcile/lease.py",
        """            WHERE lease.holder = excluded.holder OR lease.expires_at < clock_timestamp()
""",
        """            WHERE lease.holder = excluded.holder OR lease.expires_at < %(now)s
""",
        "tests/jobs/test_lease.py::test_a_clock_that_is_an_hour_ahead_takes_nothing_early",
        more=(
            (
                "jobs/reconcile/lease.py",
                """            {"name": name, "holder": holder, "seconds": seconds},
""",
                """            {"name": name, "holder": holder, "seconds": seconds, "now": __import__("mimir.lib.clock", fromlist=["x"]).utc_now()},
""",
            ),
        ),
    ),
    Mutant(
        "the lease of a live session is taken",
        "jobs/reconcile/lease.py",
        "                    SELECT FROM pg_stat_activity WHERE pid = lease.session_pid))\n",
        "                    SELECT FROM pg_stat_activity WHERE pid = lease.session_pid AND false))\n",
        "tests/jobs/test_lease.py::test_it_passes_on_at_once_when_the_session_of_its_holder_has_ended",
    ),
    Mutant(
        "cookie accepted on a foreign Origin",
        "mimir/frontend/proxy/application.py",
        """            foreign = (
                self._has_session_cookie(scope)
                and origin_of(header(scope, b"origin")) not in self._origins
            )
""",
        """            foreign = False
""",
        "tests/frontend/test_proxy_sockets.py::test_a_foreign_origin_is_refused",
    ),
    Mutant(
        "a consumer never compares its state with the store",
        "jobs/live/consumers.py",
        "COMPARE_SECONDS = 5.0\n",
        "COMPARE_SECONDS = 3600.0\n",
        "tests/live/test_compare.py::test_the_end_is_found_within_six_seconds_without_any_message",
    ),
    # Found by chaos tests.
    Mutant(
        "a starter that holds the lock counts as gone",
        "jobs/clusters/launchers/process.py",
        """        folder = self._own_folder(name, attempt_id) or self._unnamed_folder(name)
        if folder is not None and worker_folder.is_locked(folder):
            return False
""",
        """        folder = self._own_folder(name, attempt_id)
        if folder is not None and worker_folder.is_locked(folder):
            return False
""",
        "tests/launchers/test_process.py::test_a_starter_that_holds_the_lock_is_not_gone_before_it_has_named_its_worker",
    ),
    Mutant(
        "the rest of a lost log is dropped when another process appends",
        "jobs/reconcile/apply.py",
        "        except WrongOffset as moved:\n            end = moved.end\n",
        "",
        "tests/jobs/test_reconcile.py::test_the_rest_of_a_log_follows_on_what_a_late_request_has_stored",
    ),
    *KUBERNETES,
    *AWAY,
    *OVERLOAD,
    *MACHINE_WORKERS,
    *COUNTERS,
    *JOB_RECORDS,
    *JOB_ROWS,
    *FORECASTS,
    *SIZING,
    *MEMORY,
    *WORKER_REQUESTS,
    *WAKES,
    *MANY_WORKERS,
)
