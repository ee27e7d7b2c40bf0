"""Digital twins: definition, entities, edits, updates and revisions.

Every change is a revision, written by `revision` under the twin's row lock. `definitions`, `edits`
and `updates` write; `read`, `entities`, `states`, `sources` and `document` are queries;
`entity_shapes`, `shapes` and `rendering` are the bodies of the API. The rules of a definition are
in `mimir.lib.schemas.twin`. Jobs import `updates` and `document`.
"""
