"""Details of one pipeline step of a job: definition, inputs and outputs. Pure."""

from collections.abc import Mapping

from mimir.frontend.api_types.job_shapes import Job
from mimir.frontend.pages.job.result import thing_url
from mimir.frontend.pages.jobs.present import written_datasets
from mimir.frontend.template_context import Context
from mimir.lib.schemas.steps import STEP_TYPES

Step = Mapping[str, object]


def shown(job: Job, step: Step, definition: object) -> Context:
    """Present a step: {"step", "query", "argv", "facts": [(label, text, url)]}.

    `definition`: the pipeline version of the job, if known.
    """
    options = _options(definition, str(step["id"]))
    step_type = STEP_TYPES.get(str(step["uses"]))
    view: Context = {"step": step, "query": "", "argv": [], "facts": []}
    for name, schema in (step_type.properties if step_type is not None else {}).items():
        value = options.get(name)
        match schema.get("format"):
            case "sql" if isinstance(value, str):
                view["query"] = value
            case "argv" if isinstance(value, list):
                view["argv"] = [str(one) for one in value]
            case "version":
                continue  # shown with its dataset
            case kind if value not in (None, "", []):
                view["facts"].append(_fact(job, str(kind), schema, value, options))
    return view


def _fact(
    job: Job,
    kind: str,
    schema: Mapping[str, object],
    value: object,
    options: Mapping[str, object],
) -> tuple[str, str, str]:
    """(label, text, URL) of one field of a step."""
    if kind == "dataset" and isinstance(value, str):
        return (
            _writes(job, value)
            if schema.get("x-access") == "write"
            else _reads(job, value, options)
        )
    text = ", ".join(str(one) for one in value) if isinstance(value, list) else str(value)
    return ("Reads" if kind == "uri" else str(schema["title"]), text, "")


def _options(definition: object, name: str) -> Mapping[str, object]:
    steps = definition.get("steps") if isinstance(definition, Mapping) else None
    for step in steps if isinstance(steps, list) else []:
        if (
            isinstance(step, Mapping)
            and step.get("id") == name
            and isinstance(step.get("with"), Mapping)
        ):
            return dict(step["with"])
    return {}


def _reads(job: Job, name: str, options: Mapping[str, object]) -> tuple[str, str, str]:
    versions = [
        one.get("version")
        for one in job.get("inputs") or []
        if one.get("kind") == "dataset" and one.get("dataset") == name
    ]
    version = options.get("version") or (versions[0] if len(versions) == 1 else None)
    return (
        "Reads",
        f"{name} v{version}" if version else name,
        thing_url(str(job["project"]), "dataset", name, version),
    )


def _writes(job: Job, name: str) -> tuple[str, str, str]:
    version = next((row["version"] for row in written_datasets(job) if row["name"] == name), None)
    if version is None:
        return ("Writes", f"{name}, when the job succeeds", "")
    return ("Wrote", f"{name} v{version}", thing_url(str(job["project"]), "dataset", name, version))
