"""A Kubernetes API in memory, in a process of its own: Jobs, Pods, Events, pod logs, Nodes, ResourceQuotas, with their controllers.

`with FakeKubernetes() as fake:` (client.py) starts it; `fake.kubeconfig` is a file for the official client (context `fake`, namespace `mimir-aip`).
Time is the cluster's own and stands still until `fake.advance(seconds)`; with `real_time=True` it goes by itself. What is due at once has happened
before the next request is answered, and a watch says at once what happened, unless a fault was ordered.

What it is made of: store.py (objects, versions, history), api.py with routes, reads, writes, watch, validation (the server), job_controller.py,
kubelet.py with nodes, acts, scripts, troubles (what becomes of pods), ledger.py (what really ran), faults.py (what goes wrong on the way),
control.py and client.py (the test's side), server.py (sockets). Everything but server.py and client.py is without I/O: `Cluster` and `Api` can be
used without a process too. The shapes of objects and the words of Events come from recordings of a real 1.34 cluster.

    with FakeKubernetes() as fake:
        fake.script("worker-job-1-1", run_seconds=60, exit_code=3)       # scripts.PodScript
        fake.fault(Fault.DROP_AFTER_COMMIT, verb="create", count=1)      # faults.Rule
        ...                                                              # the code under test, by fake.kubeconfig
        fake.advance(60)
        assert [run.exit_code for run in fake.ledger()] == [3]

Control routes, with the same Bearer token as the API; each has a typed method on FakeKubernetes:

    POST   /fake/reset     {seed, now, history, latency_seconds, namespaces, nodes}: a new, empty cluster; open watches break
    GET    /fake/clock     {now, next_due, resourceVersion}
    POST   /fake/clock     {seconds} or {to}: let time pass
    POST   /fake/scripts   {job: name, pattern or "*", ...fields of scripts.PodScript}: how pods that come are to fare
    POST   /fake/acts      {name: of a Job or pod, act: scripts.Act, exit_code, message}: something happens to a pod; {done: whether it still could}
    POST   /fake/faults    {fault: faults.Fault, ...fields of faults.Rule}; GET: all rules with `fired`; DELETE: none any more
    POST   /fake/latency   {seconds}: real, before each answer of the API
    GET    /fake/ledger    ?running=1 &env=1: {now, runs: [ledger.Run]}
    GET    /fake/requests  what the API was asked, verbs and resources as RBAC names them; DELETE: forget them
    POST   /fake/logs/<name>  bytes to append to a container's log; ?keep=<bytes>: rotated to its end; GET: the bytes its node has
    POST   /fake/nodes     {name, what: add (labels, allocatable, taints) | lost (toleration_seconds) | back | gone}
    POST   /fake/watches   {what: cut | end | gone | silence | bookmark, resource: plural or ""}; GET: the kinds that are watched
    POST   /fake/compact   forget the history: 410 for what goes on from before
    DELETE /fake/jobs/<name>  ?policy=Background|Foreground|Orphan: somebody's kubectl delete job
    GET    /fake/counts    {jobs, pods}
"""
