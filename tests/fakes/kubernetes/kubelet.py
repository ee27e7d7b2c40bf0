"""Scheduler and kubelets: the scripted life of a pod from scheduling to its end.

A kubelet keeps separate state; the API sees it only while the node is connected.
"""

from collections.abc import Callable
from dataclasses import replace

from tests.fakes.kubernetes import acts, nodeloss
from tests.fakes.kubernetes.endings import ended_pod, sidecar_ended
from tests.fakes.kubernetes.events import Recorder
from tests.fakes.kubernetes.ledger import Ledger
from tests.fakes.kubernetes.nodes import Nodes
from tests.fakes.kubernetes.podstate import Ending, PodState
from tests.fakes.kubernetes.resources import (
    PODS,
    Object,
    is_deleting,
    is_terminal,
    key_of,
    with_meta,
    with_status,
)
from tests.fakes.kubernetes.scripts import Act, Scripts, Start
from tests.fakes.kubernetes.shapes import (
    addresses,
    container_status,
    scheduled_status,
    sidecar_status,
    started_conditions,
    unschedulable_status,
)
from tests.fakes.kubernetes.store import Store
from tests.fakes.kubernetes.troubles import Waiting, present, scheduling_refusal, waiting

BACK_OFF_SECONDS = 10.0
SIDECAR_STOP_SECONDS = 1.0  # from SIGTERM to the end of a sidecar
MAX_BACK_OFF_SECONDS = 300.0
BAD_COMMAND_MESSAGE = (
    "failed to create containerd task: failed to create shim task: OCI runtime create "
    "failed: runc create failed: unable to start "
    'container process: exec: "/app/bin/mimir-worker": stat /app/bin/mimir-worker: no '
    "such file or directory: unknown"
)


class Kubelets:
    """Scheduler and kubelets of all nodes."""

    def __init__(
        self, store: Store, recorder: Recorder, ledger: Ledger, scripts: Scripts, nodes: Nodes
    ) -> None:
        self.store, self.events, self.ledger = store, recorder, ledger
        self._scripts, self.nodes = scripts, nodes
        self.states: dict[str, PodState] = {}
        self.newest: dict[str, PodState] = {}  # by Job, pod or uid

    # the scheduler

    def schedule(self, pod: Object, job: str) -> None:
        script = self._scripts.of(job)
        state = PodState(key_of(pod), pod["metadata"]["uid"], job, script)
        for name in (state.uid, job, state.key[1]):
            self.newest[name] = state
        self.states[state.uid] = state
        self.store.clock.after(script.schedule_seconds, lambda: self._assign(state))

    def _assign(self, state: PodState) -> None:
        pod = self.pod(state)
        if pod is None or is_deleting(pod) or state.node:
            return
        clock, script = self.store.clock, state.script
        refusal = (
            (script.message or scheduling_refusal(script.start))
            if scheduling_refusal(script.start)
            else ""
        )
        node = "" if refusal else self.nodes.pick(script.node)
        if not node:
            refusal = refusal or "no nodes available to schedule pods"
            pod = self.store.update(
                PODS, {**pod, "status": unschedulable_status(pod["status"], clock.stamp(), refusal)}
            )
            self.events.scheduler(pod, PODS, "FailedScheduling", refusal, warning=True)
            return
        state.node, state.scheduled_at = node, clock.stamp()
        pod = {
            **pod,
            "spec": {**pod["spec"], "nodeName": node},
            "status": scheduled_status(pod["status"], state.scheduled_at),
        }
        pod = self.store.update(PODS, pod)
        where = f"{state.key[0]}/{state.key[1]}"
        self.events.scheduler(
            pod, PODS, "Scheduled", f"Successfully assigned {where} to {node}", action="Binding"
        )
        clock.after(0, lambda: self.create(state))

    # a kubelet: start

    def create(self, state: PodState) -> None:
        """Create the containers of a pod that its node has received."""
        pod = self.pod(state)
        if pod is None or is_deleting(pod) or not self.nodes.is_up(state.node):
            return
        trouble = waiting(state.script.start, pod["spec"]["containers"][0]["image"])
        if trouble:
            self._wait(state, trouble)
            return
        if state.script.start_seconds:
            self._wait(state, Waiting("ContainerCreating", "", (), sandbox=False))
        self.store.clock.after(state.script.start_seconds, lambda: self._start(state))

    def _wait(self, state: PodState, trouble: Waiting) -> None:
        pod = self.pod(state)
        if pod is None or is_deleting(pod) or state.run:
            return
        message = state.script.message or trouble.message
        reason = {"reason": trouble.reason, **({"message": message} if message else {})}
        container = pod["spec"]["containers"][0]["name"]
        pod = self.store.update(
            PODS,
            with_status(
                pod,
                observedGeneration=pod["metadata"]["generation"],
                conditions=started_conditions(
                    self._stamp(),
                    state.scheduled_at,
                    ready=False,
                    sandbox=trouble.sandbox,
                    container=container,
                ),
                startTime=state.scheduled_at,
                **addresses(sandbox=trouble.sandbox),
                containerStatuses=container_status(pod, {"waiting": reason}, bare=True),
            ),
        )
        if any(event == "Pulling" for event, _, _ in trouble.events):
            state.pulling_since = self.store.clock.now
        for event, words, warning in trouble.events:
            self.events.kubelet(
                pod, PODS, event, words, warning=warning, container=trouble.about_container
            )
        if trouble.then:
            self.store.clock.after(BACK_OFF_SECONDS, lambda: self._back_off(state, trouble))

    def _back_off(self, state: PodState, trouble: Waiting) -> None:
        """Wait between two image pulls, longer each time."""
        if trouble.then and waiting(state.script.start, "") and not state.ending:
            self._wait(state, trouble.then)
            state.tries += 1
            seconds = min(BACK_OFF_SECONDS * 2 ** (state.tries - 1), MAX_BACK_OFF_SECONDS)
            self.store.clock.after(seconds, lambda: self.create(state))

    def _start(self, state: PodState) -> None:
        pod = self.pod(state)
        if (
            pod is None
            or is_deleting(pod)
            or is_terminal(pod)
            or state.run
            or state.ending
            or not self.nodes.is_up(state.node)
        ):
            return
        clock, script = self.store.clock, state.script
        image = pod["spec"]["containers"][0]["image"]
        name = pod["spec"]["containers"][0]["name"]
        state.container_id = (self.store.new_uid() + self.store.new_uid()).replace("-", "")
        self.events.kubelet(pod, PODS, "Pulled", self._pulled(state, image))
        self.events.kubelet(pod, PODS, "Created", f"Created container: {name}")
        if script.start is Start.BAD_COMMAND:
            why = script.message or BAD_COMMAND_MESSAGE
            self.events.kubelet(pod, PODS, "Failed", f"Error: {why}", warning=True)
            self.end(state, Ending(128, "StartError", why))
            return
        state.run = self.ledger.start(pod, at=clock.now)
        self.events.kubelet(pod, PODS, "Started", f"Started container {name}")
        self._report_running(state, pod)
        if script.run_seconds is not None:
            clock.after(script.run_seconds, lambda: self._end_by_script(state))

    def _report_running(self, state: PodState, pod: Object) -> None:
        name = pod["spec"]["containers"][0]["name"]
        running = {"running": {"startedAt": self._stamp()}}
        sidecars = [sidecar_status(running)] if state.script.sidecar else []
        self.store.update(
            PODS,
            with_status(
                pod,
                observedGeneration=pod["metadata"]["generation"],
                phase="Running",
                conditions=started_conditions(
                    self._stamp(), state.scheduled_at, ready=True, sandbox=True, container=name
                ),
                startTime=state.scheduled_at,
                **addresses(sandbox=True),
                containerStatuses=[
                    *container_status(pod, running, container_id=state.container_id),
                    *sidecars,
                ],
            ),
        )

    def _pulled(self, state: PodState, image: str) -> str:
        if state.pulling_since is None:
            return present(image)
        took = f"{self.store.clock.now - state.pulling_since:.3f}s"
        return (
            f'Successfully pulled image "{image}" in {took} ({took} including waiting). Image '
            "size: 91101287 bytes."
        )

    # a kubelet: end

    def _end_by_script(self, state: PodState) -> None:
        self.act(
            state, state.script.end, exit_code=state.script.exit_code, message=state.script.message
        )

    def end(self, state: PodState, ending: Ending) -> None:
        """End the container now; the API sees it now or when the node reconnects."""
        if state.ending:
            return
        state.ending = ending
        if state.run:
            self.ledger.end(
                state.run, at=self.store.clock.now, exit_code=ending.exit_code, reason=ending.reason
            )
        finished_at = self._stamp()
        self._tell(state, lambda: self._report(state, ending, finished_at))

    def _tell(self, state: PodState, what: Callable[[], None]) -> None:
        if self.nodes.is_up(state.node):
            what()
        else:
            state.missed.append(what)

    def _report(self, state: PodState, ending: Ending, finished_at: str) -> None:
        pod = self.pod(state)
        if pod is None:
            return
        if not is_terminal(pod):
            ended = ended_pod(pod, state, ending, finished_at, self.store.clock)
            if (
                state.script.sidecar
                and state.run
                and not ending.pod_reason
                and not is_deleting(pod)
            ):
                state.sidecar_runs = True
                states = [
                    *ended["status"]["containerStatuses"],
                    sidecar_status({"running": {"startedAt": finished_at}}),
                ]
                ended = with_status(ended, phase="Running", containerStatuses=states)
            pod = self.store.update(PODS, ended)
        if is_deleting(pod):
            state.removed = True
            self.updated(pod)

    def _end_sidecar(self, state: PodState) -> None:
        """End the sidecar of a deleted pod, which ends the pod."""
        pod = self.pod(state)
        if pod is None or not state.sidecar_runs or state.ending is None:
            return
        state.sidecar_runs = False
        pod = self.store.update(PODS, sidecar_ended(pod, self._stamp()))
        state.removed = True
        self.updated(pod)

    # deletion

    def delete(
        self, pod: Object, *, grace_seconds: float | None = None, force: bool = False
    ) -> Object:
        """Request the deletion of a pod, as the DELETE verb does, and return the pod.

        A pod without a kubelet is deleted at once.
        """
        state = self.states[pod["metadata"]["uid"]]
        spec_grace = float(pod["spec"].get("terminationGracePeriodSeconds", 30))
        grace = 0.0 if force else spec_grace if grace_seconds is None else grace_seconds
        if not state.node or is_terminal(pod):
            grace, force = 0.0, True
        if is_deleting(pod) and (not force or state.removed):
            return pod
        clock = self.store.clock
        marked = with_meta(
            pod,
            deletionTimestamp=clock.stamp(clock.now + grace),
            deletionGracePeriodSeconds=int(grace),
            generation=pod["metadata"]["generation"] + 1,
        )
        pod = self.store.update(PODS, marked)
        if force:
            self._forced(state, pod)
        self.kill(state, grace)
        return self.store.get(PODS, state.key) or pod

    def _forced(self, state: PodState, pod: Object) -> None:
        """Delete the object without waiting for the kubelet; also used for a pod without a node."""
        if not state.node and not is_terminal(pod):
            state.ending = Ending(137)
            pod = self.store.update(PODS, with_status(pod, phase="Failed"))
        state.removed = True
        self.updated(pod)

    def kill(self, state: PodState, grace: float) -> None:
        """Stop the containers of a pod, with a grace period of `grace` seconds."""
        by = self.store.clock.now + grace
        if not self.nodes.is_up(state.node) or (state.kill_by is not None and by >= state.kill_by):
            return
        state.kill_by = by
        pod = self.pod(state)
        if state.sidecar_runs:
            self.store.clock.after(
                min(grace, SIDECAR_STOP_SECONDS), lambda: self._end_sidecar(state)
            )
            return
        if state.run is None or state.ending:
            if not state.ending:
                self.end(state, Ending(137, "ContainerStatusUnknown"))
            return
        if pod:
            self._observe(pod)
            self.events.kubelet(
                pod, PODS, "Killing", f"Stopping container {pod['spec']['containers'][0]['name']}"
            )
        stop = state.script.stop_seconds
        obeys = stop is not None and stop <= grace
        ending = (
            Ending(
                state.script.stop_exit_code, "Error" if state.script.stop_exit_code else "Completed"
            )
            if obeys
            else Ending(137)
        )
        self.store.clock.after(
            stop if obeys and stop is not None else grace, lambda: self.end(state, ending)
        )

    def _observe(self, pod: Object) -> None:
        """Set the observed generation of a pod to its newest."""
        generation = pod["metadata"]["generation"]
        conditions = [
            {**each, "observedGeneration": generation}
            for each in pod["status"].get("conditions", ())
        ]
        self.store.update(
            PODS, with_status(pod, observedGeneration=generation, conditions=conditions)
        )

    def updated(self, pod: Object) -> None:
        """Remove a deleted pod once it has stopped and has no finalizers."""
        state = self.states.get(pod["metadata"]["uid"])
        if state and state.removed and is_deleting(pod) and not pod["metadata"].get("finalizers"):
            self.store.remove(PODS, state.key)

    # what happens to pods

    def act(self, state: PodState, act: Act, *, exit_code: int = 0, message: str = "") -> bool:
        """Apply an act to a pod and return whether it still had an effect."""
        return acts.act(self, state, act, exit_code=exit_code, message=message)

    def resume(self, state: PodState) -> None:
        """Start the pod after the cause that blocked it was fixed."""
        state.script = replace(state.script, start=Start.RUNS, start_seconds=0.0)
        if state.node:
            self.create(state)
        else:
            self._assign(state)

    def pod(self, state: PodState) -> Object | None:
        """Return the object of a pod, or None if it was deleted or replaced by one of the same
        name.
        """
        pod = self.store.get(PODS, state.key)
        return pod if pod and pod["metadata"]["uid"] == state.uid else None

    def _stamp(self) -> str:
        return self.store.clock.stamp()

    # a disconnected node

    def node_lost(self, name: str, *, toleration_seconds: float = 300.0) -> None:
        """Disconnect a node; its containers continue. Its pods are deleted later."""
        nodeloss.lost(self, name, toleration_seconds)

    def node_back(self, name: str) -> None:
        """Reconnect a node."""
        nodeloss.back(self, name)

    def node_gone(self, name: str) -> None:
        """Delete the object of a node, and its pods."""
        nodeloss.gone(self, name)
