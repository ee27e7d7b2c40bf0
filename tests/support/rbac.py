"""What the orchestrator may ask a cluster for: the Role has these verbs and no others, and its launcher uses all of them."""

ROLE_VERBS = {
    "jobs": {"create", "delete", "get", "list", "watch"},
    "pods": {"delete", "list", "watch"},
    "pods/log": {"get"},
    "events": {"list", "watch"},
}
NODE_VERBS = {"nodes": {"list"}}  # by the optional ClusterRole
BOOTSTRAP_VERBS = {"secrets": {"create", "get"}}
