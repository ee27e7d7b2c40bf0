"""Read-only tables of the Django admin that stay fast at any length.

They read rows through indexes and never write. The admin of jobs uses them, too.
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
    """Read-only rows."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class CountsFew(Paginator):  # type: ignore[type-arg]
    """A paginator that counts at most ROWS_COUNTED rows.

    Rows beyond that are reached by a search or a filter, not by paging.
    """

    @cached_property
    def count(self) -> int:
        """Count in the order of the list: PostgreSQL then reads the index and not the table."""
        rows: Any = self.object_list
        return len(rows.values_list("pk", flat=True)[:ROWS_COUNTED])


class LongTable(ReadOnly):
    """A table with very many rows: newest first by primary key, searched through an index."""

    paginator = CountsFew
    show_full_result_count = False
    list_per_page = 50
    ordering = ("-pk",)
    search_fields = ("pk",)  # enables the search field; `found` executes the search

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[Any]", search_term: str
    ) -> "tuple[QuerySet[Any], bool]":
        """Search by `found`. The default of Django would compare every row."""
        text = search_term.strip()
        return (self.found(queryset, text) if text and "\x00" not in text else queryset), False

    def found(self, queryset: "QuerySet[Any]", text: str) -> "QuerySet[Any]":
        """Return the rows that match `text`."""
        raise NotImplementedError

    def get_sortable_by(self, request: HttpRequest) -> Any:
        """Return no column: only the order of the primary key has an index."""
        return ()


class InTable(admin.TabularInline):  # type: ignore[type-arg]
    """Read-only rows on the page of another row."""

    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def as_uuid(text: str) -> UUID | None:
    """Return `text` as a UUID, or None if it is not one."""
    try:
        return UUID(text)
    except ValueError:
        return None
