"""Settings of workers and of the clusters that run them."""

from dataclasses import dataclass

from mimir.env import parse
from mimir.env.setting import GIB, MIB, setting


@dataclass(frozen=True)
class Workers:
    """Settings of workers and of the clusters that run them."""

    orchestrator_url: str = setting(
        parse.url("http", "https"),
        "http://127.0.0.1:8080",
        "URL of the orchestrator, as workers reach it.",
    )
    worker_keys: tuple[str, ...] = setting(
        parse.worker_keys, None, "Signs workers' tokens. Two keys while they are rotated."
    )
    launcher: str = setting(
        parse.choice("kubernetes", "process", "memory"),
        "process",
        "Launcher of the default cluster.",
    )
    workers_dir: str = setting(
        parse.text, "/app/workers", "Process launcher: parent of the workers' folders."
    )
    allow_unisolated_workers: bool = setting(
        parse.switch, "false", "Allow the process launcher, which isolates nothing, in production."
    )
    kubeconfig_file: str = setting(
        parse.text, "", "Kubernetes launcher: kubeconfig with the contexts that clusters name."
    )
    worker_namespace: str = setting(
        parse.text, "", "Namespace of workers. Empty: the namespace of this process."
    )
    worker_image: str = setting(parse.text, "mimir-aip/worker:latest", "Image of workers.")
    worker_image_pull_policy: str = setting(
        parse.choice("IfNotPresent", "Always", "Never"),
        "IfNotPresent",
        "imagePullPolicy of workers.",
    )
    worker_image_pull_secrets: tuple[str, ...] = setting(
        parse.names, "", "Names of the Secrets to pull workers' images with."
    )
    worker_data_bytes: int = setting(
        parse.integer(64 * MIB),
        str(20 * GIB),
        "Size of /app/data, the scratch volume of one worker, in bytes.",
    )
    worker_priority_classes: str = setting(
        parse.json_object, "", "JSON: priority -> PriorityClass of workers."
    )
    worker_pod_annotations: str = setting(
        parse.annotations,
        "",
        'JSON: annotations of workers\' pods, such as {"sidecar.istio.io/inject": "false"}.',
    )
    model_cache: str = setting(
        parse.choice("", "empty_dir", "claim"),
        "",
        "Model cache of the default cluster. claim: model-cache-pvc. Empty: as stored for it.",
    )
    kube_qps: float = setting(
        parse.number(1, 10000),
        "200",
        "Average requests per second to the API server of one cluster.",
    )
    kube_burst: int = setting(
        parse.integer(1, 100000), "400", "Requests to one API server in a burst, above KUBE_QPS."
    )
    kube_timeout: float = setting(
        parse.number(1, 300), "15", "Seconds to wait for a response of an API server."
    )
    kube_nodes: bool = setting(
        parse.switch,
        "false",
        "Read nodes (needs a ClusterRole), to name node sizes in explanations.",
    )
    orphan_grace: int = setting(
        parse.integer(0, 86400), "60", "Seconds before an orphaned worker object is removed."
    )
    node_grace: int = setting(
        parse.integer(0, 86400),
        "120",
        "Seconds after its deletion that a pod on a lost node counts as running.",
    )
    worker_redis_url: str = setting(
        parse.text,
        "",
        "URL of a Redis for user code, passed to it as REDIS_URL. Never Mimir's own.",
    )
    read_url_allow: tuple[str, ...] = setting(
        parse.names, "", "Private hosts or CIDRs that a read step may fetch from."
    )
