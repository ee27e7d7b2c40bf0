"""Build the fields of a form from a schema, typed texts and the project's offers. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from mimir.frontend.schema_form.shapes import (
    LINES,
    Choice,
    Field,
    Kind,
    Offers,
    Schema,
    Texts,
    ValueKind,
    join,
    json_types,
    value_kind,
)
from mimir.frontend.schema_form.typed_values import typed

PICKED_MAX = 300  # columns as checkboxes; more are typed, one per line
RADIOS_MAX = 5
FIRST = {
    "column": "Choose the dataset first",
    "columns": "Choose the dataset first",
    "twin-type": "Choose the twin first",
}
_SHOWS = {
    "dataset": "columns",
    "twin": "types",
    "twin-type": "properties",
    "algorithm": "hyperparameters",
}  # dependent fields, by format or name of the field that they depend on


def fields(
    schema: Schema,
    texts: Texts,
    offers: Offers,
    *,
    path: str = "",
    errors: Mapping[str, str],
    changed: Iterable[str] = (),
) -> list[Field]:
    """Build the fields of an object schema, in its order, with typed texts or defaults."""
    maker = _Builder(texts, offers, errors, frozenset(changed))
    return list(maker.group(schema, path))


class _Builder:
    """Builds fields from the shared state of one form."""

    def __init__(
        self, texts: Texts, offers: Offers, errors: Mapping[str, str], changed: frozenset[str]
    ) -> None:
        self.texts, self.offers, self.errors, self.changed = texts, offers, errors, changed

    def group(self, schema: Schema, path: str) -> Iterator[Field]:
        properties = schema["properties"]
        leading = {one["x-of"] for one in properties.values() if "x-of" in one}
        for name, one in properties.items():
            leads = name in leading or (
                one.get("format") in ("column", "twin-type") and "x-none" not in one
            )
            yield self.field(
                name,
                one,
                join(path, name),
                required=name in schema.get("required", ()),
                leads=leads,
                path=path,
            )

    def field(
        self, name: str, schema: Schema, full: str, *, required: bool, leads: bool, path: str
    ) -> Field:
        common: dict[str, Any] = {
            "name": full,
            "title": schema.get("title") or name,
            "key": name,
            "hint": schema.get("description", ""),
            "default": typed(schema.get("default")),
            "error": self.errors.get(full, ""),
            "required": required,
            "advanced": bool(schema.get("x-advanced")),
            "changed": full in self.changed,
            "leads": leads,
            "shows": _SHOWS.get(str(schema.get("format", name)), "") if leads else "",
            "unit": schema.get("x-unit", ""),
        }
        match value_kind(schema):
            case ValueKind.GROUP:
                return Field(kind=Kind.GROUP, fields=tuple(self.group(schema, full)), **common)
            case ValueKind.MAP:
                return Field(kind=Kind.GROUP, fields=tuple(self.pairs(full)), **common)
            case ValueKind.PAIRS:
                return Field(
                    kind=Kind.AREA,
                    value=self.value(full, schema),
                    placeholder=schema.get("x-example", ""),
                    **common,
                )
            case ValueKind.LIST:
                return self.listed(schema, full, self.value(join(path, "target"), {}), common)
        return self.one(schema, full, path, common)

    def value(self, path: str, schema: Schema) -> str:
        """Typed text, or the default."""
        given = self.texts.get(path)
        return given[-1] if given else typed(schema.get("default"))

    def one(self, schema: Schema, full: str, path: str, common: dict[str, Any]) -> Field:
        value, required = self.value(full, schema), common["required"]
        if "boolean" in json_types(schema):
            return Field(kind=Kind.CHECK, value=value, **common)
        if options := schema.get("enum") or schema.get("x-choices"):
            choices = tuple(
                Choice(typed(option), typed(option) or "none", typed(option) == value)
                for option in options
            )
            if "x-null" in schema or (not required and "default" not in schema):
                automatic = schema.get("x-null") or schema.get("x-example", "Automatic")
                choices = (Choice("", automatic, not value), *choices)
            return Field(
                kind=Kind.RADIOS if len(choices) <= RADIOS_MAX else Kind.SELECT,
                value=value,
                choices=_with(choices, value),
                **common,
            )
        offers = str(schema.get("format", ""))
        offered = self.offered(offers)
        if offered is not None:
            lacking = offers in self.offers.names
            label = (
                ("Choose one" if required else schema.get("x-none", "Automatic"))
                if offered or lacking
                else FIRST.get(offers, "none")
            )
            chosen = tuple(
                Choice(one.value, one.label, one.value == value, one.off) for one in offered
            )
            lacks = offers if lacking and not offered and not value else ""
            return Field(
                kind=Kind.SELECT,
                value=value,
                choices=_with((Choice("", label, not value), *chosen), value),
                lacks=lacks,
                **common,
            )
        return Field(
            kind=Kind.TEXT,
            value=value,
            mode=_mode(schema),
            placeholder=self.placeholder(schema, path),
            **common,
        )

    def offered(self, format: str) -> Sequence[Choice] | None:
        if format == "twin-type":
            return self.offers.types
        if format == "column":
            columns = self.offers.columns
            return (
                None
                if columns is None
                else [
                    Choice(one["name"], f"{one['name']} ({str(one['type']).lower()})")
                    for one in columns
                ]
            )
        return self.offers.names.get(format)

    def placeholder(self, schema: Schema, path: str) -> str:
        if schema.get("format") == "version":
            number = self.offers.newest.get(join(path, str(schema.get("x-of"))))
            return f"newest, currently {number}" if number else "newest"
        return "no limit" if "null" in json_types(schema) else str(schema.get("x-example", ""))

    def listed(self, schema: Schema, full: str, target: str, common: dict[str, Any]) -> Field:
        """Build checkboxes for columns; a text area if there are too many or they are unknown.

        `target` is the predicted column.
        """
        given = [one for one in self.texts.get(full, ()) if one]
        columns = self.offers.columns
        lines = self.texts.get(full + LINES)
        if columns is None or len(columns) > PICKED_MAX:
            common |= {
                "name": full + LINES,
                "error": common["error"],
                "hint": f"{common['hint']} One per line.".strip(),
            }
            return Field(kind=Kind.AREA, value=lines[-1] if lines else "\n".join(given), **common)
        learns = bool(schema.get("minItems")) and common["key"] != "exclude"
        chosen = given or [
            line.strip() for line in (lines[-1].splitlines() if lines else ()) if line.strip()
        ]
        names = [str(one["name"]) for one in columns]
        off = {
            name: self.off(name, target)
            if learns
            else "is the target"
            if name == target and schema.get("minItems")
            else ""
            for name in names
        }
        choices = [Choice(name, name, name in chosen, off[name]) for name in names]
        choices += [Choice(name, name, True) for name in chosen if name not in names]
        if not schema.get("minItems"):
            choices.insert(0, Choice("", "none", bool(self.texts.get(full)) and not given))
        return Field(
            kind=Kind.PICKS, choices=tuple(choices), value=str(len(chosen) or ""), **common
        )

    def off(self, name: str, target: str) -> str:
        if name == target:
            return "is the target"
        return "" if name in self.offers.usable else "has a type that models cannot use"

    def pairs(self, path: str) -> Iterator[Field]:
        """Yield a field for each property of the chosen type, and for each other given name."""
        known = {one.value: one.label for one in self.offers.properties or ()}
        given = [
            name.removeprefix(f"{path}.") for name in self.texts if name.startswith(f"{path}.")
        ]
        for name in [*known, *(one for one in given if one not in known)]:
            full, schema = f"{path}.{name}", {"type": "string", "format": "column"}
            common = {
                "name": full,
                "title": known.get(name, name),
                "key": name,
                "error": self.errors.get(full, ""),
                "changed": full in self.changed,
            }
            yield self.one(schema, full, path, {**common, "required": False})


def _with(choices: tuple[Choice, ...], value: str) -> tuple[Choice, ...]:
    """Add the given value if no choice matches.

    The value stays visible, and the API explains the error.
    """
    return choices if any(one.chosen for one in choices) else (*choices, Choice(value, value, True))


def _mode(schema: Schema) -> str:
    types = json_types(schema)
    return "numeric" if "integer" in types else "decimal" if "number" in types else ""
