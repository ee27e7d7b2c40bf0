"""JSON of the API: pages of lists, and JSON that users or workers define."""

from typing import Any, Generic, TypedDict, TypeVar

Json = Any
JsonObject = dict[str, Any]  # parameters, definitions, event data, results
Row = TypeVar("Row")


class Page(TypedDict, Generic[Row]):
    """One page of a list; `next` is the path of the next page."""

    results: list[Row]
    next: str | None
