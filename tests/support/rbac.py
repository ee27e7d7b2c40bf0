"""RBAC of the orchestrator: the Role has exactly the verbs that its launcher uses."""

ROLE_VERBS = {
    "jobs": {"create", "delete", "get", "list", "watch"},
    "pods": {"delete", "list", "watch"},
    "pods/log": {"get"},
    "events": {"list", "watch"},
}
NODE_VERBS = {"nodes": {"list"}}  # by the optional ClusterRole
BOOTSTRAP_VERBS = {"secrets": {"create", "get"}}
