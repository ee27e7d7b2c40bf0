"""One page of a list in the API."""

from typing import Generic, TypedDict, TypeVar

Row = TypeVar("Row")


class Page(TypedDict, Generic[Row]):
    """One page of a list; `next` is the path of the next page."""

    results: list[Row]
    next: str | None
