"""What the admin's lists are made of: rows to look at, found by indexes, in tables of any length.

Law: no write; jobs' admin may use it too.
"""

from functools import cached_property
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest

ROWS_COUNTED = 2000


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows to look at."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class CountsFew(Paginator):  # type: ignore[type-arg]
    """Counts no further than ROWS_COUNTED: the rest is reached by a search or a filter, not by turning pages."""

    @cached_property
    def count(self) -> int:
        """In the order of the list, so that its index is read and not the table."""
        rows: Any = self.object_list
        return len(rows.values_list("pk", flat=True)[:ROWS_COUNTED])


class LongTable(ReadOnly):
    """A table that may have very many rows: newest first by its key, searched by what an index finds."""

    paginator = CountsFew
    show_full_result_count = False
    list_per_page = 50
    ordering = ("-pk",)
    search_fields = ("pk",)  # so that there is a field to search in; `found` is what searches

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[Any]", search_term: str
    ) -> "tuple[QuerySet[Any], bool]":
        """By `found`; never by comparing every row."""
        text = search_term.strip()
        return (self.found(queryset, text) if text and "\x00" not in text else queryset), False

    def found(self, queryset: "QuerySet[Any]", text: str) -> "QuerySet[Any]":
        """The rows that `text` names."""
        raise NotImplementedError

    def get_sortable_by(self, request: HttpRequest) -> Any:
        """No column: only the key's order has an index."""
        return ()


class InTable(admin.TabularInline):  # type: ignore[type-arg]
    """Rows to look at on another row's page."""

    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def as_uuid(text: str) -> UUID | None:
    """The id that `text` is, if it is one."""
    try:
        return UUID(text)
    except ValueError:
        return None
