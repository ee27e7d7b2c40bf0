"""Job types: one package per type, with all of the orchestrator's knowledge about it.

    <type>/spec.py     `SPEC`: name, texts, parameter schema, resources, priority (pure)
    <type>/inputs.py   `resolve`: the versions a job reads, fixed at submit
    <type>/outcome.py  `prepare` and `apply`: the effect of a successful job on its project

`registry` finds the packages; a new type needs no entry in a list. The worker's part of a
type is `jobs/worker/<type>/run.py`. Other code that needs a fact about a type reads it from the
spec. Imported by every package above it; imports `core`, `models`, `contract`, `projects`.
"""
