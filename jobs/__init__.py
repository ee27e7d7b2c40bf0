"""Jobs: their life, workers, logs and events, and the APIs over them.

One package per part of a job's life, in layers; a package imports only packages below it:

    api, live, management   REST and worker API, WebSockets, commands
    queries, dispatch       read models for API and pages; the admit-and-launch process
    reconcile               compare rows with clusters and move attempts
    lifecycle               submit, claim, report, finish, cancel, retry, retention
    admission               which queued job starts next and where; why a job waits
    clusters                clusters and their launchers
    logs, types, diagnosis, liveness
    core                    states, transitions, resources, hints, live feed
    models, contract        rows; the sets and limits shared with the worker

`core.states` lists the allowed status changes, `core.transition` makes them; no other module
writes a status. `worker` imports `contract` and `mimir.lib` only.
"""
