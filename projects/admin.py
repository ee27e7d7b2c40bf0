"""Projects in Django admin. Versions are read-only: they never change; names and members are edited here."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import HttpRequest

from mimir.lib.errors import Invalid
from projects.models import AccessToken, Dataset, DatasetVersion, Membership, Pipeline, PipelineVersion, Project
from projects.names import check_slug


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows to look at."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class MembershipInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Membership
    extra = 0
    autocomplete_fields = ("user",)


class ProjectForm(forms.ModelForm):  # type: ignore[type-arg]
    """Says at the field what the API would refuse."""

    def clean_slug(self) -> str:
        slug: str = self.cleaned_data["slug"]
        try:
            check_slug(slug)
        except Invalid as error:
            raise ValidationError(error.detail["slug"]) from error
        return slug


@admin.register(Project)
class ProjectAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    form = ProjectForm
    list_display = ("slug", "name", "status", "created_by", "created_at")
    list_filter = ("status",)
    search_fields = ("slug", "name")
    readonly_fields = ("created_by", "created_at", "updated_at")
    inlines = (MembershipInline,)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False  # a project with jobs is archived, never deleted: its history belongs to others too

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*self.readonly_fields, "slug") if obj is not None else self.readonly_fields

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not change:
            obj.created_by = request.user
        super().save_model(request, obj, form, change)


@admin.register(Dataset)
class DatasetAdmin(ReadOnly):
    list_display = ("name", "project", "latest_number", "created_at")
    list_select_related = ("project",)
    search_fields = ("name", "project__slug")


@admin.register(DatasetVersion)
class DatasetVersionAdmin(ReadOnly):
    list_display = ("dataset", "number", "format", "row_count", "size_bytes", "source", "created_at")
    list_select_related = ("dataset",)
    list_filter = ("format", "source")
    search_fields = ("dataset__name", "sha256")


@admin.register(Pipeline)
class PipelineAdmin(ReadOnly):
    list_display = ("name", "project", "latest_number", "created_at")
    list_select_related = ("project",)
    search_fields = ("name", "project__slug")


@admin.register(PipelineVersion)
class PipelineVersionAdmin(ReadOnly):
    list_display = ("pipeline", "number", "created_by", "created_at")
    list_select_related = ("pipeline", "created_by")
    search_fields = ("pipeline__name",)


@admin.register(AccessToken)
class AccessTokenAdmin(ReadOnly):
    list_display = ("user", "kind", "name", "hint", "created_at", "expires_at", "last_used_at")
    list_select_related = ("user",)
    list_filter = ("kind",)
    search_fields = ("user__username", "name")
    exclude = ("digest",)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return admin.ModelAdmin.has_delete_permission(self, request, obj)  # an administrator may end anybody's token
