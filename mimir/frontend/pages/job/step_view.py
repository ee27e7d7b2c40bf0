"""Details of one pipeline step of a job: definition, inputs and outputs. Pure."""

from collections.abc import Mapping
from typing import Any

from mimir.frontend.pages.job.result import thing_url
from mimir.frontend.pages.jobs.present import written_datasets

Step = Mapping[str, Any]


def shown(job: Mapping[str, Any], step: Step, definition: Any) -> dict[str, Any]:
    """Present a step: {"step", "query", "argv", "facts": [(label, text, url)]}.

    `definition`: the pipeline version of the job, if known.
    """
    options = _options(definition, str(step["id"]))
    query, argv = options.get("query"), options.get("argv")
    return {
        "step": step,
        "query": query if isinstance(query, str) else "",
        "argv": [str(one) for one in argv] if isinstance(argv, list) else [],
        "facts": [
            fact
            for fact in (
                _reads(job, step, options),
                _writes(job, step, options),
                *_tables(step, options),
            )
            if fact
        ],
    }


def _options(definition: Any, name: str) -> Mapping[str, Any]:
    steps = definition.get("steps") if isinstance(definition, Mapping) else None
    for step in steps if isinstance(steps, list) else []:
        if (
            isinstance(step, Mapping)
            and step.get("id") == name
            and isinstance(step.get("with"), Mapping)
        ):
            return dict(step["with"])
    return {}


def _reads(
    job: Mapping[str, Any], step: Step, options: Mapping[str, Any]
) -> tuple[str, str, str] | None:
    if step["uses"] != "read":
        return None
    if isinstance(options.get("url"), str):
        return ("Reads", str(options["url"]), "")
    name = options.get("dataset")
    if not isinstance(name, str):
        return None
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


def _writes(
    job: Mapping[str, Any], step: Step, options: Mapping[str, Any]
) -> tuple[str, str, str] | None:
    name = options.get("dataset")
    if step["uses"] != "write" or not isinstance(name, str):
        return None
    version = next((row["version"] for row in written_datasets(job) if row["name"] == name), None)
    if version is None:
        return ("Writes", f"{name}, when the job succeeds", "")
    return ("Wrote", f"{name} v{version}", thing_url(str(job["project"]), "dataset", name, version))


def _tables(step: Step, options: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    source, tables = options.get("from"), options.get("tables")
    facts = (
        [("From step", str(source), "")]
        if step["uses"] == "write" and isinstance(source, str)
        else []
    )
    if isinstance(tables, list) and tables:
        facts.append(("Tables", ", ".join(str(one) for one in tables), ""))
    return facts
