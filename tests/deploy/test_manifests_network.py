"""Services, disruption budgets and network policies of the shipped manifests."""

from jobs.clusters.launchers.manifest import COMPONENT
from mimir.lib.addresses import SPECIAL_IPV4
from tests.deploy.shipped import each_overlay
from tests.support.manifests import (
    Object,
    matches,
    of_kind,
    pods,
)


@each_overlay
def test_services_and_budgets_select_existing_pods_and_named_ports(
    overlay: str,
) -> None:
    templates = pods(overlay).values()
    for service in of_kind(overlay, "Service").values():
        [pod] = [
            pod
            for pod in templates
            if matches({"matchLabels": service["spec"]["selector"]}, pod["metadata"]["labels"])
        ]
        names = {
            port["name"] for each in pod["spec"]["containers"] for port in each.get("ports", [])
        }
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= names
    for budget in of_kind(overlay, "PodDisruptionBudget").values():
        assert budget["spec"]["maxUnavailable"] == 1
        assert (
            len(
                [
                    pod
                    for pod in templates
                    if matches(budget["spec"]["selector"], pod["metadata"]["labels"])
                ]
            )
            == 1
        )
    ports = {
        name: [(port["port"]) for port in each["spec"]["ports"]]
        for name, each in of_kind(overlay, "Service").items()
    }
    assert (ports["orchestrator"], ports["frontend"]) == ([8080], [80, 3000])


@each_overlay
def test_every_pod_is_denied_by_default_and_every_policy_selects_something(overlay: str) -> None:
    labels = [pod["metadata"]["labels"] for pod in pods(overlay).values()] + [
        {"app": "mimir-aip", "component": COMPONENT}
    ]
    policies = of_kind(overlay, "NetworkPolicy")
    deny = policies["default-deny"]["spec"]
    assert set(deny["policyTypes"]) == {"Ingress", "Egress"}
    assert "ingress" not in deny
    assert "egress" not in deny
    assert all(matches(deny["podSelector"], each) for each in labels)
    for name, policy in policies.items():
        assert any(matches(policy["spec"]["podSelector"], each) for each in labels), name
        for peer in _peers(policy):
            if "podSelector" in peer and "namespaceSelector" not in peer:
                assert any(matches(peer["podSelector"], each) for each in labels), name


def _peers(policy: Object) -> list[Object]:
    spec = policy["spec"]
    rules = [*spec.get("ingress", []), *spec.get("egress", [])]
    return [peer for rule in rules for peer in [*rule.get("from", []), *rule.get("to", [])]]


@each_overlay
def test_names_are_resolved_only_by_the_resolver_of_the_cluster(overlay: str) -> None:
    [rule] = of_kind(overlay, "NetworkPolicy")["dns"]["spec"]["egress"]
    [peer] = rule["to"]
    assert peer["namespaceSelector"] == {
        "matchLabels": {"kubernetes.io/metadata.name": "kube-system"}
    }
    assert peer["podSelector"] == {"matchLabels": {"k8s-app": "kube-dns"}}
    policies = of_kind(overlay, "NetworkPolicy")
    anywhere = {
        name
        for name, policy in policies.items()
        for each in policy["spec"].get("egress", [])
        if "to" not in each
    }
    assert anywhere <= {
        "bootstrap",
        "orchestrator",
        "orchestrator-stores",
        "orchestrator-bucket",
    }, "their addresses are yours to name"


@each_overlay
def test_a_worker_accepts_no_connection_and_reaches_neither_the_cluster_nor_cloud_metadata(
    overlay: str,
) -> None:
    policy = of_kind(overlay, "NetworkPolicy")["worker"]
    assert policy["spec"]["ingress"] == []
    excepted = {
        cidr for peer in _peers(policy) if "ipBlock" in peer for cidr in peer["ipBlock"]["except"]
    }
    assert excepted == set(SPECIAL_IPV4), "the table is the reference for `read` steps"
    named = [
        peer["podSelector"]["matchLabels"]["component"]
        for peer in _peers(policy)
        if "podSelector" in peer
    ]
    assert named == ["orchestrator"]
