"""Data that a pipeline definition refers to: columns it reads, datasets it writes."""

from difflib import get_close_matches

from mimir.lib.schemas.references import DatasetReference, step_reference
from projects.datasets.read import dataset_version_find
from projects.models import Dataset, Project
from projects.parsing.messages import ReadReference

NAMES_MAX = 5000  # dataset names that are searched for a similar one


def definition_data(
    *, project: Project, definition: object
) -> tuple[dict[str, ReadReference], dict[str, int]]:
    """Return (reads, writes) as `projects.parsing.binding.bind` expects them.

    Accepts any JSON value, because the structure is not checked yet.
    """
    reads: dict[str, ReadReference] = {}
    written: set[str] = set()
    found: dict[tuple[str, int | None], ReadReference] = {}
    for reference in _references(definition):
        dataset, version = reference.dataset, reference.version
        if "\x00" in dataset or not dataset.isprintable():
            continue
        if reference.access == "write":
            written.add(dataset)
        elif version is None or (
            isinstance(version, int) and not isinstance(version, bool) and 0 < version < 2**31
        ):
            key = (dataset, version)
            if key not in found:
                found[key] = _read(project, dataset, version)
            reads[reference.step] = found[key]
    for step_reads in reads.values():
        if step_reads.get("missing") and step_reads["dataset"] in written:
            step_reads["missing"] += (
                ". A write step of this pipeline creates it, but a run reads versions that exist"
                " when it is submitted"
            )
    names = Dataset.objects.filter(
        project=project, name__in=written, latest_number__gt=0
    ).values_list("name", "latest_number")
    return reads, {name: 0 for name in written} | dict(names)  # noqa: C420 - two sources


def _references(definition: object) -> list[DatasetReference]:
    steps = definition.get("steps") if isinstance(definition, dict) else None
    found = map(step_reference, (steps if isinstance(steps, list) else [])[:200])
    return [reference for reference in found if reference is not None]


def _read(project: Project, dataset: str, version: int | None) -> ReadReference:
    row = dataset_version_find(project=project, name=dataset, number=version)
    if row is not None:
        return {
            "dataset": dataset,
            "version": row.number,
            "columns": [{"name": one["name"], "type": one["type"]} for one in row.schema],
        }
    newest = Dataset.objects.filter(project=project, name=dataset, latest_number__gt=0).first()
    if newest is not None:
        message = (
            f"names version {version} of dataset {dataset}, which does not exist:"
            f" the newest is {newest.latest_number}"
        )
        return {"dataset": dataset, "missing": message, "other_version": True}
    names = Dataset.objects.filter(project=project, latest_number__gt=0).values_list(
        "name", flat=True
    )[:NAMES_MAX]
    similar = get_close_matches(dataset, list(names), n=1)
    hint = (
        f"Did you mean {similar[0]}?"
        if similar
        else "Upload it, or run the pipeline that writes it"
    )
    return {
        "dataset": dataset,
        "missing": f"names dataset {dataset[:200]}, which does not exist in this project. {hint}",
    }
