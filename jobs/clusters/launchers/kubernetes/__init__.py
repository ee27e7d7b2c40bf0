"""Workers as Kubernetes Jobs.

`launcher` implements `base.Launcher`, `client` speaks HTTP, `mirror` lists and watches,
`observation` turns objects into observations, `tail` reads the end of a container's log.
"""
