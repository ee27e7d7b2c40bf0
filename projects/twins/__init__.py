"""Digital twins: definition, entities, edits, updates and revisions.

Every change is a revision, written by `revision` under the twin's row lock.
"""
