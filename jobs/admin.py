"""Jobs in Django admin: rows to read. Cancel and retry go through the services; no form writes a status."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from jobs.models import Artifact, Attempt, Cluster, Job, JobEvent, Limit
from jobs.services.cancel import job_cancel
from jobs.services.clusters import cluster_change
from jobs.services.limits import limit_check, limit_set, limits_delete
from jobs.services.retry import job_retry
from mimir.lib.errors import Invalid, MimirError
from projects.admin import ReadOnly


@admin.register(Job)
class JobAdmin(ReadOnly):
    list_display = ("id", "project", "name", "type", "status", "reason", "priority", "attempt", "created_at", "finished_at")
    list_select_related = ("project",)
    list_filter = ("status", "type", "priority", "reason")
    search_fields = ("id", "name", "project__slug")
    date_hierarchy = "created_at"
    show_full_result_count = False
    actions = ("cancel", "retry")

    @admin.action(description="Cancel the selected jobs")
    def cancel(self, request: HttpRequest, queryset: "QuerySet[Job]") -> None:
        self._each(request, queryset, "cancelled, or asked to stop", lambda job: job_cancel(job_id=job.id, actor=f"admin:{request.user}"))

    @admin.action(description="Run the selected jobs again")
    def retry(self, request: HttpRequest, queryset: "QuerySet[Job]") -> None:
        self._each(request, queryset, "submitted again", lambda job: job_retry(job=job, user=request.user))  # type: ignore[arg-type]

    def _each(self, request: HttpRequest, queryset: "QuerySet[Job]", done: str, act: Any) -> None:
        count = 0
        for job in queryset.select_related("project"):
            try:
                act(job)
                count += 1
            except MimirError as error:
                self.message_user(request, f"{job}: {error.message}", messages.WARNING)
        if count:
            self.message_user(request, f"{count} jobs {done}.", messages.SUCCESS)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)


@admin.register(Attempt)
class AttemptAdmin(ReadOnly):
    list_display = ("name", "number", "cluster", "reason", "created_at", "claimed_at", "ended_at", "gone_at")
    list_filter = ("cluster", "reason")
    search_fields = ("name", "job__id")
    exclude = ("claim_id", "log_index")
    show_full_result_count = False


@admin.register(JobEvent)
class JobEventAdmin(ReadOnly):
    list_display = ("job_id", "seq", "at", "attempt", "kind", "actor")
    list_filter = ("kind",)
    search_fields = ("job__id",)
    show_full_result_count = False


@admin.register(Artifact)
class ArtifactAdmin(ReadOnly):
    list_display = ("name", "role", "size_bytes", "sha256", "created_at")
    list_filter = ("role",)
    search_fields = ("name", "sha256", "attempt__job__id")
    show_full_result_count = False


class LimitForm(forms.ModelForm):  # type: ignore[type-arg]
    """Says at the field what the service would refuse."""

    def clean(self) -> Any:
        asked = {"scope": self.instance.scope, "key": self.instance.key, **(super().clean() or {})}
        try:
            limit_check(scope=asked["scope"], key=asked["key"], max_jobs=asked.get("max_jobs"))
        except Invalid as error:
            for name, message in error.detail.items():
                self.add_error(name if name in self.fields else None, f"{name} {message}")
        return asked


@admin.register(Cluster)
class ClusterAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("name", "launcher", "enabled", "capacity_jobs", "reached_at", "unreachable_since", "unreachable_message")
    readonly_fields = ("name", "launcher", "installation", "reached_at", "unreachable_since", "unreachable_message")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Cluster, form: Any, change: bool) -> None:
        """Only what was changed here: the reconciler writes the same row."""
        cluster_change(cluster=obj, changes={name: form.cleaned_data[name] for name in form.changed_data})


@admin.register(Limit)
class LimitAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    form = LimitForm
    list_display = ("scope", "key", "max_jobs", "paused", "changed_by", "changed_at")
    readonly_fields = ("changed_by", "changed_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*self.readonly_fields, "scope", "key") if obj is not None else self.readonly_fields

    def save_model(self, request: HttpRequest, obj: Limit, form: Any, change: bool) -> None:
        """By the service, which checks the key and wakes admission."""
        row = limit_set(scope=obj.scope, key=obj.key, actor=f"admin:{request.user}", max_jobs=obj.max_jobs, paused=obj.paused)
        obj.pk = row.pk

    def delete_model(self, request: HttpRequest, obj: Limit) -> None:
        limits_delete(ids=[obj.pk])

    def delete_queryset(self, request: HttpRequest, queryset: "QuerySet[Limit]") -> None:
        limits_delete(ids=list(queryset.values_list("pk", flat=True)))
