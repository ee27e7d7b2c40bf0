"""Choices of the submit form, preview of the request, and placement of API errors. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mimir.frontend import formatting, schema_form
from mimir.frontend.api_client import ApiError
from mimir.frontend.job_types import parameter_schema, type_output
from mimir.frontend.memory_advice import source_text
from mimir.frontend.pages.submit import request_schema
from mimir.frontend.schema_form import Choice, Field, Offers, Texts, given
from mimir.lib.schemas.signature import kind_of
from mimir.lib.schemas.twin import entity_type, fields_of

Got = Mapping[str, Any]


def offers_of(job_type: str, texts: Texts, got: Got) -> Offers:
    """Collect the choices from the API's lists, versions and definition.

    `got["dataset"]` and so on hold a page of the list; a longer list is not offered.
    """
    properties = parameter_schema(job_type)["properties"]
    names: dict[str, Sequence[Choice]] = {}
    newest: dict[str, int | None] = {}
    for name, schema in properties.items():
        kind = schema.get("format")
        if kind in got and kind in ("dataset", "model", "pipeline", "twin"):
            rows = got[kind]["results"]
            if got[kind]["next"] is None:
                names[kind] = [Choice(row["name"], _choice_label(kind, row)) for row in rows]
            chosen = next(
                (row for row in rows if row["name"] == given(texts, f"parameters.{name}")), None
            )
            newest[f"parameters.{name}"] = (
                chosen["version"]["number"] if chosen and "version" in chosen else None
            )
    names |= _places(got)
    columns = _columns(texts, got)
    return Offers(
        names,
        newest,
        columns=columns,
        usable=frozenset(
            str(one["name"]) for one in columns or () if kind_of(str(one["type"])) is not None
        ),
        types=_types(texts, got),
        properties=_properties(texts, got),
    )


def _places(got: Got) -> dict[str, Sequence[Choice]]:
    """Clusters and regions to choose from; none if there are more than one page."""
    rows = got["places"]["results"] if got["places"]["next"] is None else []
    clusters = [Choice(row["name"], _place(row)) for row in rows]
    regions = sorted({row["region"] for row in rows if row["region"]})
    return (
        {"cluster": clusters, "region": [Choice(region, region) for region in regions]}
        if rows
        else {}
    )


def _place(row: Mapping[str, Any]) -> str:
    facts = [row["region"]] if row["region"] else []
    facts += [] if row["enabled"] else ["disabled: the job would wait"]
    return f"{row['name']} ({', '.join(facts)})" if facts else str(row["name"])


def with_places(schema: Mapping[str, Any], texts: Texts, got: Got) -> dict[str, Any]:
    """Remove cluster and region from the schema if there is nothing to choose."""
    rows = got["places"]["results"]
    offered = {
        "cluster": len(rows) > 1,
        "region": len(rows) > 1 and any(row["region"] for row in rows),
    }
    idle = {
        name for name, is_offered in offered.items() if not is_offered and not given(texts, name)
    }
    return {
        **schema,
        "properties": {name: one for name, one in schema["properties"].items() if name not in idle},
    }


def _choice_label(kind: str, row: Mapping[str, Any]) -> str:
    version = row.get("version") or {}
    if kind == "dataset":
        rows, columns = formatting.number(version["row_count"]), len(version["schema"])
        return f"{row['name']} (v{version['number']}, {rows} rows, {columns} columns)"
    if kind == "twin":
        return f"{row['name']} (revision {row['revision']})"
    return f"{row['name']} (v{version['number']})"


def _columns(texts: Texts, got: Got) -> Sequence[Mapping[str, Any]] | None:
    """Columns of the chosen dataset version."""
    name, number = given(texts, "parameters.dataset"), given(texts, "parameters.version")
    if not name:
        return ()
    if "versions" in got:
        found = next(
            (row for row in got["versions"].get("versions", ()) if str(row["number"]) == number),
            None,
        )
        return found["schema"] if found else None
    row = next(
        (row for row in got.get("dataset", {}).get("results", ()) if row["name"] == name), None
    )
    return row["version"]["schema"] if row else None


def _types(texts: Texts, got: Got) -> Sequence[Choice] | None:
    """Entity types of the chosen twin."""
    if not given(texts, "parameters.twin"):
        return ()
    definition = got.get("definition", {}).get("definition")
    return (
        [Choice(one["name"], one.get("title") or one["name"]) for one in definition["types"]]
        if definition
        else None
    )


def preselected(job_type: str, texts: Texts, got: Got) -> dict[str, list[str]]:
    """Preselect the only entity type and the column named like its key, unless chosen."""
    found = {name: list(values) for name, values in texts.items()}
    formats = {one.get("format") for one in parameter_schema(job_type)["properties"].values()}
    definition = got.get("definition", {}).get("definition")
    if not definition or "twin-type" not in formats:
        return found
    if len(definition["types"]) == 1 and not given(found, "parameters.type"):
        found["parameters.type"] = [str(definition["types"][0]["name"])]
    kind = entity_type(definition, given(found, "parameters.type"))
    if kind is not None and not given(found, "parameters.key"):
        key = str(kind["key"]["name"]).casefold()
        columns = [
            str(one["name"])
            for one in _columns(found, got) or ()
            if str(one["name"]).casefold() == key
        ]
        found |= {"parameters.key": columns} if len(columns) == 1 else {}
    return found


def _properties(texts: Texts, got: Got) -> Sequence[Choice]:
    """Properties of the chosen entity type."""
    definition = got.get("definition", {}).get("definition")
    kind = entity_type(definition, given(texts, "parameters.type")) if definition else None
    if kind is None:
        return ()
    shown = fields_of(kind).values()
    return [
        Choice(one.name, (one.title or one.name) + (f", {one.unit}" if one.unit else ""))
        for one in shown
    ]


def refusals(job_type: str, texts: Texts, error: ApiError) -> tuple[dict[str, str], list[str]]:
    """Split the API's errors into messages by field and general ones."""
    schema = request_schema.request_schema(job_type, texts)
    names = list(_paths(schema, texts))  # a list, because each message searches it again
    errors = schema_form.number_errors(schema, texts)
    general: list[str] = []
    for path, message in error.detail.items():
        at = schema_form.field_at(path, names)
        if not isinstance(message, str):
            general.append(error.message)
        elif at is None:
            general.append(f"{path}: {message}")
        else:
            errors.setdefault(at, _sentence(message))
    return errors, general or ([] if errors else [error.message])


def _paths(schema: Mapping[str, Any], texts: Texts) -> Iterable[str]:
    """Names of all fields that can show a message."""
    nothing = Offers({}, {}, columns=(), types=(), properties=())
    lines = {
        name.removesuffix(schema_form.LINES) for name in texts if name.endswith(schema_form.LINES)
    }
    for field in schema_form.names_of(schema_form.fields(schema, texts, nothing, errors={})):
        yield field.name
    yield from lines
    yield from texts


def _sentence(message: str) -> str:
    shown = message[:1].upper() + message[1:]
    return shown if shown.endswith((".", "!", "?")) else f"{shown}."


def dry_facts(
    found: Mapping[str, Any], job_type: str, texts: Texts, fields: Sequence[Field]
) -> dict[str, Any] | None:
    """Present a dry run: {"facts": [(label, text)]}, or {"refused": [{"title", "message"}]}.

    None if no dry run was made.
    """
    if "refused" in found:
        errors, general = refusals(job_type, texts, found["refused"])
        titles = {
            field.name.removesuffix(schema_form.LINES): field.title
            for field in schema_form.names_of(fields)
        }
        rows = [
            {"title": titles.get(name.removesuffix(schema_form.LINES), name), "message": message}
            for name, message in errors.items()
        ]
        return {
            "refused": rows + [{"title": "", "message": message} for message in general],
            "facts": [],
        }
    answer = found.get("answer")
    if answer is None:
        return None
    return {
        "refused": [],
        "facts": [(word, value) for word, value in _facts(answer, job_type, texts) if value],
    }


def _facts(answer: Mapping[str, Any], job_type: str, texts: Texts) -> list[tuple[str, str]]:
    inputs: dict[str, list[str]] = {}
    for one in answer["inputs"]:
        version = f" v{one['version']}" if "version" in one else ""
        inputs.setdefault(one["kind"], []).append(f"{one[one['kind']]}{version}")
    resources, requests = answer["resources"], answer["resources"]["requests"]
    memory = formatting.limit(requests["memory"]), formatting.limit(resources["memory"])
    count = resources["gpu"]
    gpus = f", {count} GPU{'s' * (count > 1)}" if count else ""
    most = resources.get("memory_max")
    is_raised = most and most != resources["memory"]
    retried = f", retried with up to {formatting.limit(most)}" if is_raised else ""
    earlier = answer.get("memory_from_job")
    return [
        ("Runs", ", ".join(inputs.get("pipeline", []))),
        ("Uses", ", ".join(inputs.get("model", []))),
        ("Reads", ", ".join(inputs.get("dataset", [])) or "no dataset"),
        ("Creates", _makes(job_type, texts)),
        ("Updates", ", ".join(inputs.get("twin", []))),
        (
            "Resources",
            f"{_range(requests['cpu'], resources['cpu'])} CPU, {_range(*memory)}{retried}{gpus}",
        ),
        (
            "Memory",
            f"as in the last successful run, job {formatting.short_id(earlier)}" if earlier else "",
        ),
        ("Source", source_text(resources.get("recommended"))),
        ("Time limit", f"{formatting.span(answer['timeout_seconds'])} for each attempt"),
        ("Attempts", f"at most {answer['max_attempts']}"),
        ("Priority", answer["priority"]),
        ("Cluster", answer.get("cluster") or ""),
        ("Region", answer.get("region") or ""),
    ]


def _makes(job_type: str, texts: Texts) -> str:
    output = type_output(job_type)
    if output is None:
        return ""
    kind, parameter = output
    return f"a version of {kind} {given(texts, f'parameters.{parameter}')}"


def _range(low: str, high: str) -> str:
    return high if low == high else f"{low} to {high}"
