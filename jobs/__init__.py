"""Jobs: their life, their workers, their logs and events, and the APIs over them.

Law: the truth is the rows; `states.py` says which moves exist, `services.transition` makes them, nothing else writes a status.
Layers inside, top to bottom: `management | worker`, `api | consumers | dispatcher | reconciler`, `services`,
`selectors | outcomes | feed | queue | launchers`, `models`, `admission | states | resources`, `contract`.
"""
