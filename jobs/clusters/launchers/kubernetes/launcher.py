"""Workers as Jobs of a Kubernetes cluster. See `base.Launcher` for what each method promises.

What keeps a worker from being made twice is its name; what keeps one that runs from being taken for lost is that an absence is asked for at
the API server itself, in a request begun after the row was read.
"""

import datetime as dt
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from jobs.clusters.launchers.base import (
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
from jobs.reasons import REASONS
from mimir.lib.clock import utc_now

DELETE = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Foreground"}
NODES_KEPT_SECONDS = 30.0
RETRY_AFTER_SECONDS = 1.0  # a 429 that names no time


class KubernetesLauncher:
    """The launcher of one cluster. `follow`: keep mirrors by watches; else each look lists."""

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
        self._changed = threading.Event()
        self._made: Api | None = None
        self._mirrors: dict[str, Mirror] = {}
        self._nodes: tuple[dt.datetime, tuple[Mapping[str, Any], ...]] | None = None

    # -- making

    def prepare(self) -> None:
        """The official client is a second's import."""
        self._api()

    def launch(self, spec: LaunchSpec, *, still_wanted: Callable[[], bool]) -> Launched:  # noqa: ARG002
        """See `base.Launcher`. `still_wanted` is not asked: nothing keeps others out between the question and the request.

        A worker that is made too late is refused its claim, and removed as an orphan.
        """
        try:
            answer = self._api().request(
                "POST", self._api().path("jobs"), body=worker_job(spec, self._template)
            )
        except Unconfigured as error:
            raise _uncertain(f"the cluster cannot be asked: {error}") from error
        except Away as error:
            return self._look(spec, str(error))
        if answer.status in (200, 201, 202):
            return Launched(str(answer.json().get("metadata", {}).get("uid", "")), adopted=False)
        if answer.status == 429:
            seconds = RETRY_AFTER_SECONDS if answer.retry_after is None else answer.retry_after
            raise LaunchLater(f"the cluster asks for a pause: {answer.message()}", seconds=seconds)
        if answer.status in (401, 409) or answer.status >= 500:
            return self._look(spec, answer.message())
        return self._refused(spec, answer)

    def _look(self, spec: LaunchSpec, why: str) -> Launched:
        """Perhaps it was made: what the cluster has under this name decides. Raises: LaunchUncertain, LaunchRefused.

        An admission webhook that does not answer is reported with status 500: the API server did answer, and names the webhook.
        """
        found = self._adopted(spec)
        if found is None:
            cause = diagnosis.diagnose_refusal(why, reason="InternalError")
            if cause.category is FailureReason.ADMISSION_UNAVAILABLE:
                raise LaunchUncertain(
                    f"no sure answer, and no such Job yet: {why}", diagnosis=cause.body()
                )
            raise _uncertain(f"no sure answer, and no such Job yet: {why}")
        return found

    def _refused(self, spec: LaunchSpec, answer: Answer) -> Launched:
        """403, 404, 422 and their like say no; an earlier try may have said yes all the same."""
        found = self._adopted(spec)
        if found is not None:
            return found
        raw = answer.message()
        told = diagnosis.diagnose_refusal(raw)
        if REASONS[told.category].retry_launch:
            raise LaunchLater(told.summary, diagnosis=told.body())
        if not told.stuck:
            raise LaunchRefused(f"The cluster refused the worker: {raw[:600]}")
        raise LaunchRefused(told.summary, reason=told.category, diagnosis=told.body())

    def _adopted(self, spec: LaunchSpec) -> Launched | None:
        """The Job that bears this name, if it is this attempt's. Raises: LaunchUncertain, LaunchRefused."""
        try:
            answer = self._api().request("GET", self._api().path("jobs", spec.name))
        except OSError as error:
            raise _uncertain(f"no sure answer, and a look did not help: {error}") from error
        if answer.status == 404:
            return None
        if answer.status in (401, 403):
            words = answer.message()
            raise LaunchUncertain(
                f"the cluster does not let us look ({answer.status}): {words}",
                diagnosis=diagnosis.not_allowed(words).body(),
            )
        if answer.status != 200:
            raise _uncertain(
                f"no sure answer, and a look was answered with {answer.status}: {answer.message()}"
            )
        job = answer.json()
        if not job.get("metadata"):
            raise _uncertain(
                "no sure answer, and a look was answered with something that is no Job"
            )
        if observation.attempt_id(job) != spec.attempt_id:
            raise LaunchRefused(
                f"A Job named {spec.name} is there, and is not this attempt's. Remove it, and run the job again."
            )
        return Launched(str(job["metadata"].get("uid", "")), adopted=True)

    # -- looking

    def observe(self) -> list[Observation]:
        jobs, pods, events = self._shown("jobs"), self._shown("pods"), self._shown("events")
        lost_before = self._now() - self._node_grace
        return observation.observed(
            jobs.values(),
            pods.values(),
            events.values(),
            self._nodes_now(),
            lost_before=lost_before,
        )

    def is_gone(self, name: str, attempt_id: str) -> bool:
        """Asks the API server, unless the mirrors show that it has ended: that does not change any more."""
        lost_before = self._now() - self._node_grace
        jobs, pods = self._known(name, attempt_id)
        if jobs and pods and observation.has_ended(jobs, pods, lost_before=lost_before):
            return True
        jobs, pods = self._asked(name, attempt_id)
        return observation.has_ended(jobs, pods, lost_before=lost_before)

    def evidence(self, name: str) -> Evidence | None:
        job = self._shown("jobs").get(name)
        pods = tuple(
            pod for pod in self._shown("pods").values() if observation.job_name(pod) == name
        )
        events = observation.events_of(
            name, job, pods, observation.by_worker(self._shown("events").values())
        )
        return Evidence(job=job, pods=pods, events=events, nodes=self._nodes_now())

    def wait_for_change(self, timeout_seconds: float) -> bool:
        changed = self._changed.wait(timeout_seconds)
        self._changed.clear()
        return changed

    # -- ending

    def terminate(self, name: str, attempt_id: str, *, grace_seconds: float) -> None:  # noqa: ARG002 - the pod's own grace stands in it
        self._delete(name, attempt_id)

    def clean_up(self, name: str, attempt_id: str) -> None:
        self._delete(name, attempt_id)

    def _delete(self, name: str, attempt_id: str) -> None:
        """Delete the attempt's Job with its pods, and pods of it that have no Job any more. Raises: OSError."""
        jobs, pods = self._known(name, attempt_id)
        if not jobs:
            jobs, pods = self._asked(name, attempt_id)
        for job in jobs:
            if not job["metadata"].get("deletionTimestamp"):
                self._delete_object("jobs", job)
        for pod in pods if not jobs else ():
            if not pod["metadata"].get("deletionTimestamp"):
                self._delete_object("pods", pod)

    def _delete_object(self, resource: str, each: Mapping[str, Any]) -> None:
        """By its uid: a successor of the same name stays."""
        metadata = each["metadata"]
        body = {**DELETE, "preconditions": {"uid": metadata.get("uid", "")}}
        answer = self._api().request(
            "DELETE", self._api().path(resource, metadata["name"]), body=body
        )
        if answer.status not in (200, 202, 404, 409):
            raise Away(
                f"deleting {metadata['name']} was answered with {answer.status}: {answer.message()}"
            )

    def tail(self, name: str, attempt_id: str, *, after: bytes, offset: int) -> Iterator[bytes]:
        _jobs, pods = self._known(name, attempt_id)
        for pod in sorted(
            pods, key=lambda each: str(each["metadata"].get("creationTimestamp", ""))
        ):
            yield from tail.rest(self._api(), pod["metadata"]["name"], after, offset)

    def close(self) -> None:
        """Stop the watches."""
        for mirror in self._mirrors.values():
            mirror.stop()

    # -- the API server and its mirrors

    def _api(self) -> Api:
        """Raises: Unconfigured."""
        with self._lock:
            if self._made is None:
                self._made = Api(self._target)
            return self._made

    def _shown(self, resource: str) -> dict[str, Mapping[str, Any]]:
        mirror = self._mirror(resource)
        if not self._follow:
            mirror.list()
        return mirror.objects()

    def _mirror(self, resource: str) -> Mirror:
        """The mirror, listed and followed from its first use on. Raises: OSError."""
        api = self._api()
        with self._lock:
            mirror = self._mirrors.get(resource)
        if mirror is not None:
            return mirror
        ours = {"labelSelector": selector(self._template.installation)}
        cuts: dict[str, Callable[[Mapping[str, Any]], Mapping[str, Any] | None]]
        cuts = {
            "jobs": observation.cut_job,
            "pods": observation.cut_pod,
            "events": partial(observation.cut_event, runs=self._runs),
        }
        mirror = Mirror(
            api, resource, {} if resource == "events" else ours, cuts[resource], self._changed.set
        )
        mirror.list()
        if self._follow:
            mirror.follow()
        with self._lock:
            self._mirrors[resource] = mirror
        return mirror

    def _runs(self, pod: str) -> bool:
        """Whether a pod runs, as far as the mirror of pods knows; that one is made first."""
        mirror = self._mirrors.get("pods")
        return mirror is not None and observation.runs(mirror.get(pod))

    def _known(
        self, name: str, attempt_id: str
    ) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
        """What the mirrors show of an attempt."""
        job = self._mirror("jobs").objects().get(name)
        jobs = [job] if job is not None and observation.attempt_id(job) == attempt_id else []
        return jobs, [
            pod
            for pod in self._mirror("pods").objects().values()
            if observation.attempt_id(pod) == attempt_id
        ]

    def _asked(
        self, name: str, attempt_id: str
    ) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
        """What the API server itself has of an attempt now. The pods after the Job: it makes none any more once it is gone."""
        api = self._api()
        answer = api.request("GET", api.path("jobs", name))
        if answer.status not in (200, 404):
            raise Away(f"a look at {name} was answered with {answer.status}: {answer.message()}")
        job = answer.json() if answer.status == 200 else {}
        if answer.status == 200 and not job.get("metadata"):
            raise Away(f"a look at {name} was answered with something that is no Job")
        jobs: list[Mapping[str, Any]] = (
            [job] if job and observation.attempt_id(job) == attempt_id else []
        )
        query = {
            "labelSelector": f"{selector(self._template.installation)},{ATTEMPT_ID}={attempt_id}"
        }
        pods: list[Mapping[str, Any]] = [
            pod for page in api.pages(api.path("pods"), query) for pod in page.get("items") or ()
        ]
        return jobs, pods

    def _nodes_now(self) -> tuple[Mapping[str, Any], ...] | None:
        """The nodes, asked for every half minute at most; None without the right to, or without an answer."""
        if not self._reads_nodes:
            return None
        now = self._now()
        if self._nodes is None or (now - self._nodes[0]).total_seconds() > NODES_KEPT_SECONDS:
            try:
                answer = self._api().request("GET", "/api/v1/nodes")
            except OSError:
                return None
            items = answer.json().get("items") if answer.status == 200 else None
            if items is None:
                return None
            self._nodes = now, tuple(items)
        return self._nodes[1]


def _uncertain(why: str) -> LaunchUncertain:
    return LaunchUncertain(why, diagnosis=diagnosis.no_answer(why).body())
