"""Bodies of the clusters API. Output serializers are used in the OpenAPI document only."""

from collections.abc import Callable
from typing import Any, TypedDict

from rest_framework import serializers

from jobs.clusters.check import (
    CAPACITIES,
    ENTRIES_MAX,
    GRACE_SECONDS,
    NAME,
    NAME_RULE,
    VALUE,
    VALUE_RULE,
)
from jobs.clusters.launchers.base import LauncherKind
from jobs.clusters.listing import Health
from jobs.core.resources import parse_cpu, parse_memory
from jobs.models import ModelCache
from mimir.api.fields import ObjectField, PatternField, WholeNumberField
from mimir.lib.json_types import Json, JsonObject

_Any = serializers.Serializer[Any]
_SELECTOR = '{"label": "value"}. A node must have these labels'
_TOLERATIONS = (
    'In the form of Kubernetes: [{"key", "operator", "value", "effect", "tolerationSeconds"}]'
)


def _quantity(parse: Callable[[str], int]) -> Callable[[str], None]:
    """Return a validator of quantities that `parse` accepts."""

    def check(text: str) -> None:
        try:
            parse(text)
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from error

    return check


class CapacityRequest(_Any):
    jobs = WholeNumberField(
        0, CAPACITIES["capacity_jobs"], required=False, help_text="Maximum number of workers."
    )
    cpu = serializers.CharField(
        required=False,
        allow_null=True,
        max_length=40,
        validators=[_quantity(parse_cpu)],
        help_text="For example 16 or 500m; null: unlimited.",
    )
    memory = serializers.CharField(
        required=False,
        allow_null=True,
        max_length=40,
        validators=[_quantity(parse_memory)],
        help_text="For example 64Gi; null: unlimited.",
    )
    gpu = WholeNumberField(0, CAPACITIES["capacity_gpus"], required=False)

    def to_internal_value(self, data: object) -> Any:
        """Reject unknown keys: a misspelt amount must not be read as "no limit"."""
        others = (
            sorted(str(name) for name in data if name not in self.fields)
            if isinstance(data, dict)
            else []
        )
        if others:
            raise serializers.ValidationError(
                {name: [f"is not a resource. Use {', '.join(self.fields)}"] for name in others}
            )
        return super().to_internal_value(data)


class CapacityFields(TypedDict, total=False):
    """Validated capacity. None: unlimited."""

    jobs: int
    cpu: str | None
    memory: str | None
    gpu: int


class ClusterFields(TypedDict, total=False):
    """Validated fields of a cluster. Only a new one has `name` and `launcher`."""

    name: str
    launcher: str
    enabled: bool
    region: str
    context: str
    namespace: str
    orchestrator_url: str
    model_cache: str
    node_selector: JsonObject
    tolerations: list[Json]
    gpu_node_selector: JsonObject
    gpu_tolerations: list[Json]
    away_grace_seconds: int
    capacity: CapacityFields


class ClusterChange(serializers.Serializer[ClusterFields]):
    enabled = serializers.BooleanField(
        required=False, help_text="false: no new workers are launched; running jobs continue."
    )
    region = PatternField(VALUE.pattern, VALUE_RULE, required=False, allow_blank=True)
    context = serializers.CharField(  # type: ignore[assignment]
        required=False,
        allow_blank=True,
        help_text="Context in KUBECONFIG_FILE. Empty: the cluster that Mimir runs in.",
    )
    namespace = PatternField(
        f"({NAME.pattern})?",
        NAME_RULE,
        required=False,
        allow_blank=True,
        help_text="Namespace of its workers. Empty: WORKER_NAMESPACE.",
    )
    orchestrator_url = serializers.CharField(
        required=False,
        allow_blank=True,
        help_text="URL at which its workers reach Mimir. Empty: ORCHESTRATOR_URL.",
    )
    model_cache = serializers.ChoiceField(
        choices=[kind.value for kind in ModelCache],
        required=False,
        help_text=f"{ModelCache.EMPTY_DIR.value}, or {ModelCache.CLAIM.value}: the volume claim"
        " model-cache-pvc of its namespace.",
    )
    node_selector = ObjectField(
        required=False, help_text=f"Node selector of every worker: {_SELECTOR}."
    )
    tolerations = serializers.ListField(
        child=serializers.JSONField(),
        max_length=ENTRIES_MAX,
        required=False,
        help_text=f"Tolerations of every worker. {_TOLERATIONS}.",
    )
    gpu_node_selector = ObjectField(
        required=False, help_text="Additional node selector of workers with GPUs."
    )
    gpu_tolerations = serializers.ListField(
        child=serializers.JSONField(),
        max_length=ENTRIES_MAX,
        required=False,
        help_text="Additional tolerations of workers with GPUs.",
    )
    away_grace_seconds = WholeNumberField(
        *GRACE_SECONDS,
        required=False,
        help_text="Seconds without a heartbeat after which a worker of an unreachable cluster"
        " counts as lost. Default: 600.",
    )
    capacity = CapacityRequest(required=False)


class ClusterRequest(ClusterChange):
    name = PatternField(NAME.pattern, NAME_RULE)
    launcher = serializers.CharField(
        required=False, default=LauncherKind.KUBERNETES.value, help_text="Must be kubernetes."
    )
    capacity = CapacityRequest()


class CapacityShape(_Any):
    jobs = serializers.IntegerField(help_text="Number of workers.")
    cpu = serializers.CharField(allow_null=True, help_text="null: unlimited.")
    memory = serializers.CharField(allow_null=True, help_text="null: unlimited.")
    gpu = serializers.IntegerField()


class HealthShape(_Any):
    state = serializers.ChoiceField(choices=[state.value for state in Health])
    reached_at = serializers.DateTimeField(
        allow_null=True, help_text="Time of the last successful list of its workers."
    )
    unreachable_since = serializers.DateTimeField(allow_null=True)
    message = serializers.CharField(
        help_text="Cause of the failed requests; empty while it is reachable."
    )


class ClusterShape(_Any):
    name = serializers.CharField()
    launcher = serializers.ChoiceField(choices=[kind.value for kind in LauncherKind])
    enabled = serializers.BooleanField()
    region = serializers.CharField()
    context = serializers.CharField()  # type: ignore[assignment]
    namespace = serializers.CharField()
    orchestrator_url = serializers.CharField()
    model_cache = serializers.ChoiceField(choices=[kind.value for kind in ModelCache])
    node_selector = serializers.DictField(child=serializers.CharField())
    tolerations = serializers.ListField(child=serializers.DictField())
    gpu_node_selector = serializers.DictField(child=serializers.CharField())
    gpu_tolerations = serializers.ListField(child=serializers.DictField())
    away_grace_seconds = serializers.IntegerField(
        help_text="Seconds without a heartbeat after which a worker of an unreachable cluster"
        " counts as lost."
    )
    capacity = CapacityShape()
    used = CapacityShape(help_text="Held by workers until they are observed gone.")
    health = HealthShape()


class PlaceShape(_Any):
    name = serializers.CharField()
    region = serializers.CharField(help_text="Empty: no region.")
    enabled = serializers.BooleanField(
        help_text="false: a job that requests it waits until an administrator enables it."
    )
