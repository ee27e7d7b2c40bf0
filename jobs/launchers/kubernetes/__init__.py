"""Workers as Jobs of a Kubernetes cluster. `launcher` keeps the promises of `base.Launcher`, `api` speaks HTTP, `mirror` follows the cluster."""
