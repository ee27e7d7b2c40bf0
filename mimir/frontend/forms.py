"""State of a form page between requests: field values and error messages."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mimir.frontend.api_client import ApiError


@dataclass(slots=True)
class Form:
    """Field values and messages by field name; `general` holds messages without a field."""

    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    general: list[str] = field(default_factory=list)

    @classmethod
    def posted(cls, data: Mapping[str, object], *names: str) -> "Form":
        """Read the named fields of a POST, without surrounding spaces."""
        return cls({name: str(data.get(name, "")).strip() for name in names})

    def __getitem__(self, name: str) -> "Field":
        """Return the field for a template, which tries item access before attributes."""
        if name not in self.values:
            raise KeyError(name)
        return Field(name, self.values.get(name, ""), self.errors.get(name, ""))

    def value(self, name: str) -> str:
        """Value of a field; empty if it has none."""
        return self.values.get(name, "")

    def require(self, name: str, message: str) -> None:
        """Add `message` if the field is empty."""
        if not self.value(name):
            self.errors[name] = message

    def refused(self, error: ApiError, fields: Mapping[str, str]) -> None:
        """Add the messages of an API error.

        `fields` maps a path of `detail` (or a parent path) to a field name. Other messages become
        general.
        """
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
        """Whether the form has any message."""
        return bool(self.errors or self.general)

    @property
    def count(self) -> int:
        """Number of messages."""
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
