"""Validation of Jobs: 400 for undecodable, 422 for invalid ones, with the server's messages."""

import re
from collections.abc import Iterable

from tests.fakes.kubernetes.http import Refused
from tests.fakes.kubernetes.quotas import amount
from tests.fakes.kubernetes.resources import Object
from tests.fakes.kubernetes.schema import Problems, job_check

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_WORD = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_ENV = re.compile(r"[ -<>-~]+")
_SUBDOMAIN_MESSAGE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric "
    "character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_MESSAGE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with an alphanumeric character "
    "(e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_VALUE_MESSAGE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
    "'.', and must start and end with an alphanumeric "
    "character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_KEY_MESSAGE = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'MyName',  or "
    "'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_COUNTS = (
    "parallelism",
    "completions",
    "backoffLimit",
    "activeDeadlineSeconds",
    "ttlSecondsAfterFinished",
)
_FIXED = (
    "completions",
    "selector",
    "template",
    "completionMode",
    "podFailurePolicy",
    "podReplacementPolicy",
    "backoffLimitPerIndex",
    "managedBy",
)
ANNOTATION_BYTES = 256 * 2**10


def check_job(job: Object, field_validation: str) -> tuple[Object, list[str]]:
    """Return the Job without unknown fields, and warnings about these. Raises: Refused."""
    if (job.get("apiVersion", "batch/v1"), job.get("kind", "Job")) != ("batch/v1", "Job"):
        kind_text = f"{job.get('apiVersion')}, Kind={job.get('kind')}"
        raise Refused(
            400,
            "BadRequest",
            f"the API version in the data ({kind_text}) does not match the expected API version "
            "(batch/v1, Kind=Job)",
        )
    problems = Problems()
    job = job_check()(job, "", problems)
    if problems.undecodable:
        raise Refused(
            400,
            "BadRequest",
            f'Job in version "v1" cannot be handled as a Job: {problems.undecodable}',
        )
    warnings = [f'unknown field "{path}"' for path in problems.unknown]
    if warnings and field_validation == "Strict":
        raise Refused(
            400,
            "BadRequest",
            'Job in version "v1" cannot be handled as a Job: strict decoding error: '
            f"{', '.join(warnings)}",
        )
    _check_meta(job.get("metadata") or {}, "metadata", problems)
    if not (job.get("spec") or {}).get("template"):
        problems.missing("spec.template")
    else:
        _check_spec(job, job["spec"], problems)
    _refuse((job.get("metadata") or {}).get("name", ""), problems)
    return job, warnings if field_validation == "Warn" else []


def check_job_update(old: Object, new: Object) -> None:
    """Check an update of a Job. Raises: Refused, for immutable fields."""
    problems = Problems()
    spec = new.get("spec") or {}
    for name in _FIXED:
        if spec.get(name) != old["spec"].get(name):
            problems.wrong(f"spec.{name}", spec.get(name), "field is immutable")
    _check_meta(new.get("metadata") or {}, "metadata", problems)
    _refuse(old["metadata"]["name"], problems)


def _refuse(name: str, problems: Problems) -> None:
    if not problems.invalid:
        return
    causes = [
        {"reason": reason, "message": message, "field": path}
        for path, reason, message in problems.invalid
    ]
    sentences = [f"{path}: {message}" for path, _, message in problems.invalid]
    listed = sentences[0] if len(sentences) == 1 else f"[{', '.join(sentences)}]"
    raise Refused(
        422,
        "Invalid",
        f'Job.batch "{name}" is invalid: {listed}',
        name=name,
        group="batch",
        kind="Job",
        causes=causes,
    )


def _check_meta(meta: Object, path: str, problems: Problems) -> None:
    name = meta.get("name") or ""
    if name and (not _SUBDOMAIN.fullmatch(name) or len(name) > 253):
        problems.wrong(f"{path}.name", name, _SUBDOMAIN_MESSAGE)
    _check_labels(meta.get("labels") or {}, f"{path}.labels", problems)
    annotations = meta.get("annotations") or {}
    for key in annotations:
        _check_key(key, f"{path}.annotations", problems)
    if sum(len(key) + len(value) for key, value in annotations.items()) > ANNOTATION_BYTES:
        problems.invalid.append(
            (
                f"{path}.annotations",
                "FieldValueTooLong",
                f"Too long: may not be more than {ANNOTATION_BYTES} bytes",
            )
        )


def _check_labels(labels: dict[str, str], path: str, problems: Problems) -> None:
    for key, value in labels.items():
        _check_key(key, path, problems)
        if len(value) > 63:
            problems.wrong(path, value, "must be no more than 63 bytes")
        elif value and not _WORD.fullmatch(value):
            problems.wrong(path, value, _VALUE_MESSAGE)


def _check_key(key: str, path: str, problems: Problems) -> None:
    prefix, slash, name = key.rpartition("/")
    if (
        not name
        or len(name) > 63
        or not _WORD.fullmatch(name)
        or (slash and not _SUBDOMAIN.fullmatch(prefix))
    ):
        problems.wrong(path, key, _KEY_MESSAGE)


def _check_spec(job: Object, spec: Object, problems: Problems) -> None:
    for name in _COUNTS:
        if (spec.get(name) or 0) < 0:
            problems.wrong(f"spec.{name}", spec[name], "must be greater than or equal to 0")
    if spec.get("selector") and not spec.get("manualSelector"):
        problems.wrong("spec.selector", spec["selector"], "`selector` not auto-generated")
    template = spec["template"]
    pod = template.get("spec") or {}
    if spec.get("podFailurePolicy"):
        _check_failure_policy(spec, pod, problems)
    name = (job.get("metadata") or {}).get("name") or ""
    if len(name) > 63:
        problems.wrong("spec.template.labels", name, "must be no more than 63 bytes")
    _check_labels(
        (template.get("metadata") or {}).get("labels") or {}, "spec.template.labels", problems
    )
    restart = pod.get("restartPolicy")
    if restart not in ("OnFailure", "Never"):
        path = "spec.template.spec.restartPolicy"
        problems.unsupported(path, restart or "Always", ("OnFailure", "Never"))
    _check_pod(pod, "spec.template.spec", problems)


def _check_failure_policy(spec: Object, pod: Object, problems: Problems) -> None:
    if pod.get("restartPolicy") != "Never":
        why = 'only "Never" is supported when podFailurePolicy is specified'
        problems.wrong("spec.template.spec.restartPolicy", pod.get("restartPolicy"), why)
    if spec.get("podReplacementPolicy", "Failed") != "Failed":
        problems.unsupported("spec.podReplacementPolicy", spec["podReplacementPolicy"], ("Failed",))
    for index, rule in enumerate(spec["podFailurePolicy"].get("rules") or ()):
        path = f"spec.podFailurePolicy.rules[{index}]"
        if bool(rule.get("onExitCodes")) is bool(rule.get("onPodConditions")):
            problems.wrong(
                path, rule, "specifying one of OnExitCodes and OnPodConditions is required"
            )


def _check_pod(pod: Object, path: str, problems: Problems) -> None:
    volumes = pod.get("volumes") or []
    names = [each.get("name") or "" for each in volumes]
    _check_names(names, f"{path}.volumes", problems)
    for index, volume in enumerate(volumes):
        sources = [name for name in volume if name != "name"]
        if len(sources) != 1:
            problems.missing(f"{path}.volumes[{index}]")
    containers = pod.get("containers") or []
    if not containers:
        problems.missing(f"{path}.containers")
    _check_names([each.get("name") or "" for each in containers], f"{path}.containers", problems)
    for index, container in enumerate(containers):
        _check_container(container, set(names), f"{path}.containers[{index}]", problems)
    account = pod.get("serviceAccountName") or ""
    if account and not _SUBDOMAIN.fullmatch(account):
        problems.wrong(f"{path}.serviceAccountName", account, _SUBDOMAIN_MESSAGE)
    _check_labels(pod.get("nodeSelector") or {}, f"{path}.nodeSelector", problems)
    if (pod.get("terminationGracePeriodSeconds") or 0) < 0:
        problems.wrong(
            f"{path}.terminationGracePeriodSeconds",
            pod["terminationGracePeriodSeconds"],
            "must be greater than or equal to 0",
        )


def _check_names(names: Iterable[str], path: str, problems: Problems) -> None:
    """Check for valid and unique DNS labels; the schema check finds missing names."""
    observed: set[str] = set()
    for index, name in enumerate(names):
        if name and (not _LABEL.fullmatch(name) or len(name) > 63):
            problems.wrong(f"{path}[{index}].name", name, _LABEL_MESSAGE)
        if name and name in observed:
            problems.invalid.append(
                (f"{path}[{index}].name", "FieldValueDuplicate", f'Duplicate value: "{name}"')
            )
        observed.add(name)


def _check_container(container: Object, volumes: set[str], path: str, problems: Problems) -> None:
    if not container.get("image"):
        problems.missing(f"{path}.image")
    for index, each in enumerate(container.get("env") or ()):
        name = each.get("name") or ""
        if name and not _ENV.fullmatch(name):
            problems.wrong(
                f"{path}.env[{index}].name",
                name,
                "a valid environment variable name must consist only of printable ASCII characters",
            )
        if each.get("value") and each.get("valueFrom"):
            problems.wrong(
                f"{path}.env[{index}].valueFrom",
                "",
                "may not be specified when `value` is not empty",
            )
    paths: set[str] = set()
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        where = f"{path}.volumeMounts[{index}]"
        if mount.get("name") and mount["name"] not in volumes:
            problems.invalid.append(
                (f"{where}.name", "FieldValueNotFound", f'Not found: "{mount["name"]}"')
            )
        if mount.get("mountPath") in paths:
            problems.wrong(f"{where}.mountPath", mount["mountPath"], "must be unique")
        paths.add(mount.get("mountPath", ""))
        sub = mount.get("subPath") or ""
        if sub.startswith("/") or ".." in sub.split("/"):
            problems.wrong(
                f"{where}.subPath",
                sub,
                "must be a relative path" if sub.startswith("/") else "must not contain '..'",
            )
    _check_resources(container.get("resources") or {}, f"{path}.resources", problems)


def _check_resources(resources: Object, path: str, problems: Problems) -> None:
    limits = resources.get("limits") or {}
    for name, value in (resources.get("requests") or {}).items():
        if name in limits and amount(value) > amount(limits[name]):
            problems.wrong(
                f"{path}.requests",
                str(value),
                f"must be less than or equal to {name} limit of {limits[name]}",
            )
    for kind, amounts in (("limits", limits), ("requests", resources.get("requests") or {})):
        for name, value in amounts.items():
            if amount(value) < 0:
                problems.wrong(
                    f"{path}.{kind}[{name}]", str(value), "must be greater than or equal to 0"
                )
            extended = "/" in name
            if extended and kind == "requests" and limits.get(name) != value:
                problems.wrong(
                    f"{path}.requests",
                    str(value),
                    f"must be equal to {name} limit of {limits.get(name)}",
                )
