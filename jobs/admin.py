"""Jobs in Django admin, read-only. Cancel and retry call the services; no form writes a status."""

import datetime as dt
import re
from collections.abc import Callable
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect

from jobs.admission.limits import limit_check, limit_set, limits_delete
from jobs.clusters.edit import cluster_change, cluster_create, cluster_delete, cluster_faults
from jobs.clusters.launchers.base import LauncherKind
from jobs.clusters.listing import cluster_is_free
from jobs.contract import FailureReason
from jobs.lifecycle.cancel import job_cancel
from jobs.lifecycle.retry import job_retry
from jobs.models import (
    Artifact,
    Attempt,
    Cluster,
    Job,
    JobEvent,
    JobInput,
    JobOutput,
    Lease,
    Limit,
    LoopBeat,
    MetricTotal,
    UsageSample,
    WebPause,
    WebUptime,
)
from jobs.queries.search import found_by, id_ends, titled_like
from jobs.types.registry import job_type_names
from mimir.lib.clock import utc_now
from mimir.lib.errors import Invalid, MimirError
from projects.core.admin_tables import InTable, LongTable, ReadOnly, as_uuid
from projects.models import Project

ID_END = re.compile(
    r"[0-9a-fA-F]{8}|[0-9a-fA-F]{12}|[0-9a-fA-F-]{13,36}"
    # An id or its end as pages show it.
)


class Recent(admin.SimpleListFilter):
    """Filter by submission time, served by the index of the list's order.

    A date hierarchy would scan the table.
    """

    title, parameter_name = "submitted", "submitted"
    DAYS = {"1": "in the last day", "7": "in the last 7 days", "30": "in the last 30 days"}

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return list(self.DAYS.items())

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Job]") -> "QuerySet[Job]":
        if self.value() not in self.DAYS:
            return queryset
        return queryset.filter(
            created_at__gte=utc_now() - dt.timedelta(days=int(str(self.value())))
        )


class Reason(admin.SimpleListFilter):
    """Filter by reason. The choices are the contract's: SELECT DISTINCT would scan the table."""

    title, parameter_name = "reason", "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [(reason.value, reason.value) for reason in FailureReason]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Job]") -> "QuerySet[Job]":
        return queryset.filter(reason=self.value()) if self.value() else queryset


class JobType(admin.SimpleListFilter):
    """Filter by type. The choices are the registry's: SELECT DISTINCT would scan the table."""

    title, parameter_name = "type", "type__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [(name, name) for name in job_type_names()]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> "QuerySet[Any]":
        return queryset.filter(type=self.value()) if self.value() else queryset


class Inputs(InTable):
    model = JobInput
    fields = readonly_fields = ("dataset_version", "pipeline_version", "model_version", "twin")
    verbose_name_plural = "Inputs"


class Outputs(InTable):
    model = JobOutput
    fields = readonly_fields = ("dataset_version", "model_version", "twin_revision")
    verbose_name_plural = "Outputs"


@admin.register(Job)
class JobAdmin(LongTable):
    list_display = (
        "id",
        "project",
        "name",
        "type",
        "status",
        "reason",
        "priority",
        "attempt",
        "created_at",
        "finished_at",
    )
    list_select_related = ("project",)
    list_filter = ("status", JobType, Reason, Recent)
    ordering = ("-created_at", "-id")  # type: ignore[assignment]
    search_help_text = "Job id or its end, project slug, or part of a title"
    inlines = (Inputs, Outputs)
    actions = ("cancel", "retry")

    @admin.action(description="Cancel the selected jobs")
    def cancel(self, request: HttpRequest, queryset: "QuerySet[Job]") -> None:
        self._each(
            request,
            queryset,
            "cancelled or stopping",
            lambda job: job_cancel(job_id=job.id, actor=f"admin:{request.user}"),
        )

    @admin.action(description="Retry the selected jobs")
    def retry(self, request: HttpRequest, queryset: "QuerySet[Job]") -> None:
        user = cast(User, request.user)  # the admin requires a signed-in user
        self._each(request, queryset, "submitted again", lambda job: job_retry(job=job, user=user))

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

    def found(self, queryset: "QuerySet[Job]", text: str) -> "QuerySet[Job]":
        project = Project.objects.filter(slug=text).first()
        if project is not None:
            return queryset.filter(project=project)
        if ID_END.fullmatch(text):
            return queryset.filter(found_by(id_ends(text)))
        return queryset.filter(found_by(titled_like(text)))

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)


class OfJob(LongTable):
    """Rows of a job, searched by the job's id."""

    search_help_text = "Complete job id"
    job = "job_id"

    def found(self, queryset: "QuerySet[Any]", text: str) -> "QuerySet[Any]":
        job_id = as_uuid(text)
        return queryset.none() if job_id is None else queryset.filter(**{self.job: job_id})


@admin.register(Attempt)
class AttemptAdmin(OfJob):
    list_display = (
        "name",
        "number",
        "cluster",
        "reason",
        "created_at",
        "claimed_at",
        "ended_at",
        "gone_at",
    )
    exclude = ("claim_id", "log_index")
    search_help_text = "Complete job id or worker name"

    def found(self, queryset: "QuerySet[Any]", text: str) -> "QuerySet[Any]":
        return (
            queryset.filter(name=text) if as_uuid(text) is None else super().found(queryset, text)
        )


@admin.register(JobEvent)
class JobEventAdmin(OfJob):
    list_display = ("job_id", "seq", "at", "attempt", "kind", "actor")


@admin.register(Artifact)
class ArtifactAdmin(OfJob):
    list_display = ("name", "role", "size_bytes", "sha256", "created_at")
    job = "attempt__job_id"


@admin.register(UsageSample)
class UsageSampleAdmin(OfJob):
    list_display = ("attempt", "at", "memory_bytes", "cpu_millicores")
    list_select_related = ("attempt",)
    job = "attempt__job_id"


@admin.register(WebUptime)
class WebUptimeAdmin(ReadOnly):
    list_display = ("name", "beat_at", "up_since", "counted_seconds")


@admin.register(WebPause)
class WebPauseAdmin(ReadOnly):
    list_display = ("cause", "from_at", "to_at")
    ordering = ("-to_at",)


@admin.register(LoopBeat)
class LoopBeatAdmin(ReadOnly):
    list_display = ("component", "instance", "started_at", "beat_at")
    ordering = ("component", "-beat_at")


@admin.register(Lease)
class LeaseAdmin(ReadOnly):
    list_display = ("name", "holder", "expires_at")


@admin.register(MetricTotal)
class MetricTotalAdmin(ReadOnly):
    list_display = ("metric", "type", "status", "label", "count", "amount")
    list_filter = ("metric", JobType)


class LimitForm(forms.ModelForm):  # type: ignore[type-arg]
    """Form that shows the errors of the service at their fields."""

    def clean(self) -> Any:
        values = {"scope": self.instance.scope, "key": self.instance.key, **(super().clean() or {})}
        try:
            limit_check(scope=values["scope"], key=values["key"], max_jobs=values.get("max_jobs"))
        except Invalid as error:
            for name, message in error.detail.items():
                self.add_error(name if name in self.fields else None, f"{name} {message}")
        return values


class ClusterForm(forms.ModelForm):  # type: ignore[type-arg]
    """Form that shows the errors of the service at their fields."""

    orchestrator_url = forms.CharField(
        max_length=500,
        required=False,
        # The service validates the URL.
    )

    def clean(self) -> Any:
        values = super().clean() or {}
        changed = {
            name: value
            for name, value in values.items()
            if self.instance._state.adding or name in self.changed_data
        }
        for name, message in cluster_faults(
            values=changed, cluster=None if self.instance._state.adding else self.instance
        ).items():
            self.add_error(name if name in self.fields else None, message)
        return values


@admin.register(Cluster)
class ClusterAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    form = ClusterForm
    list_display = (
        "name",
        "launcher",
        "enabled",
        "region",
        "capacity_jobs",
        "reached_at",
        "unreachable_since",
        "unreachable_message",
    )
    readonly_fields = (
        "installation",
        "reached_at",
        "unreachable_since",
        "unreachable_message",
        "away_seconds",
    )
    exclude = ("away_web_seconds",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (
            (*self.readonly_fields, "name", "launcher") if obj is not None else self.readonly_fields
        )

    def get_changeform_initial_data(self, request: HttpRequest) -> Any:
        return {
            "launcher": LauncherKind.KUBERNETES,
            "capacity_cpu_millicores": 0,
            "capacity_memory_bytes": 0,
        }

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Allow deletion of single clusters without references only."""
        return (
            obj is not None
            and cluster_is_free(name=obj.name)
            and super().has_delete_permission(request, obj)
        )

    def save_model(self, request: HttpRequest, obj: Cluster, form: Any, change: bool) -> None:
        """Save through the services, changed fields only: the reconciler writes the same row."""
        changes = {
            name: form.cleaned_data[name]
            for name in form.cleaned_data
            if not change or name in form.changed_data
        }
        if change:
            cluster_change(name=obj.name, changes=changes, actor=f"admin:{request.user}")
        else:
            cluster_create(actor=f"admin:{request.user}", **changes)

    def delete_model(self, request: HttpRequest, obj: Cluster) -> None:
        cluster_delete(name=obj.name, actor=f"admin:{request.user}")

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return self._with_error_message(
            request, lambda: super(ClusterAdmin, self).changeform_view(request, *args, **kwargs)
        )

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return self._with_error_message(
            request, lambda: super(ClusterAdmin, self).delete_view(request, *args, **kwargs)
        )

    def _with_error_message(self, request: HttpRequest, act: Callable[[], Any]) -> Any:
        """Run `act`; on an error of the service, show it above the form. Nothing was changed then.

        Some errors appear only while the row is locked, for example workers that still exist.
        """
        try:
            return act()
        except MimirError as error:
            self.message_user(request, f"No changes saved. {error.message}", messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())


@admin.register(Limit)
class LimitAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    form = LimitForm
    list_display = ("scope", "key", "max_jobs", "paused", "changed_by", "changed_at")
    readonly_fields = ("changed_by", "changed_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*self.readonly_fields, "scope", "key") if obj is not None else self.readonly_fields

    def save_model(self, request: HttpRequest, obj: Limit, form: Any, change: bool) -> None:
        """Save through the service, which checks the key and wakes admission."""
        row = limit_set(
            scope=obj.scope,
            key=obj.key,
            actor=f"admin:{request.user}",
            max_jobs=obj.max_jobs,
            paused=obj.paused,
        )
        obj.pk = row.pk

    def delete_model(self, request: HttpRequest, obj: Limit) -> None:
        limits_delete(ids=[obj.pk])

    def delete_queryset(self, request: HttpRequest, queryset: "QuerySet[Limit]") -> None:
        limits_delete(ids=list(queryset.values_list("pk", flat=True)))
