"""What a form page keeps between two answers: what was typed, and what is wrong with it, field by field."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mimir.frontend.client import ApiError


@dataclass(slots=True)
class Form:
    """The texts of a form's fields, and messages by field; `general` is what belongs to none of them."""

    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    general: list[str] = field(default_factory=list)

    @classmethod
    def posted(cls, data: Mapping[str, Any], *names: str) -> "Form":
        """The named fields of a request's POST, as they were typed but for spaces around them."""
        return cls({name: str(data.get(name, "")).strip() for name in names})

    def __getitem__(self, name: str) -> "Field":
        """For templates, which look here before they look for attributes."""
        if name not in self.values:
            raise KeyError(name)
        return Field(name, self.values.get(name, ""), self.errors.get(name, ""))

    def value(self, name: str) -> str:
        """What was typed."""
        return self.values.get(name, "")

    def require(self, name: str, message: str) -> None:
        """A message unless something was typed."""
        if not self.value(name):
            self.errors[name] = message

    def refused(self, error: ApiError, fields: Mapping[str, str]) -> None:
        """Put the API's messages at our fields. `fields`: a path of `detail` (or the path above it) to a field's name."""
        for path, message in error.detail.items():
            name = _field_of(path, fields)
            if name is None or not isinstance(message, str):
                self.general.append(
                    f"{path}: {message}" if isinstance(message, str) else error.message
                )
            else:
                self.errors.setdefault(name, _sentence(message))
        if not self.errors and not self.general:
            self.general.append(error.message)

    @property
    def bad(self) -> bool:
        """Whether anything is wrong."""
        return bool(self.errors or self.general)

    @property
    def count(self) -> int:
        """How many things are wrong."""
        return len(self.errors) + len(self.general)


@dataclass(frozen=True, slots=True)
class Field:
    """One field, as a template shows it."""

    name: str
    value: str
    error: str


def _field_of(path: str, fields: Mapping[str, str]) -> str | None:
    while path:
        if path in fields:
            return fields[path]
        path = path.rpartition(".")[0]
    return None


def _sentence(message: str) -> str:
    text = message[:1].upper() + message[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."
