"""In-memory Kubernetes API with controllers, in a separate process.

Supports Jobs, Pods, Events, pod logs, Nodes and ResourceQuotas. `with FakeKubernetes() as fake:`
(client.py) starts it; `fake.kubeconfig` is a file for the official client (context `fake`,
namespace `mimir-aip`). The cluster's clock stands still until `fake.advance(seconds)`; with
`real_time=True` it runs. Due changes happen before the next request is answered, and a watch
reports them at once unless a fault is set.

Modules: store.py (objects, versions, history), api.py with routes, reads, writes, watch and
validation (the server), job_controller.py, kubelet.py with nodes, acts, scripts and troubles
(the life of pods), ledger.py (the containers that ran), faults.py (transport faults),
control.py and client.py (the test's side), server.py (sockets). Only server.py and client.py do
I/O: `Cluster` and `Api` work without a process. Object shapes and Event texts come from recordings
of a real 1.34 cluster.

    with FakeKubernetes() as fake:
        fake.script("worker-job-1-1", run_seconds=60, exit_code=3)       # scripts.PodScript
        fake.fault(Fault.DROP_AFTER_COMMIT, verb="create", count=1)      # faults.Rule
        ...                                            # the code under test uses fake.kubeconfig
        fake.advance(60)
        assert [run.exit_code for run in fake.ledger()] == [3]

Control routes use the API's Bearer token; FakeKubernetes has a typed method for each:

    POST   /fake/reset     {seed, now, history, latency_seconds, namespaces, nodes}: new cluster
    GET    /fake/clock     {now, next_due, resourceVersion}
    POST   /fake/clock     {seconds} or {to}: advance the clock
    POST   /fake/scripts   {job: name, pattern or "*", ...scripts.PodScript}: script new pods
    POST   /fake/acts      {name: Job or pod, act: scripts.Act, exit_code, message}; returns {done}
    POST   /fake/faults    {fault: faults.Fault, ...faults.Rule}; GET: rules with `fired`; DELETE
    POST   /fake/latency   {seconds}: real delay of each answer
    GET    /fake/ledger    ?running=1 &env=1: {now, runs: [ledger.Run]}
    GET    /fake/requests  requests in RBAC's verbs and resources; DELETE: clear
    POST   /fake/logs/<name>  append bytes to a log; ?keep=<bytes>: rotate; GET: the node's bytes
    POST   /fake/nodes     {name, what: add (labels, allocatable, taints) | lost | back | gone}
    POST   /fake/watches   {what: cut | end | gone | silence | bookmark, resource}; GET: kinds
    POST   /fake/compact   drop the history: 410 for older versions
    DELETE /fake/jobs/<name>  ?policy=Background|Foreground|Orphan: kubectl delete job
    GET    /fake/counts    {jobs, pods}
"""
