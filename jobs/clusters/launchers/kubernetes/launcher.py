"""Workers as Jobs of a Kubernetes cluster. See `base.Launcher` for the methods.

A worker's name prevents a second worker of an attempt. A running worker is never declared lost: its
absence counts only after a request to the API server itself that began after the row was read.
"""

import datetime as dt
import re
import threading
from collections.abc import Callable, Collection, Iterator
from functools import partial

from jobs.clusters.launchers.base import (
    Changes,
    Evidence,
    Launched,
    LaunchLater,
    LaunchRefused,
    LaunchSpec,
    LaunchUncertain,
    Observation,
    Target,
)
from jobs.clusters.launchers.kubernetes import observation, tail
from jobs.clusters.launchers.kubernetes.client import Answer, Api, Away, Unconfigured
from jobs.clusters.launchers.kubernetes.mirror import Mirror
from jobs.clusters.launchers.manifest import ATTEMPT_ID, WorkerTemplate, selector, worker_job
from jobs.contract import FailureReason
from jobs.diagnosis import kubernetes as diagnosis
from jobs.diagnosis.kubernetes.objects import Object, at, items
from jobs.reasons import REASONS
from mimir.lib.clock import utc_now

DELETE = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Foreground"}
NODES_KEPT_SECONDS = 30.0
RETRY_AFTER_SECONDS = 1.0  # for a 429 without Retry-After
# Text in the watch event of a pod that has ended, or whose container has.
_ENDED = re.compile(rb'"terminated": ?\{|"phase": ?"(?:Succeeded|Failed)"')


class KubernetesLauncher:
    """Launcher of one cluster. `follow`: watch with mirrors; otherwise each observation lists."""

    def __init__(
        self,
        target: Target,
        template: WorkerTemplate,
        *,
        node_grace_seconds: float = 120.0,
        reads_nodes: bool = False,
        follow: bool = True,
        now: Callable[[], dt.datetime] = utc_now,
    ) -> None:
        self._target, self._template = target, template
        self._node_grace = dt.timedelta(seconds=node_grace_seconds)
        self._reads_nodes, self._follow, self._now = reads_nodes, follow, now
        self._lock = threading.Lock()
        self._changed, self._ended = threading.Event(), threading.Event()
        # Since the last wait: workers by name, and whether anything else changed.
        self._ended_names: set[str] = set()
        self._changed_names: set[str] = set()
        self._changed_others = False
        self._client: Api | None = None
        self._mirrors: dict[str, Mirror] = {}
        self._nodes: tuple[dt.datetime, tuple[Object, ...]] | None = None
        self._observed: dict[str, Observation] = {}  # from the last complete pass

    # -- launch

    def prepare(self) -> None:
        """Import the official client, which takes about one second."""
        self._api()

    def launch(
        self,
        spec: LaunchSpec,
        *,
        still_wanted: Callable[[], bool],  # noqa: ARG002
    ) -> Launched:
        """Create the Job of a worker. See `base.Launcher`.

        `still_wanted` is not called: no lock protects the time between the check and the request.
        A worker that was created too late cannot claim its job, and is removed as an orphan.
        """
        try:
            answer = self._api().request(
                "POST", self._api().path("jobs"), body=worker_job(spec, self._template)
            )
        except Unconfigured as error:
            raise _uncertain(f"the cluster cannot be reached: {error}") from error
        except Away as error:
            return self._adopt_or_retry(spec, str(error))
        if answer.status in (200, 201, 202):
            return Launched(str(at(answer.json(), "metadata").get("uid", "")), adopted=False)
        if answer.status == 429:
            seconds = RETRY_AFTER_SECONDS if answer.retry_after is None else answer.retry_after
            raise LaunchLater(f"the cluster limits requests: {answer.message()}", seconds=seconds)
        if answer.status in (401, 409) or answer.status >= 500:
            return self._adopt_or_retry(spec, answer.message())
        return self._refused(spec, answer)

    def _adopt_or_retry(self, spec: LaunchSpec, why: str) -> Launched:
        """Adopt the Job if an uncertain request created it. Raises: LaunchUncertain, LaunchRefused.

        If an admission webhook does not answer, the API server returns status 500 with its name.
        """
        found = self._adopted(spec)
        if found is None:
            cause = diagnosis.diagnose_refusal(why, reason="InternalError")
            if cause.category is FailureReason.ADMISSION_UNAVAILABLE:
                raise LaunchUncertain(
                    f"outcome unknown, and no such Job yet: {why}", diagnosis=cause.body()
                )
            raise _uncertain(f"outcome unknown, and no such Job yet: {why}")
        return found

    def _refused(self, spec: LaunchSpec, answer: Answer) -> Launched:
        """Adopt the Job of an earlier try, else raise the refusal (403, 404, 422 and similar)."""
        found = self._adopted(spec)
        if found is not None:
            return found
        raw = answer.message()
        refusal = diagnosis.diagnose_refusal(raw)
        if REASONS[refusal.category].retry_launch:
            raise LaunchLater(refusal.summary, diagnosis=refusal.body())
        if not refusal.stuck:
            raise LaunchRefused(f"The cluster refused the worker: {raw[:600]}")
        raise LaunchRefused(refusal.summary, reason=refusal.category, diagnosis=refusal.body())

    def _adopted(self, spec: LaunchSpec) -> Launched | None:
        """Return the Job of this name if it belongs to this attempt; None if there is no Job.

        Raises: LaunchUncertain, LaunchRefused.
        """
        try:
            answer = self._api().request("GET", self._api().path("jobs", spec.name))
        except OSError as error:
            raise _uncertain(f"outcome unknown, and the Job cannot be read: {error}") from error
        if answer.status == 404:
            return None
        if answer.status in (401, 403):
            message = answer.message()
            raise LaunchUncertain(
                f"reading the Job was refused ({answer.status}): {message}",
                diagnosis=diagnosis.not_allowed(message).body(),
            )
        if answer.status != 200:
            raise _uncertain(
                f"outcome unknown, and reading the Job returned {answer.status}: {answer.message()}"
            )
        job = answer.json()
        if not job.get("metadata"):
            raise _uncertain(
                "outcome unknown, and the API server returned an object that is not a Job"
            )
        if observation.attempt_id(job) != spec.attempt_id:
            raise LaunchRefused(
                f"A Job named {spec.name} exists and belongs to another attempt. "
                "Remove it and run the job again."
            )
        return Launched(str(at(job, "metadata").get("uid", "")), adopted=True)

    # -- observation

    def observe(self, names: Collection[str] | None = None) -> list[Observation]:
        jobs, pods, events = self._objects("jobs"), self._objects("pods"), self._objects("events")
        if names is not None:
            jobs = {name: job for name, job in jobs.items() if name in names}
            pods = {name: pod for name, pod in pods.items() if observation.job_name(pod) in names}
        observed = observation.observed(
            jobs.values(),
            pods.values(),
            events.values(),
            self._nodes_now(),
            lost_before=self._now() - self._node_grace,
            before=self._observed,
        )
        if names is None:
            self._observed = {each.attempt_id: each for each in observed}
        return observed

    def is_gone(self, name: str, attempt_id: str) -> bool:
        """Return whether the attempt has ended, by the mirrors or by the API server.

        An end that the mirrors show is final. Otherwise the API server is queried.
        """
        lost_before = self._now() - self._node_grace
        jobs, pods = self._mirrored(name, attempt_id)
        if jobs and pods and observation.has_ended(jobs, pods, lost_before=lost_before):
            return True
        jobs, pods = self._fetched(name, attempt_id)
        return observation.has_ended(jobs, pods, lost_before=lost_before)

    def evidence(self, name: str) -> Evidence | None:
        job = self._objects("jobs").get(name)
        pods = tuple(
            pod for pod in self._objects("pods").values() if observation.job_name(pod) == name
        )
        events = observation.events_of(
            name, job, pods, observation.by_worker(self._objects("events").values())
        )
        return Evidence(job=job, pods=pods, events=events, nodes=self._nodes_now())

    def wait_for_changes(self, timeout_seconds: float, *, ends_only: bool = False) -> Changes:
        (self._ended if ends_only else self._changed).wait(timeout_seconds)
        with self._lock:
            self._changed.clear()
            self._ended.clear()
            ended = frozenset(self._ended_names)
            changes = Changes(ended, frozenset(self._changed_names - ended), self._changed_others)
            self._ended_names, self._changed_names = set(), set()
            self._changed_others = False
        return changes

    def _note(self, resource: str, name: str, line: bytes | None) -> None:
        """Keep a change of an object for `wait_for_changes`."""
        worker = _worker_of(resource, name, line)
        if worker is None:
            return
        is_pod_ended = resource == "pods" and line is not None and _ENDED.search(line)
        with self._lock:
            if not worker:
                self._changed_others = True
            elif line is None or is_pod_ended:
                self._ended_names.add(worker)
                self._ended.set()
            else:
                self._changed_names.add(worker)
            self._changed.set()

    # -- removal

    def terminate(
        self,
        name: str,
        attempt_id: str,
        *,
        grace_seconds: float,  # noqa: ARG002 - the grace is in the pod's spec
    ) -> None:
        self._delete(name, attempt_id)

    def clean_up(self, name: str, attempt_id: str) -> None:
        self._delete(name, attempt_id)

    def _delete(self, name: str, attempt_id: str) -> None:
        """Delete the attempt's Job with its pods, and its pods without a Job. Raises: OSError."""
        jobs, pods = self._mirrored(name, attempt_id)
        if not jobs:
            jobs, pods = self._fetched(name, attempt_id)
        for job in jobs:
            if not at(job, "metadata").get("deletionTimestamp"):
                self._delete_object("jobs", job)
        for pod in pods if not jobs else ():
            if not at(pod, "metadata").get("deletionTimestamp"):
                self._delete_object("pods", pod)

    def _delete_object(self, resource: str, each: Object) -> None:
        """Delete an object by its uid: a successor of the same name stays."""
        name = observation.name_of(each)
        body = {**DELETE, "preconditions": {"uid": at(each, "metadata").get("uid", "")}}
        answer = self._api().request("DELETE", self._api().path(resource, name), body=body)
        if answer.status not in (200, 202, 404, 409):
            raise Away(f"deleting {name} returned {answer.status}: {answer.message()}")

    def tail(self, name: str, attempt_id: str, *, after: bytes, offset: int) -> Iterator[bytes]:
        _jobs, pods = self._mirrored(name, attempt_id)
        for pod in sorted(pods, key=observation.created_at):
            yield from tail.rest(self._api(), observation.name_of(pod), after, offset)

    def close(self) -> None:
        """Stop the watches."""
        for mirror in self._mirrors.values():
            mirror.stop()

    # -- the API server and its mirrors

    def _api(self) -> Api:
        """Return the client, created on first use. Raises: Unconfigured."""
        with self._lock:
            if self._client is None:
                self._client = Api(self._target)
            return self._client

    def _objects(self, resource: str) -> dict[str, Object]:
        mirror = self._mirror(resource)
        if not self._follow:
            mirror.list()
        return mirror.objects()

    def _mirror(self, resource: str) -> Mirror:
        """Return the mirror of a resource, created on first use. Raises: OSError."""
        api = self._api()
        with self._lock:
            mirror = self._mirrors.get(resource)
        if mirror is not None:
            return mirror
        ours = {"labelSelector": selector(self._template.installation)}
        cuts: dict[str, Callable[[Object], Object | None]]
        cuts = {
            "jobs": observation.cut_job,
            "pods": observation.cut_pod,
            "events": partial(observation.cut_event, runs=self._runs),
        }
        mirror = Mirror(
            api,
            resource,
            {} if resource == "events" else ours,
            cuts[resource],
            partial(self._note, resource),
            observation.attempt_id,
        )
        mirror.list()
        if self._follow:
            mirror.follow()
        with self._lock:
            self._mirrors[resource] = mirror
        return mirror

    def _runs(self, pod: str) -> bool:
        """Return whether the mirror of pods shows the pod as running; False without a mirror."""
        mirror = self._mirrors.get("pods")
        return mirror is not None and observation.runs(mirror.get(pod))

    def _mirrored(self, name: str, attempt_id: str) -> tuple[list[Object], list[Object]]:
        """Return the Jobs and pods of an attempt from the mirrors."""
        jobs = self._mirror("jobs").in_group(attempt_id)
        pods = self._mirror("pods").in_group(attempt_id)
        return [job for job in jobs if observation.name_of(job) == name], pods

    def _fetched(self, name: str, attempt_id: str) -> tuple[list[Object], list[Object]]:
        """Return the Jobs and pods of an attempt from the API server. Raises: OSError.

        The Job is read before the pods: a removed Job creates no more pods.
        """
        api = self._api()
        answer = api.request("GET", api.path("jobs", name))
        if answer.status not in (200, 404):
            raise Away(f"reading {name} returned {answer.status}: {answer.message()}")
        job = answer.json() if answer.status == 200 else {}
        if answer.status == 200 and not job.get("metadata"):
            raise Away(f"reading {name} returned an object that is not a Job")
        jobs: list[Object] = [job] if job and observation.attempt_id(job) == attempt_id else []
        query = {
            "labelSelector": f"{selector(self._template.installation)},{ATTEMPT_ID}={attempt_id}"
        }
        pods: list[Object] = [
            pod for page in api.pages(api.path("pods"), query) for pod in items(page.get("items"))
        ]
        return jobs, pods

    def _nodes_now(self) -> tuple[Object, ...] | None:
        """Return the nodes, read at most once per NODES_KEPT_SECONDS.

        None without the permission or without an answer.
        """
        if not self._reads_nodes:
            return None
        now = self._now()
        if self._nodes is None or (now - self._nodes[0]).total_seconds() > NODES_KEPT_SECONDS:
            try:
                answer = self._api().request("GET", "/api/v1/nodes")
            except OSError:
                return None
            found = answer.json().get("items") if answer.status == 200 else None
            if found is None:
                return None
            self._nodes = now, tuple(items(found))
        return self._nodes[1]


def _worker_of(resource: str, name: str, line: bytes | None) -> str | None:
    """Return the worker of a changed object. Empty: it can be any. None: no worker is affected.

    `name` is empty after a new list. The name of a pod is the name of its Job with a suffix. An
    event names its worker only in its content. The removal of an expired event changes nothing.
    """
    if resource == "events" and name:
        return None if line is None else observation.event_worker(line)
    return name.rpartition("-")[0] if resource == "pods" else name


def _uncertain(why: str) -> LaunchUncertain:
    return LaunchUncertain(why, diagnosis=diagnosis.no_answer(why).body())
