"""Projects in Django admin. Versions are read-only; names and members can be edited."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from mimir.lib.errors import Invalid, MimirError
from projects.core.admin_tables import LongTable, ReadOnly
from projects.core.names import check_slug
from projects.members.write import member_remove, member_set
from projects.models import (
    AccessToken,
    AuditEvent,
    Dataset,
    DatasetProfile,
    DatasetVersion,
    Entity,
    Membership,
    ModelVersion,
    Pipeline,
    PipelineVersion,
    Project,
    ProjectStatus,
    Role,
    Twin,
    TwinDefinition,
    TwinRevision,
)
from projects.models import Model as TrainedModel
from projects.project.write import project_create, project_update


class MembershipInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Membership
    extra = 0
    autocomplete_fields = ("user",)


class ProjectForm(forms.ModelForm):  # type: ignore[type-arg]
    """Form of a project. It shows errors of the service at their fields."""

    def clean_slug(self) -> str:
        slug: str = self.cleaned_data["slug"]
        try:
            check_slug(slug)
        except Invalid as error:
            raise ValidationError(error.detail["slug"]) from error
        return slug

    def clean(self) -> Any:
        values = super().clean() or {}
        before = self.initial.get("status")
        if (
            before == ProjectStatus.ARCHIVED
            and self.changed_data
            and values.get("status") != ProjectStatus.ACTIVE
        ):
            self.add_error(
                None,
                "The project is archived. Set its status to active to change it.",
            )
        return values


@admin.register(Project)
class ProjectAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    form = ProjectForm
    list_display = ("slug", "name", "status", "created_by", "created_at")
    list_select_related = ("created_by",)
    list_filter = ("status",)
    search_fields = ("slug", "name")
    readonly_fields = ("created_by", "created_at", "updated_at")
    inlines = (MembershipInline,)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        # A project is archived, never deleted: its history belongs to others, too.
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*self.readonly_fields, "slug") if obj is not None else self.readonly_fields

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save through the services.

        The administrator who creates a project becomes its first maintainer.
        """
        if change:
            if form.changed_data:
                project_update(
                    project=obj, **{name: form.cleaned_data[name] for name in form.changed_data}
                )
            return
        values = form.cleaned_data
        created = project_create(
            slug=values["slug"],
            name=values["name"],
            description=values["description"],
            user=caller_of(request),
        )
        if values["status"] != ProjectStatus.ACTIVE:
            created = project_update(project=created, status=values["status"])
        if values.get("stored_bytes_max") is not None:
            created = project_update(project=created, stored_bytes_max=values["stored_bytes_max"])
        if values["automatic_resources"]:
            created = project_update(project=created, automatic_resources=True)
        obj.__dict__.update(created.__dict__)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Save members through their services.

        Refusals (for example removing the last maintainer) are shown as messages and not applied.
        """
        formset.save(commit=False)
        by = caller_of(request)
        steps: list[Callable[[], Any]] = [
            partial(member_remove, project=gone.project, user=gone.user, by=by)
            for gone in formset.deleted_objects
        ]
        for row, changed in formset.changed_objects:
            if "user" in changed:
                steps.append(
                    partial(
                        member_remove,
                        project=row.project,
                        user=Membership.objects.get(pk=row.pk).user,
                        by=by,
                    )
                )
        rows = [*(row for row, _changed in formset.changed_objects), *formset.new_objects]
        steps += [
            partial(member_set, project=row.project, user=row.user, role=Role(row.role), by=by)
            for row in rows
        ]
        for step in steps:
            try:
                step()
            except MimirError as error:
                self.message_user(request, error.message, messages.ERROR)


def caller_of(request: HttpRequest) -> User:
    """Return the user of the request. Only administrators can open the admin."""
    assert isinstance(request.user, User)
    return request.user


@admin.register(Dataset)
class DatasetAdmin(ReadOnly):
    list_display = ("name", "project", "latest_number", "created_at")
    list_select_related = ("project",)
    search_fields = ("name", "project__slug")


class Versions(LongTable):
    """Versions of a named object, searched by its exact name."""

    of = ""  # the relation to the named object

    def found(self, queryset: "QuerySet[Any]", text: str) -> "QuerySet[Any]":
        return queryset.filter(**{f"{self.of}__name": text})


@admin.register(DatasetVersion)
class DatasetVersionAdmin(Versions):
    of = "dataset"
    list_display = (
        "dataset",
        "number",
        "format",
        "row_count",
        "size_bytes",
        "source",
        "created_at",
    )
    list_select_related = ("dataset",)
    search_help_text = "Exact name of a dataset"


@admin.register(DatasetProfile)
class DatasetProfileAdmin(LongTable):
    list_display = ("version", "fault", "created_at")
    list_select_related = ("version__dataset",)
    search_help_text = "Exact name of a dataset"

    def found(self, queryset: "QuerySet[Any]", text: str) -> "QuerySet[Any]":
        return queryset.filter(version__dataset__name=text)


@admin.register(TrainedModel)
class ModelAdmin(ReadOnly):
    list_display = ("name", "project", "latest_number", "created_at")
    list_select_related = ("project",)
    search_fields = ("name", "project__slug")


@admin.register(ModelVersion)
class ModelVersionAdmin(Versions):
    of = "model"
    list_display = (
        "model",
        "number",
        "task",
        "algorithm",
        "target",
        "size_bytes",
        "created_by",
        "created_at",
    )
    list_select_related = ("model", "created_by")
    search_help_text = "Exact name of a model"


@admin.register(Twin)
class TwinAdmin(ReadOnly):
    list_display = ("name", "project", "latest_revision", "created_by", "created_at")
    list_select_related = ("project", "created_by")
    search_fields = ("name", "project__slug")


@admin.register(TwinDefinition)
class TwinDefinitionAdmin(Versions):
    of = "twin"
    list_display = ("twin", "number", "created_by", "created_at")
    list_select_related = ("twin", "created_by")
    search_help_text = "Exact name of a twin"


@admin.register(TwinRevision)
class TwinRevisionAdmin(Versions):
    of = "twin"
    list_display = (
        "twin",
        "number",
        "kind",
        "created",
        "changed",
        "removed",
        "created_by",
        "created_at",
    )
    list_select_related = ("twin", "created_by")
    search_help_text = "Exact name of a twin"


@admin.register(Entity)
class EntityAdmin(LongTable):
    list_display = ("twin", "type", "key", "status")
    list_select_related = ("twin",)
    search_help_text = "Exact key of an entity, or exact name of a twin"

    def found(self, queryset: "QuerySet[Any]", text: str) -> "QuerySet[Any]":
        """Search all twins through the index on twin and key."""
        named = list(Twin.objects.filter(name=text).values_list("pk", flat=True))
        if named:
            return queryset.filter(twin_id__in=named)
        return queryset.filter(
            twin_id__in=list(Twin.objects.values_list("pk", flat=True)), key=text
        )


@admin.register(Pipeline)
class PipelineAdmin(ReadOnly):
    list_display = ("name", "project", "latest_number", "created_at")
    list_select_related = ("project",)
    search_fields = ("name", "project__slug")


@admin.register(PipelineVersion)
class PipelineVersionAdmin(Versions):
    of = "pipeline"
    list_display = ("pipeline", "number", "created_by", "created_at")
    list_select_related = ("pipeline", "created_by")
    search_help_text = "Exact name of a pipeline"


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnly):
    list_display = ("at", "kind", "actor_name", "subject", "project_slug", "address")
    list_filter = ("kind",)
    search_fields = ("=actor_name", "=subject", "=project_slug", "=address")
    search_help_text = "Exact user name, subject, project or address"
    date_hierarchy = None


@admin.register(AccessToken)
class AccessTokenAdmin(ReadOnly):
    list_display = ("user", "kind", "name", "hint", "created_at", "expires_at", "last_used_at")
    list_select_related = ("user",)
    list_filter = ("kind",)
    search_fields = ("user__username", "name")
    exclude = ("digest",)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        # An administrator can delete the token of any user.
        return admin.ModelAdmin.has_delete_permission(self, request, obj)
