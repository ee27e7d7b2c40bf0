"""Find and summarize the fields of a built form. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from mimir.frontend.schema_form.shapes import LINES, Field, Kind

DEFAULT = "default"  # summary of a field without a value


def names_of(fields: Iterable[Field]) -> Iterator[Field]:
    """All fields, including nested ones."""
    for field in fields:
        yield field
        yield from names_of(field.fields)


def field_at(path: str, names: Iterable[str]) -> str | None:
    """Name of the field that shows a message for `path`: its own, or the nearest parent's."""
    known = set(names)
    while path:
        for name in (path, path + LINES):
            if name in known:
                return name
        path = (
            path[: path.rindex("[")]
            if path.endswith("]") and "[" in path
            else path.rpartition(".")[0]
        )
    return None


def summary(fields: Sequence[Field]) -> str:
    """One-line summary of collapsed fields: `Priority: low · Time limit: default`."""
    values = [_brief(field) for field in fields]
    titles = [field.title for field in fields]
    if set(values) <= {DEFAULT, "none"}:
        lower = [title[:1].lower() + title[1:] for title in titles[1:]]
        return f"{', '.join([*titles[:1], *lower])} (defaults)"
    return " · ".join(f"{title}: {value}" for title, value in zip(titles, values, strict=True))


def _brief(field: Field) -> str:
    if field.kind is Kind.GROUP:
        parts = [f"{one.key} {_brief(one)}" for one in field.fields if one.value != one.default]
        return ", ".join(parts) or DEFAULT
    if field.kind in (Kind.SELECT, Kind.RADIOS):
        return next((one.label for one in field.choices if one.chosen and one.value), DEFAULT)
    if field.kind is Kind.AREA:
        return str(len(field.value.splitlines())) if field.value.strip() else "none"
    value = (
        {"true": "on", "false": "off"}.get(field.value, field.value)
        if field.kind is Kind.CHECK
        else field.value
    )
    return f"{value} {field.unit}".strip() if value else DEFAULT
