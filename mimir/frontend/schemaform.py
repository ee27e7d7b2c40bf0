"""A JSON Schema as the fields of a form, and what was typed into them as JSON again. Pure.

A field's name is the path of its value (`parameters.hyperparameters.max_depth`): what the API says of a path stands at its field, and one
table of typed texts by path is all that a form keeps. Read back, a field that was not shown, was left empty or holds its default is left
out. What does not fit stays the text it was, so that the API says what would.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

Texts = Mapping[str, Sequence[str]]  # what was typed, by path; several for a list
Schema = Mapping[str, Any]
PICKED_MAX = 300  # columns to tick; more are written, one on a line
RADIOS_MAX = 5
DEFAULT = "default"  # summary of a field without a value
LINES = ".lines"  # behind the path of a list that is written
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
}  # by format, or by name
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[-+]?[0-9]{1,3})?", re.IGNORECASE)
_COMMA = re.compile(r"[-+]?[0-9]{1,18},[0-9]{1,18}")


class _Omitted:
    """What is not in the JSON at all."""


OMITTED: Final = _Omitted()


class Kind(StrEnum):
    """How a field is shown."""

    TEXT = "text"
    AREA = "area"  # several lines
    SELECT = "select"
    RADIOS = "radios"
    CHECK = "check"
    PICKS = "picks"  # a list, to tick
    GROUP = "group"  # an object, with fields of its own


class _Shape(StrEnum):
    """What a schema's value is made of, as far as a form cares."""

    GROUP = "group"
    MAP = "map"  # an object with names that are not the schema's
    PAIRS = "pairs"  # the same, written `name=value` on a line each
    LIST = "list"
    ONE = "one"


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing to choose: what is sent, what it is called; `off` says why it cannot be chosen."""

    value: str
    label: str
    chosen: bool = False
    off: str = ""


@dataclass(frozen=True, slots=True)
class Offers:
    """What the project has to choose from; None: not known, so it is typed; empty: what it depends on is not chosen yet.

    `names`: of datasets, models and so on, by format.
    """

    names: Mapping[str, Sequence[Choice]]
    newest: Mapping[
        str, int | None
    ]  # the newest version of the chosen thing, by the field that names it
    columns: Sequence[Mapping[str, Any]] | None = None  # of the chosen dataset: {"name", "type"}
    usable: frozenset[str] = frozenset()  # those a model can use
    types: Sequence[Choice] | None = None  # of the chosen twin
    properties: Sequence[Choice] | None = None  # of the chosen type


@dataclass(frozen=True, slots=True)
class Field:
    """One field as the page shows it."""

    name: str
    kind: Kind
    title: str
    key: str
    hint: str = ""
    value: str = ""
    default: str = ""
    choices: tuple[Choice, ...] = ()
    fields: tuple["Field", ...] = ()
    error: str = ""
    placeholder: str = ""
    mode: str = ""
    unit: str = ""
    required: bool = False
    advanced: bool = False
    changed: bool = False
    leads: bool = False  # others depend on it
    shows: str = ""  # what of them
    lacks: str = ""  # a format of which the project has nothing

    @property
    def wide(self) -> bool:
        """Whether it takes a row of the form."""
        return self.kind in (Kind.PICKS, Kind.GROUP, Kind.AREA)

    @property
    def opened(self) -> bool:
        """Whether a reader has to see it, also behind a fold."""
        return bool(self.error or self.changed) or any(field.opened for field in self.fields)


def typed(value: Any) -> str:
    """A value as it stands in a field."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def given(texts: Texts, path: str) -> str:
    """What was typed at a path, without the spaces around it."""
    return texts[path][-1].strip() if texts.get(path) else ""


def texts_of(schema: Schema, value: Any, path: str = "") -> dict[str, list[str]]:
    """`value` as somebody would have typed it."""
    shape = _shape(schema)
    if shape is _Shape.LIST:
        return (
            {path: [typed(item) for item in value] or [""]}
            if isinstance(value, list)
            else {path: [typed(value)]}
        )
    if shape is _Shape.ONE or not isinstance(value, Mapping):
        return {path: [typed(value)]}
    if shape is _Shape.PAIRS:
        return {path: ["\n".join(f"{key}={text}" for key, text in sorted(value.items()))]}
    if shape is _Shape.MAP:
        return {_join(path, str(key)): [typed(text)] for key, text in value.items()}
    found: dict[str, list[str]] = {}
    for name, inner in schema["properties"].items():
        if name in value:
            found |= texts_of(inner, value[name], _join(path, name))
    return found


def read(schema: Schema, texts: Texts, path: str = "") -> Any:
    """What was typed as JSON; LEFT_OUT where nothing was."""
    shape = _shape(schema)
    if shape is _Shape.GROUP:
        inner = {
            name: read(one, texts, _join(path, name)) for name, one in schema["properties"].items()
        }
        return {name: value for name, value in inner.items() if value is not OMITTED} or OMITTED
    if shape is _Shape.MAP:
        entries = {
            name.removeprefix(f"{path}."): values[-1]
            for name, values in texts.items()
            if name.startswith(f"{path}.") and values
        }
        return {name: value for name, value in entries.items() if value} or OMITTED
    if shape is _Shape.LIST:
        return _list(texts, path)
    text = texts[path][-1] if texts.get(path) else None
    if text is None:
        return OMITTED
    return _pairs(text) if shape is _Shape.PAIRS else _one(schema, text)


def _list(texts: Texts, path: str) -> Any:
    """An empty text among the ticked ones says that the list is there, with nothing in it but the others."""
    if texts.get(path + LINES):
        lines = [line.strip() for line in texts[path + LINES][-1].splitlines()]
        return [line for line in lines if line] or OMITTED
    values = texts.get(path)
    return [value for value in values if value] if values else OMITTED


def _pairs(text: str) -> Any:
    """name=value, one on a line; a line without a name is kept whole, as a name, for the API to refuse."""
    found = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if line.strip():
            found[key.strip() if key.strip() else line.strip()] = (
                value.strip() if key.strip() and equals else ""
            )
    return found or OMITTED


def _one(schema: Schema, given: str) -> Any:
    """A value of a simple schema."""
    text = given if schema.get("format") == "column" else given.strip()
    if not text:
        value: Any = None if "null" in _types(schema) else OMITTED
    elif options := schema.get("enum") or schema.get("x-choices"):
        value = {typed(option): option for option in options}.get(text, text)
        value = _numeric(_types(schema), text) if value == text and "enum" not in schema else value
    elif "boolean" in _types(schema):
        value = {"true": True, "false": False}.get(text, text)
    else:
        value = _numeric(_types(schema), text)
    default = schema.get("default", OMITTED)
    return OMITTED if type(value) is type(default) and value == default else value


def _numeric(types: Sequence[str], text: str) -> Any:
    """A number where one is wanted and given."""
    if ("integer" in types or "number" in types) and _WHOLE.fullmatch(text):
        return float(text) if "integer" not in types else int(text)
    return float(text) if "number" in types and _NUMBER.fullmatch(text) else text


def number_errors(schema: Schema, texts: Texts, path: str = "") -> dict[str, str]:
    """Messages, by path, for what is no number where one is wanted and the schema says, as `x-rule`, what would be."""
    if _shape(schema) is _Shape.GROUP:
        found: dict[str, str] = {}
        for name, inner in schema["properties"].items():
            found |= number_errors(inner, texts, _join(path, name))
        return found
    wants = (
        {"integer", "number"} & set(_types(schema))
        and "enum" not in schema
        and "x-choices" not in schema
    )
    value = read(schema, texts, path) if wants else OMITTED
    if isinstance(value, str) and _COMMA.fullmatch(value):
        return {path: f"Use a point: {value.replace(',', '.')}"}
    return (
        {path: f"{value[:40]} does not fit. Give {schema['x-rule']}."}
        if isinstance(value, str) and "x-rule" in schema
        else {}
    )


def fields(
    schema: Schema,
    texts: Texts,
    offers: Offers,
    *,
    path: str = "",
    errors: Mapping[str, str],
    changed: Iterable[str] = (),
) -> list[Field]:
    """The fields of an object's schema, in its order, filled with what was typed or with the defaults."""
    maker = _Maker(texts, offers, errors, frozenset(changed))
    return list(maker.group(schema, path))


class _Maker:
    """Makes fields; holds what they all look at."""

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
                _join(path, name),
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
        match _shape(schema):
            case _Shape.GROUP:
                return Field(kind=Kind.GROUP, fields=tuple(self.group(schema, full)), **common)
            case _Shape.MAP:
                return Field(kind=Kind.GROUP, fields=tuple(self.pairs(full)), **common)
            case _Shape.PAIRS:
                return Field(
                    kind=Kind.AREA,
                    value=self.value(full, schema),
                    placeholder=schema.get("x-example", ""),
                    **common,
                )
            case _Shape.LIST:
                return self.listed(schema, full, self.value(_join(path, "target"), {}), common)
        return self.one(schema, full, path, common)

    def value(self, path: str, schema: Schema) -> str:
        """What was typed, or the default."""
        given = self.texts.get(path)
        return given[-1] if given else typed(schema.get("default"))

    def one(self, schema: Schema, full: str, path: str, common: dict[str, Any]) -> Field:
        value, required = self.value(full, schema), common["required"]
        if "boolean" in _types(schema):
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
            number = self.offers.newest.get(_join(path, str(schema.get("x-of"))))
            return f"the newest, now {number}" if number else "the newest"
        return "no limit" if "null" in _types(schema) else str(schema.get("x-example", ""))

    def listed(self, schema: Schema, full: str, target: str, common: dict[str, Any]) -> Field:
        """Columns to tick; written where there are too many of them or none is known. `target` is what is predicted."""
        given = [one for one in self.texts.get(full, ()) if one]
        columns = self.offers.columns
        lines = self.texts.get(full + LINES)
        if columns is None or len(columns) > PICKED_MAX:
            common |= {
                "name": full + LINES,
                "error": common["error"],
                "hint": f"{common['hint']} One on a line.".strip(),
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
            choices.insert(0, Choice("", "none of them", bool(self.texts.get(full)) and not given))
        return Field(
            kind=Kind.PICKS, choices=tuple(choices), value=str(len(chosen) or ""), **common
        )

    def off(self, name: str, target: str) -> str:
        if name == target:
            return "is the target"
        return "" if name in self.offers.usable else "is of a type that no model can use"

    def pairs(self, path: str) -> Iterator[Field]:
        """A field for each property of the chosen type, and for those that were given and are none."""
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
    """With what was given, where it is none of them: it is shown, and the API says what would fit."""
    return choices if any(one.chosen for one in choices) else (*choices, Choice(value, value, True))


def names_of(fields: Iterable[Field]) -> Iterator[Field]:
    """All fields, those inside others too."""
    for field in fields:
        yield field
        yield from names_of(field.fields)


def field_at(path: str, names: Iterable[str]) -> str | None:
    """The field at which a message for a path stands: its own, or the nearest above it."""
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
    """Fields behind a fold, in a line: `Priority, time limit: low, default`."""
    titles = [
        field.title if not at else field.title[:1].lower() + field.title[1:]
        for at, field in enumerate(fields)
    ]
    parts = [_brief(field) for field in fields]
    if set(parts) <= {DEFAULT, "none"}:
        return f"{', '.join(titles)} (defaults)"
    return f"{', '.join(titles)}: {', '.join(parts)}"


def _brief(field: Field) -> str:
    if field.kind is Kind.GROUP:
        parts = [f"{one.key} {_brief(one)}" for one in field.fields if one.value != one.default]
        return "; ".join(parts) or DEFAULT
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


def _shape(schema: Schema) -> _Shape:
    if schema.get("format") == "pairs":
        return _Shape.PAIRS
    types = _types(schema)
    if "object" in types:
        return _Shape.GROUP if "properties" in schema else _Shape.MAP
    return _Shape.LIST if "array" in types else _Shape.ONE


def _types(schema: Schema) -> list[str]:
    if "anyOf" in schema and "type" not in schema:
        return [kind for one in schema["anyOf"] for kind in _types(one)]
    found = schema.get("type", "string")
    return list(found) if isinstance(found, list) else [found]


def _mode(schema: Schema) -> str:
    types = _types(schema)
    return "numeric" if "integer" in types else "decimal" if "number" in types else ""


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
