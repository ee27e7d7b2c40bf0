"""Every setting of every process, read once from the environment.

A name is looked up in this order: `NAME`, then the file named by `NAME_FILE` (for secrets), then the YAML file named by `MIMIR_CONFIG`
(default `/app/config/config.yaml`, key in lower case), then the default. All faults are found before the start is refused, in one
message that names each setting and never prints its value.
"""

import ipaddress
import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

Role = Literal["orchestrator", "frontend"]

_MIB, _GIB = 1024**2, 1024**3


class BadEnvironment(Exception):
    """The environment does not allow a start. `faults` holds one sentence for each wrong setting."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__(
            "The settings do not allow a start:\n" + "\n".join(f"  - {fault}" for fault in faults)
        )


class _Fault(Exception):
    pass


def _text(value: str) -> str:
    return value


def _choice(*allowed: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in allowed:
            raise _Fault(f"has to be one of {', '.join(allowed)}")
        return value

    return parse


def _integer(low: int, high: int = 2**53) -> Callable[[str], int]:
    def parse(value: str) -> int:
        try:
            number = int(value)
        except ValueError:
            raise _Fault("has to be a whole number") from None
        if not low <= number <= high:
            raise _Fault(f"has to be from {low} to {high}")
        return number

    return parse


def _number(low: float, high: float) -> Callable[[str], float]:
    def parse(value: str) -> float:
        try:
            number = float(value)
        except ValueError:
            raise _Fault("has to be a number") from None
        if not low <= number <= high:
            raise _Fault(f"has to be from {low} to {high}")
        return number

    return parse


def _switch(value: str) -> bool:
    if value.lower() in ("1", "true", "yes", "on"):
        return True
    if value.lower() in ("", "0", "false", "no", "off"):
        return False
    raise _Fault("has to be true or false")


def _url(*schemes: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        try:
            parts = urlsplit(value)
            _ = parts.port
        except ValueError:
            raise _Fault("has to be a URL") from None
        if parts.scheme not in schemes:
            raise _Fault(
                f"has to be a URL that begins with {' or '.join(s + '://' for s in schemes)}"
            )
        if parts.scheme in ("http", "https") and not parts.hostname:
            raise _Fault("has to name a host")
        return value.rstrip("/") if parts.scheme in ("http", "https") else value

    return parse


_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9!_.*'()/-]{0,200}")


def _store(value: str) -> str:
    """A folder as file://, or a bucket and perhaps a prefix of its keys as s3://. Credentials never stand in it."""
    _url("file", "s3")(value)
    parts = urlsplit(value)
    if parts.scheme == "s3":
        if not _BUCKET.fullmatch(parts.netloc):
            raise _Fault("has to name a bucket: s3://bucket or s3://bucket/prefix")
        if not _PREFIX.fullmatch(parts.path) or parts.query or parts.fragment:
            raise _Fault("has a prefix with characters that keys should not have")
    return value


def _endpoint(value: str) -> str:
    return value and _url("http", "https")(value)


def _secret(value: str) -> str:
    if len(value) < 32:
        raise _Fault("has to have at least 32 characters")
    return value


def _worker_keys(value: str) -> tuple[str, ...]:
    keys = tuple(part.strip() for part in value.split(",") if part.strip())
    if not 1 <= len(keys) <= 2:
        raise _Fault(
            "has to be one key, or two with a comma between them while they are rotated (the first one signs)"
        )
    if any(len(key) < 32 for key in keys):
        raise _Fault("each key has to have at least 32 characters")
    return keys


def _keys(value: str) -> tuple[str, ...]:
    """Like WORKER_KEYS, or none: the processes that need no such key start without it."""
    return _worker_keys(value) if value.strip() else ()


_PLAIN = ("public_url", "database", "redis", "artifacts")  # names of ACCEPT_PLAIN


def _accepted(value: str) -> tuple[str, ...]:
    names = tuple(part.strip().lower() for part in value.split(",") if part.strip())
    if set(names) - set(_PLAIN):
        raise _Fault(f"has to be a comma list of {', '.join(_PLAIN)}")
    return names


def _token(value: str) -> str:
    if value and (
        len(value) < 16 or not value.isascii() or not value.isprintable() or " " in value
    ):
        raise _Fault("has to have at least 16 printable ASCII characters without spaces")
    return value


def _cidrs(value: str) -> tuple[str, ...]:
    parts = tuple(part.strip() for part in value.split(",") if part.strip())
    for part in parts:
        try:
            ipaddress.ip_network(part, strict=False)
        except ValueError:
            raise _Fault("has to be a comma list of addresses or CIDR blocks") from None
    return parts


def _json_object(value: str) -> str:
    """JSON text of one object, or nothing. What is in it is checked by the room that uses it, at the start too."""
    try:
        usable = not value or isinstance(json.loads(value), dict)
    except ValueError:
        usable = False
    if not usable:
        raise _Fault("has to be a JSON object, or empty")
    return value


def _annotations(value: str) -> str:
    """JSON text of one object of annotations, or nothing."""
    _json_object(value)
    for name, text in json.loads(value or "{}").items():
        if not isinstance(text, str):
            raise _Fault(f'must have text as the value of "{name}": write "false", not false')
        if not _ANNOTATION.fullmatch(name):
            raise _Fault(f'has a name that Kubernetes does not allow for an annotation: "{name}"')
    return value


_ANNOTATION = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
)


def _words(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _setting(
    parse: Callable[[str], Any],
    default: str | None,
    doc: str,
    *,
    roles: tuple[Role, ...] = ("orchestrator",),
) -> Any:
    """A field of `Env`: how its text is read, its default text (None: must be given), what it is for, which roles read it."""
    return field(metadata={"parse": parse, "default": default, "doc": doc, "roles": roles})


_BOTH: tuple[Role, ...] = ("orchestrator", "frontend")


@dataclass(frozen=True, slots=True)
class Env:
    """The settings. Fields of a role that is not ours hold their default, or an empty value."""

    environment: str = _setting(
        _choice("development", "staging", "production"),
        "development",
        "changes values, never code paths",
        roles=_BOTH,
    )
    log_level: str = _setting(
        _choice("debug", "info", "warn", "error"), "info", "least level that is logged", roles=_BOTH
    )
    secret_key: str = _setting(
        _secret, None, "signs cookies; the orchestrator's and the frontend's differ", roles=_BOTH
    )
    public_url: str = _setting(
        _url("http", "https"),
        "http://localhost:3000",
        "where people reach the pages: hosts, CSRF, Origin",
        roles=_BOTH,
    )
    trusted_proxies: tuple[str, ...] = _setting(
        _cidrs,
        "",
        "CIDRs of the load balancers before the frontend, whose X-Forwarded-* it believes",
        roles=("frontend",),
    )
    accept_plain: tuple[str, ...] = _setting(
        _accepted, "", f"what production may do without TLS: of {', '.join(_PLAIN)}", roles=_BOTH
    )
    https_redirect: bool = _setting(
        _switch,
        "true",
        "redirect http to https where PUBLIC_URL is https; false: what ends TLS sends no X-Forwarded-Proto",
        roles=("frontend",),
    )
    frontend_keys: tuple[str, ...] = _setting(
        _keys,
        "",
        "the frontend proves itself to the orchestrator with it; the same for both, two while rotating",
        roles=_BOTH,
    )
    direct_sources: tuple[str, ...] = _setting(
        _cidrs, "", "CIDRs that may sign in and use the admin at the orchestrator's own port"
    )
    metrics_token: str = _setting(
        _token,
        "",
        "who scrapes /metrics sends it as Authorization: Bearer; empty: nobody by a token",
    )
    metrics_sources: tuple[str, ...] = _setting(
        _cidrs, "", "CIDRs that may scrape /metrics without a token"
    )
    api_url: str = _setting(
        _url("http", "https"),
        "http://127.0.0.1:8080",
        "the orchestrator, as the frontend reaches it",
        roles=("frontend",),
    )
    pod_ip: str = _setting(
        _text, "", "our own address, allowed as Host: what scrapes a pod asks it by its address"
    )
    static_root: str = _setting(
        _text,
        "",
        "folder of collected static files, as images have one; empty: found where they are",
        roles=_BOTH,
    )
    max_upload_bytes: int = _setting(
        _integer(1), str(_GIB), "one upload; above it 413", roles=_BOTH
    )

    database_url: str = _setting(_url("postgresql", "postgres"), None, "PostgreSQL, the truth")
    redis_url: str = _setting(
        _url("redis", "rediss", "unix"), None, "Redis or Valkey, transport only"
    )
    beat_file: str = _setting(
        _text,
        "",
        "a loop touches it when its heartbeat row is written: what a liveness probe reads; empty: none",
    )
    channel_layer: str = _setting(
        _text, "jobs.core.layer.SealedPubSubChannelLayer", "the class that carries live hints"
    )
    orchestrator_url: str = _setting(
        _url("http", "https"), "http://127.0.0.1:8080", "this orchestrator, as workers reach it"
    )
    worker_keys: tuple[str, ...] = _setting(
        _worker_keys, None, "signs workers' tokens; two while rotating"
    )
    artifacts_url: str = _setting(
        _store,
        "file:///app/artifacts",
        "where artifacts and sealed logs are kept: a folder, or s3://bucket/prefix",
    )
    artifacts_s3_endpoint: str = _setting(
        _endpoint, "", "the server of the bucket, where it is not Amazon's"
    )
    artifacts_s3_region: str = _setting(
        _text, "", "region of the bucket; empty: as AWS_REGION says, or the server's default"
    )
    artifacts_s3_addressing: str = _setting(
        _choice("auto", "path", "virtual"), "auto", "bucket in the path or in the host's name"
    )
    spool_dir: str = _setting(
        _text,
        "",
        "folder for uploads on their way; empty: the system's temporary folder",
        roles=_BOTH,
    )
    upload_spool_bytes: int = _setting(
        _integer(0),
        "0",
        "bytes of uploads in SPOOL_DIR at once; 0: twice MAX_UPLOAD_BYTES",
        roles=_BOTH,
    )
    connections_per_client: int = _setting(
        _integer(16, 10**6),
        "2048",
        "open connections of one address; TRUSTED_PROXIES have no limit",
        roles=_BOTH,
    )
    requests_per_client: int = _setting(
        _integer(4, 10**6), "256", "requests of one client at once; above it 429", roles=_BOTH
    )
    sockets_per_client: int = _setting(
        _integer(4, 10**6), "1024", "live sockets of one client at once", roles=("frontend",)
    )
    launcher: str = _setting(
        _choice("kubernetes", "process", "memory"),
        "process",
        "what the default cluster launches workers with",
    )
    workers_dir: str = _setting(
        _text, "/app/workers", "process launcher: one folder for each worker"
    )
    allow_unisolated_workers: bool = _setting(
        _switch, "false", "process launcher in production: it isolates nothing"
    )
    kubeconfig_file: str = _setting(
        _text, "", "kubernetes launcher: a kubeconfig for clusters that name a context of it"
    )
    worker_namespace: str = _setting(
        _text, "", "namespace of workers; empty: the one this process runs in"
    )
    worker_image: str = _setting(_text, "mimir-aip/worker:latest", "image of workers")
    worker_image_pull_policy: str = _setting(
        _choice("IfNotPresent", "Always", "Never"), "IfNotPresent", "imagePullPolicy of workers"
    )
    worker_image_pull_secrets: tuple[str, ...] = _setting(
        _words, "", "names of Secrets that workers' images are pulled with"
    )
    worker_data_bytes: int = _setting(
        _integer(64 * _MIB), str(20 * _GIB), "scratch of one worker, /app/data"
    )
    worker_priority_classes: str = _setting(
        _json_object, "", "JSON: priority -> PriorityClass of its workers"
    )
    worker_pod_annotations: str = _setting(
        _annotations,
        "",
        'JSON: annotations of workers\' pods, such as {"sidecar.istio.io/inject": "false", "linkerd.io/inject": "disabled"}',
    )
    model_cache: str = _setting(
        _choice("", "empty_dir", "claim"),
        "",
        "the default cluster's model cache; claim: model-cache-pvc; empty: by its row",
    )
    kube_qps: float = _setting(
        _number(1, 10000), "200", "requests a second to one cluster's API server, on average"
    )
    kube_burst: int = _setting(
        _integer(1, 100000), "400", "requests at once before kube_qps holds them back"
    )
    kube_timeout: float = _setting(_number(1, 300), "15", "seconds for an answer of an API server")
    kube_nodes: bool = _setting(
        _switch,
        "false",
        "whether we may read nodes (a ClusterRole): explanations then name node sizes",
    )
    orphan_grace: int = _setting(
        _integer(0, 86400), "60", "seconds before a worker object that no attempt owns is removed"
    )
    node_grace: int = _setting(
        _integer(0, 86400),
        "120",
        "seconds past its deletion that a pod on a lost node counts as running",
    )
    worker_redis_url: str = _setting(
        _text, "", "a Redis for user code, passed on as REDIS_URL; never ours"
    )
    read_url_allow: tuple[str, ...] = _setting(
        _words, "", "private hosts or CIDRs that a read step may fetch from"
    )

    job_timeout: int = _setting(
        _integer(1, 30 * 86400),
        "3600",
        "seconds of an attempt, from claim, unless the job says otherwise",
    )
    launch_timeout: int = _setting(_integer(1, 86400), "300", "seconds from admission to claim")
    cancel_grace: int = _setting(
        _integer(0, 3600), "10", "seconds a worker has to stop after a cancel, before it is ended"
    )
    worker_grace: int = _setting(
        _integer(0, 86400), "600", "seconds a worker tries to deliver its end"
    )
    launch_concurrency: int = _setting(_integer(1, 256), "16", "launches in flight on each cluster")
    infrastructure_retries: int = _setting(
        _integer(0, 100),
        "5",
        "tries that the user's attempts do not count; one that waited for room is none",
    )
    retry_back_off: float = _setting(
        _number(0, 3600), "2", "seconds before the first retry, doubling"
    )
    retry_back_off_max: float = _setting(_number(0, 86400), "300", "seconds at most before a retry")
    ageing_seconds: int = _setting(
        _integer(1, 86400 * 7), "600", "waiting this long lifts a job one class"
    )
    reserve_after_seconds: int = _setting(
        _integer(1, 86400), "180", "a job too large waits this long, then room is kept for it"
    )
    sweep_seconds: float = _setting(
        _number(0.05, 60), "2", "how often admission and the sweep run without being woken"
    )
    reconcile_seconds: float = _setting(
        _number(0.05, 60), "1", "how often the reconciler looks without being woken"
    )
    lease_seconds: float = _setting(_number(0.5, 60), "2", "lease of the leading reconciler")

    capacity_jobs: int = _setting(
        _integer(0), "0", "jobs the default cluster runs at once; 0: by its cores"
    )
    capacity_gpus: int = _setting(_integer(0), "0", "GPUs of the default cluster")
    capacity_cpu_millicores: int = _setting(
        _integer(0), "0", "0: what the machine has, or as much as capacity_jobs need"
    )
    capacity_memory_bytes: int = _setting(
        _integer(0), "0", "0: what the machine has, or as much as capacity_jobs need"
    )
    resource_profiles: str = _setting(
        _json_object, "", "JSON: job type -> {requests, limits}; empty: the built-in profiles"
    )

    log_bytes_max: int = _setting(_integer(1), str(2 * _GIB), "log of one attempt")
    spool_bytes_max: int = _setting(
        _integer(_MIB), str(256 * _MIB), "log a worker keeps while the orchestrator is away"
    )
    artifact_bytes_max: int = _setting(_integer(1), str(10 * _GIB), "all artifacts of one attempt")
    artifact_count_max: int = _setting(_integer(1), "1000", "artifacts of one attempt")
    model_cache_bytes_max: int = _setting(
        _integer(0),
        str(10 * _GIB),
        "models of one project that a machine of workers keeps between jobs",
    )
    event_bytes_max: int = _setting(_integer(256), str(16 * 1024), "data of one event")
    event_count_max: int = _setting(_integer(1), "100000", "events of one attempt")
    result_bytes_max: int = _setting(_integer(256), str(64 * 1024), "result of one job")
    definition_bytes_max: int = _setting(
        _integer(256), str(256 * 1024), "one definition, or the parameters of one job"
    )
    twin_entities_max: int = _setting(_integer(1), "200000", "entities of one twin")
    twin_changes_bytes_max: int = _setting(
        _integer(1024), str(64 * 1024**2), "what one update may report of a twin"
    )
    projects_per_user: int = _setting(
        _integer(0), "100", "projects one user may create, administrators excepted; 0: no limit"
    )
    project_bytes_max: int = _setting(
        _integer(0),
        str(200 * _GIB),
        "bytes a project may store, unless its row says otherwise; 0: no limit",
    )
    queued_jobs_per_project: int = _setting(
        _integer(1), "10000", "waiting jobs of one project; above it 429"
    )
    session_hours: int = _setting(_integer(1, 24 * 365), "12", "a sign-in lasts this long")
    admin_session_hours: float = _setting(
        _number(0.1, 24 * 14), "8", "a sign-in to the admin lasts this long"
    )
    retention_events_days: int = _setting(
        _integer(0), "0", "events and usage of ended jobs are kept this long; 0: for ever"
    )
    retention_jobs_days: int = _setting(
        _integer(0), "0", "ended jobs with logs and artifacts are kept this long; 0: for ever"
    )


def demand_frontend_keys(env: Env) -> None:
    """Called by the two processes that serve people; commands, loops and image builds start without. Raises: BadEnvironment."""
    if not env.frontend_keys:
        raise BadEnvironment(
            [
                "FRONTEND_KEYS is not set: with the same value for both, the frontend proves to the orchestrator that a request comes from it"
            ]
        )


def load(role: Role, source: Mapping[str, str] | None = None) -> Env:
    """The settings for `role` from `source` (default: this process's environment).

    Raises: BadEnvironment with every fault found.
    """
    environ = os.environ if source is None else source
    faults: list[str] = []
    config = _config_file(environ, faults)
    values: dict[str, Any] = {}
    for setting in fields(Env):
        meta = setting.metadata
        values[setting.name] = _value(
            setting.name, meta, environ, config, faults, needed=role in meta["roles"]
        )
    faults.extend(_together(role, values, environ))
    if faults:
        raise BadEnvironment(faults)
    return Env(**values)


def _config_file(environ: Mapping[str, str], faults: list[str]) -> dict[str, str]:
    """The YAML file's keys and values as text; no file at the default path is fine, a named one has to be there."""
    named = environ.get("MIMIR_CONFIG")
    path = Path(named or "/app/config/config.yaml")
    if not named and not path.exists():
        return {}
    import yaml  # only where a file is used: the frontend starts without it

    try:
        loaded = yaml.safe_load(path.read_text()) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        faults.append(f"MIMIR_CONFIG: the file {path} cannot be read ({type(error).__name__})")
        return {}
    if not isinstance(loaded, dict):
        faults.append(f"MIMIR_CONFIG: the file {path} has to hold keys with values")
        return {}
    known = {setting.name for setting in fields(Env)}
    faults.extend(
        f"MIMIR_CONFIG: the file {path} has an unknown key {key}"
        for key in loaded
        if str(key) not in known
    )
    return {str(key): _yaml_text(value) for key, value in loaded.items() if value is not None}


def _yaml_text(value: object) -> str:
    if isinstance(value, list):
        return ",".join(str(part) for part in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _value(
    name: str,
    meta: Mapping[str, Any],
    environ: Mapping[str, str],
    config: Mapping[str, str],
    faults: list[str],
    *,
    needed: bool,
) -> Any:
    upper = name.upper()
    try:
        text = _given(upper, environ, config.get(name)) if needed else None
        if text is None:
            text = meta["default"]
        if text is not None:
            return meta["parse"](text)
        if needed:
            faults.append(f"{upper} is not set: {meta['doc']}")
    except _Fault as fault:
        faults.append(f"{upper}{fault}" if str(fault).startswith("_FILE") else f"{upper} {fault}")
    return () if meta["parse"] in (_worker_keys, _keys, _cidrs, _words, _accepted) else ""


def _given(upper: str, environ: Mapping[str, str], configured: str | None) -> str | None:
    """A setting's text from the first place that has it. Raises: _Fault for a file that cannot be read."""
    text = environ.get(upper)
    path = environ.get(f"{upper}_FILE")
    if text is not None or not path:
        return configured if text is None else text
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise _Fault(f"_FILE: the file cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise _Fault("_FILE: the file is not text") from None


def _together(role: Role, values: Mapping[str, Any], environ: Mapping[str, str]) -> list[str]:
    """Faults of settings that do not fit one another."""
    faults = []
    production = values["environment"] == "production"
    if production and environ.get("MIMIR_CRASH_POINTS"):
        faults.append("MIMIR_CRASH_POINTS is for tests: ENVIRONMENT=production refuses it")
    if (
        role == "orchestrator"
        and production
        and values["launcher"] == "process"
        and not values["allow_unisolated_workers"]
    ):
        faults.append(
            "LAUNCHER=process isolates nothing: in production set ALLOW_UNISOLATED_WORKERS=true if that is what you want"
        )
    if role == "orchestrator" and values["launcher"] == "process" and sys.platform != "linux":
        faults.append(
            "LAUNCHER=process needs Linux: it follows a worker's processes by /proc. Use a Linux virtual machine or WSL2"
        )
    if (
        role == "orchestrator"
        and values["artifacts_s3_endpoint"]
        and not values["artifacts_url"].startswith("s3:")
    ):
        faults.append(
            "ARTIFACTS_S3_ENDPOINT is set and ARTIFACTS_URL names no bucket: make it s3://bucket/prefix"
        )
    if _is_below(values["upload_spool_bytes"], values["max_upload_bytes"]):
        faults.append(
            "UPLOAD_SPOOL_BYTES must be 0 or at least MAX_UPLOAD_BYTES: one upload would never fit"
        )
    if role == "orchestrator" and production and values["launcher"] == "memory":
        faults.append("LAUNCHER=memory runs nothing: it is for tests")
    if production:
        faults.extend(_plain_faults(role, values))
    return faults


_VERIFIED = ("verify-ca", "verify-full")


def _plain_faults(role: Role, values: Mapping[str, Any]) -> list[str]:
    """What would go over a network unencrypted, or to whoever answers, and is not named in ACCEPT_PLAIN."""
    found = {}
    if values["public_url"].startswith("http:"):
        found["public_url"] = (
            "PUBLIC_URL is http://: passwords and cookies would go unencrypted. Make it https://, with something that ends TLS"
        )
    if role == "orchestrator":
        if values["redis_url"].startswith("redis:"):
            found["redis"] = "REDIS_URL is redis://: make it rediss://"
        if values["database_url"] and not _is_verified(values["database_url"]):
            found["database"] = (
                "DATABASE_URL has no sslmode=verify-full or verify-ca: anybody could answer as the database. Add ?sslmode=verify-full"
            )
        if values["artifacts_s3_endpoint"].startswith("http:"):
            found["artifacts"] = "ARTIFACTS_S3_ENDPOINT is http://: make it https://"
    accepted = values["accept_plain"]
    return [
        f"{text}, or accept it: ACCEPT_PLAIN={name}"
        for name, text in found.items()
        if name not in accepted
    ]


def _is_verified(url: str) -> bool:
    """Whether a PostgreSQL URL demands a verified server, or reaches it by a socket of this machine."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    host = options.get("host", parts.hostname or "")
    return host.startswith("/") or options.get("sslmode", "") in _VERIFIED


def _is_below(given: Any, needed: Any) -> bool:
    """Whether a number was given and is below the one it must reach; a faulty setting is reported elsewhere."""
    return isinstance(given, int) and isinstance(needed, int) and 0 < given < needed
