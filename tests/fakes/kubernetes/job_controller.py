"""Job controller and garbage collector.

One pod per Job, conditions, deadlines, and the three propagation policies of a deletion.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from tests.fakes.kubernetes.events import Recorder
from tests.fakes.kubernetes.failure_policy import policy_action
from tests.fakes.kubernetes.kubelet import Kubelets
from tests.fakes.kubernetes.resources import (
    FOREGROUND,
    JOB_TRACKING,
    JOBS,
    PODS,
    Key,
    Object,
    has_condition,
    is_deleting,
    is_finished,
    is_terminal,
    key_of,
    with_meta,
    with_status,
)
from tests.fakes.kubernetes.scripts import Scripts
from tests.fakes.kubernetes.shapes import job_condition, pod_of
from tests.fakes.kubernetes.store import Change, ChangeType, Store

BACKOFF_SECONDS = 10.0
Refusal = Callable[[Object], str]


class JobController:
    """Level-triggered controller.

    `_sync` reads a Job and its pods and takes the next step. It runs after every change to either,
    never during one.
    """

    def __init__(
        self,
        store: Store,
        recorder: Recorder,
        kubelets: Kubelets,
        scripts: Scripts,
        refusal: Refusal,
    ) -> None:
        self._store, self._events = store, recorder
        self._kubelets, self._scripts = kubelets, scripts
        self._refusal = refusal  # why admission rejects the pods of this Job, or ""
        self.pods_of: dict[str, dict[Key, None]] = {}
        self._pending: set[Key] = set()
        self._not_before: dict[str, float] = {}
        # Job uid -> pod uid -> whether it succeeded; None: ignored by the failure policy
        self._counted: dict[str, dict[str, bool | None]] = {}
        self._expiring: set[str] = set()
        self._tries: dict[str, int] = {}
        store.listeners.append(self._notice)

    def _notice(self, change: Change) -> None:
        resource, obj = change.version.resource, change.version.obj
        if resource is JOBS:
            if change.type is ChangeType.DELETED:
                self._orphaned(obj)
            else:
                self.sync_soon(change.version.key)
        elif resource is PODS:
            owner = next(iter(obj["metadata"].get("ownerReferences", ())), None)
            if owner is None:
                return
            pods = self.pods_of.setdefault(owner["uid"], {})
            if change.type is ChangeType.DELETED:
                pods.pop(change.version.key, None)
            else:
                pods[change.version.key] = None
            self.sync_soon((obj["metadata"]["namespace"], owner["name"]))

    def sync_soon(self, key: Key, seconds: float = 0.0) -> None:
        if seconds:
            self._store.clock.after(seconds, lambda: self.sync_soon(key))
        elif key not in self._pending:
            self._pending.add(key)
            self._store.clock.after(0, lambda: self._run(key))

    def _run(self, key: Key) -> None:
        self._pending.discard(key)
        if job := self._store.get(JOBS, key):
            self._sync(key, job)

    def _pods(self, job: Object) -> list[Object]:
        return [
            pod
            for key in self.pods_of.get(job["metadata"]["uid"], ())
            if (pod := self._store.get(PODS, key))
        ]

    def _sync(self, key: Key, job: Object) -> None:
        pods = self._pods(job)
        if is_deleting(job):
            self._collect(job, pods)
            return
        if is_finished(job):
            for pod in pods:
                self._untrack(pod)
            self._expire(job)
            return
        if "startTime" not in job["status"]:
            self._start(job)
            return
        if job["spec"].get("suspend"):
            self._suspend(job, pods)
            return
        self._count(job, pods)
        target = self._target(job, pods)
        if target:
            self._fail(job, target)
        elif self._succeeded(job):
            self._complete(job)
        else:
            self._keep_running(job, pods)

    def _suspend(self, job: Object, pods: list[Object]) -> None:
        """Suspend a running Job.

        Its pods are deleted, and count neither as failed nor as succeeded.
        """
        if not has_condition(job, "Suspended"):
            new = job_condition(
                "Suspended",
                self._store.clock.stamp(),
                reason="JobSuspended",
                message="Job suspended",
            )
            self._store.update(
                JOBS, with_status(job, conditions=[*job["status"].get("conditions", ()), new])
            )
            self._delete_living(job, pods)
            self._events.controller(job, JOBS, "Suspended", "Job suspended")
            return
        for pod in pods:
            self._untrack(pod)
        self._show(job, self._pods(job))

    def _start(self, job: Object) -> None:
        """Record the start time; the pod and the deadline follow."""
        spec = job["spec"]
        if spec.get("suspend"):
            return
        if deadline := spec.get("activeDeadlineSeconds"):
            self.sync_soon(key_of(job), float(deadline))
        clock = self._store.clock
        self._not_before[job["metadata"]["uid"]] = (
            clock.now + self._scripts.of(job["metadata"]["name"]).create_seconds
        )
        self._store.update(
            JOBS,
            with_status(
                job, startTime=clock.stamp(), terminating=0, uncountedTerminatedPods={}, ready=0
            ),
        )

    def _count(self, job: Object, pods: list[Object]) -> None:
        """Count each ended pod once."""
        counted = self._counted.setdefault(job["metadata"]["uid"], {})
        failing = has_condition(job, "FailureTarget")
        for pod in pods:
            ended = is_terminal(pod) or (failing and is_deleting(pod))
            if not ended or pod["metadata"]["uid"] in counted:
                continue
            ignored = pod["status"]["phase"] == "Failed" and policy_action(job, pod)[0] == "Ignore"
            counted[pod["metadata"]["uid"]] = (
                None if ignored else pod["status"]["phase"] == "Succeeded"
            )
            self._not_before[job["metadata"]["uid"]] = self._store.clock.now + BACKOFF_SECONDS

    def _target(self, job: Object, pods: list[Object]) -> tuple[str, str] | None:
        """Return the reason why the Job must fail, or None."""
        for each in job["status"].get("conditions", ()):
            if each["type"] == "FailureTarget":
                return each["reason"], each["message"]
        for pod in pods:
            if pod["status"]["phase"] == "Failed" and policy_action(job, pod)[0] == "FailJob":
                return "PodFailurePolicy", policy_action(job, pod)[1]
        results = list(self._counted[job["metadata"]["uid"]].values())
        if results.count(False) > job["spec"]["backoffLimit"]:
            return "BackoffLimitExceeded", "Job has reached the specified backoff limit"
        deadline = job["spec"].get("activeDeadlineSeconds")
        if (
            deadline
            and self._store.clock.now
            >= datetime.fromisoformat(job["status"]["startTime"]).timestamp() + deadline
        ):
            return "DeadlineExceeded", "Job was active longer than specified deadline"
        return None

    def _fail(self, job: Object, target: tuple[str, str]) -> None:
        """Set FailureTarget, then delete the pods, and set Failed only when none is running."""
        reason, message = target
        at = self._store.clock.stamp()
        if not has_condition(job, "FailureTarget"):
            new = job_condition("FailureTarget", at, reason=reason, message=message)
            self._store.update(
                JOBS, with_status(job, conditions=[*job["status"].get("conditions", ()), new])
            )
            self._delete_living(job, self._pods(job))
            return
        pods = self._pods(job)
        for pod in pods:
            self._untrack(pod)
        if any(not is_terminal(pod) for pod in self._pods(job)):
            self._show(job, pods)
            return
        new = job_condition("Failed", at, reason=reason, message=message)
        failed = self._failures(job) or None
        conditions = [*job["status"]["conditions"], new]
        self._store.update(
            JOBS,
            with_status(
                job, conditions=conditions, active=None, ready=0, terminating=0, failed=failed
            ),
        )
        self._events.controller(job, JOBS, reason, message, warning=True)

    def _delete_living(self, job: Object, pods: list[Object]) -> None:
        for pod in pods:
            if not is_terminal(pod) and not is_deleting(pod):
                self._events.controller(
                    job, JOBS, "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}"
                )
                self._kubelets.delete(pod)

    def _failures(self, job: Object) -> int:
        return list(self._counted[job["metadata"]["uid"]].values()).count(False)

    def _succeeded(self, job: Object) -> bool:
        return any(self._counted[job["metadata"]["uid"]].values())

    def _complete(self, job: Object) -> None:
        at = self._store.clock.stamp()
        why: dict[str, Any] = {
            "reason": "CompletionsReached",
            "message": "Reached expected number of succeeded pods",
        }
        conditions = [job_condition(kind, at, **why) for kind in ("SuccessCriteriaMet", "Complete")]
        failed = self._failures(job) or None
        for pod in self._pods(job):
            self._untrack(pod)
        done = with_status(
            job,
            conditions=conditions,
            active=None,
            completionTime=at,
            succeeded=1,
            failed=failed,
            ready=0,
            terminating=0,
        )
        self._store.update(JOBS, done)
        self._events.controller(job, JOBS, "Completed", "Job completed")

    def _keep_running(self, job: Object, pods: list[Object]) -> None:
        """Create the next pod if none is active.

        With `podReplacementPolicy: Failed`, only after the previous pod reached a terminal phase.
        """
        late = job["spec"]["podReplacementPolicy"] == "Failed"
        living = [pod for pod in pods if not is_terminal(pod) and (late or not is_deleting(pod))]
        if living or self._not_before.get(job["metadata"]["uid"], 0.0) > self._store.clock.now:
            self._show(job, pods)
            if not living:
                self.sync_soon(
                    key_of(job), self._not_before[job["metadata"]["uid"]] - self._store.clock.now
                )
            return
        for pod in pods:
            self._untrack(pod)
        self._create_pod(job)

    def _create_pod(self, job: Object) -> None:
        uid = job["metadata"]["uid"]
        name = f"{job['metadata']['name'][:57]}-{self._store.new_suffix()}"
        if refusal := self._refusal(job):
            self._events.controller(
                job,
                JOBS,
                "FailedCreate",
                f'Error creating: pods "{name}" is forbidden: {refusal}',
                warning=True,
            )
            tries = self._tries[uid] = self._tries.get(uid, 0) + 1
            self._not_before[uid] = self._store.clock.now + min(
                BACKOFF_SECONDS * 2 ** (tries - 1), 600.0
            )
            self.sync_soon(key_of(job), self._not_before[uid] - self._store.clock.now)
            return
        pod = self._store.create(PODS, pod_of(job, name=name))
        self._events.controller(
            job, JOBS, "SuccessfulCreate", f"Created pod: {pod['metadata']['name']}"
        )
        self._kubelets.schedule(pod, job["metadata"]["name"])

    def retry(self, key: Key) -> None:
        """Retry the creation of the pod after the cause was fixed."""
        if job := self._store.get(JOBS, key):
            self._not_before.pop(job["metadata"]["uid"], None)
            self.sync_soon(key)

    def _show(self, job: Object, pods: list[Object], **more: Any) -> None:
        """Write the counts into the status of the Job, if they changed."""
        living = [pod for pod in pods if not is_terminal(pod)]
        counts = {
            "active": sum(not is_deleting(pod) for pod in living) or None,
            "terminating": sum(is_deleting(pod) for pod in living),
            "ready": sum(not is_deleting(pod) and has_condition(pod, "Ready") for pod in living),
            "failed": self._failures(job) or None,
            **more,
        }
        if any(job["status"].get(name) != value for name, value in counts.items()):
            self._store.update(JOBS, with_status(job, **counts))

    def _untrack(self, pod: Object) -> None:
        """Remove the finalizer of a pod that is counted or no longer relevant."""
        finalizers = pod["metadata"].get("finalizers", ())
        if JOB_TRACKING in finalizers and (is_terminal(pod) or is_deleting(pod)):
            rest = [each for each in finalizers if each != JOB_TRACKING]
            self._kubelets.updated(
                self._store.update(PODS, with_meta(pod, finalizers=rest or None))
            )

    def _expire(self, job: Object) -> None:
        """Delete the Job and its pods after `ttlSecondsAfterFinished`."""
        ttl = job["spec"].get("ttlSecondsAfterFinished")
        uid, key = job["metadata"]["uid"], key_of(job)
        if ttl is None or uid in self._expiring:
            return
        self._expiring.add(uid)

        def gone() -> None:
            found = self._store.get(JOBS, key)
            if found and found["metadata"]["uid"] == uid and not is_deleting(found):
                self.delete(found, "Foreground")

        self._store.clock.after(float(ttl), gone)

    def delete(self, job: Object, policy: str) -> Object | None:
        """Delete a Job by a propagation policy.

        Return the remaining object, or None if it was deleted at once.
        """
        if is_deleting(job):
            return job
        if policy == "Foreground":
            marked = with_meta(
                job,
                finalizers=[*job["metadata"].get("finalizers", ()), FOREGROUND],
                deletionTimestamp=self._store.clock.stamp(),
                deletionGracePeriodSeconds=0,
                generation=job["metadata"]["generation"] + 1,
            )
            return self._store.update(JOBS, marked)
        if policy == "Orphan":
            for pod in self._pods(job):
                rest = [
                    each for each in pod["metadata"].get("finalizers", ()) if each != JOB_TRACKING
                ]
                self._store.update(
                    PODS, with_meta(pod, ownerReferences=None, finalizers=rest or None)
                )
            self.pods_of.pop(job["metadata"]["uid"], None)
        self._store.remove(JOBS, key_of(job))
        return None

    def _collect(self, job: Object, pods: list[Object]) -> None:
        """Delete in the foreground: the pods first, then the Job."""
        for pod in pods:
            self._untrack(pod)
            self._kubelets.delete(self._store.get(PODS, key_of(pod)) or pod)
        if not self._pods(job):
            self._store.remove(JOBS, key_of(job))

    def _orphaned(self, job: Object) -> None:
        """Delete the pods of a deleted Job, except those that were orphaned before."""
        uid = job["metadata"]["uid"]
        self._expiring.discard(uid)
        for known in (self._not_before, self._counted, self._tries):
            known.pop(uid, None)  # type: ignore[attr-defined]
        keys = list(self.pods_of.pop(uid, ()))

        def follow() -> None:
            for key in keys:
                if pod := self._store.get(PODS, key):
                    self._kubelets.delete(pod)
                if pod := self._store.get(PODS, key):
                    self._untrack(pod)

        self._store.clock.after(0, follow)
