"""Request and response bodies of twins. `rendering.py` builds the responses."""

from typing import Any, NotRequired, TypedDict

from rest_framework import serializers

from mimir.api.fields import ObjectField, PatternField
from mimir.lib.json_types import Json, JsonObject
from projects.core.names import NAME_PATTERN, NAME_RULE
from projects.datasets.shapes import VersionRef
from projects.models import ChangeLayer, EntityStatus, RevisionKind

_Any = serializers.Serializer[Any]
_VALUE = "A value of the property's type; null: no value."


class TwinFields(TypedDict):
    """Checked request to create a twin. The definition is not checked yet."""

    name: str
    definition: JsonObject


class TwinRequest(serializers.Serializer[TwinFields]):
    name = PatternField(NAME_PATTERN, NAME_RULE)
    definition = ObjectField(
        help_text='{"types": [{"name", "title"?, "key": {"name"}, "properties": […],'
        ' "relations"?: […]}]}'
    )


class DefinitionFields(TypedDict):
    """Request to check a definition."""

    definition: Json


class TwinDefinitionRequest(serializers.Serializer[DefinitionFields]):
    definition = serializers.JSONField(
        allow_null=True, help_text="Any JSON value. The answer lists its faults."
    )


class DefinitionChange(TypedDict):
    """Checked request to change a definition, which is not checked yet."""

    definition: JsonObject
    unit_changes: NotRequired[str]


class TwinDefinitionChange(serializers.Serializer[DefinitionChange]):
    definition = ObjectField()
    unit_changes = serializers.ChoiceField(
        choices=["keep", "remove"],
        required=False,
        help_text="For values whose property gets another unit: keep the numbers, or remove the"
        " values. Required only in that case (409 unit_changed).",
    )


class TwinFault(_Any):
    path = serializers.CharField(allow_blank=True)
    message = serializers.CharField()


class TwinDefinitionCheck(_Any):
    valid = serializers.BooleanField()
    errors = TwinFault(many=True)  # type: ignore[assignment]


class TwinTypeShape(_Any):
    name = serializers.CharField()
    title = serializers.CharField(allow_blank=True)
    entities = serializers.IntegerField()


class TwinShape(_Any):
    name = serializers.CharField()
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField(allow_null=True)
    types = TwinTypeShape(many=True)
    revision = serializers.IntegerField(help_text="The newest revision; 0: there is none yet.")
    definition_number = serializers.IntegerField()
    updated_at = serializers.DateTimeField(allow_null=True)


class TwinDetail(TwinShape):
    definition = serializers.DictField()


class EntityShape(_Any):
    type = serializers.CharField()
    key = serializers.CharField()
    status = serializers.ChoiceField(choices=EntityStatus.choices)
    changed_revision = serializers.IntegerField()
    values = serializers.DictField(
        help_text="{property: value in effect}. A manual value overrides the reported one."
    )
    overlay = serializers.ListField(
        child=serializers.CharField(), help_text="The properties with a manual value."
    )


class SourceShape(_Any):
    revision = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=RevisionKind.choices)
    at = serializers.DateTimeField()
    by = serializers.CharField(allow_null=True)
    note = serializers.CharField(allow_blank=True)
    job = serializers.UUIDField(allow_null=True)
    dataset = VersionRef(allow_null=True)


class EditShape(SourceShape):
    value = serializers.JSONField(allow_null=True)


class ValueShape(_Any):
    property = serializers.CharField()
    title = serializers.CharField(allow_blank=True)
    type = serializers.CharField(
        help_text="number, integer, string, boolean, date, datetime or relation"
    )
    unit = serializers.CharField(allow_blank=True)
    to = serializers.CharField(allow_blank=True, help_text="Of a relation: the type of its target.")
    value = serializers.JSONField(allow_null=True, help_text=_VALUE)
    reported = serializers.JSONField(allow_null=True, help_text=_VALUE)
    source = SourceShape(allow_null=True)  # type: ignore[assignment]
    overlay = EditShape(allow_null=True)


class EntityDetailShape(_Any):
    type = serializers.CharField()
    key = serializers.CharField()
    status = serializers.ChoiceField(choices=EntityStatus.choices)
    created_revision = serializers.IntegerField()
    changed_revision = serializers.IntegerField()
    values = ValueShape(many=True)


class OverlayFields(TypedDict):
    """Checked request to set manual values, which are not checked yet."""

    values: JsonObject
    note: str


class OverlayRequest(serializers.Serializer[OverlayFields]):
    values = serializers.DictField(
        help_text="{property: manual value}. null removes the manual value."
    )
    note = serializers.CharField(
        max_length=1000,
        required=False,
        allow_blank=True,
        default="",
        help_text="The reason, for others.",
    )


class ChangeShape(SourceShape):
    property = serializers.CharField(allow_blank=True)
    layer = serializers.ChoiceField(choices=ChangeLayer.choices)
    present = serializers.BooleanField()
    value = serializers.JSONField(allow_null=True)


class RevisionShape(_Any):
    number = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=RevisionKind.choices)
    created = serializers.IntegerField()
    changed = serializers.IntegerField()
    removed = serializers.IntegerField()
    note = serializers.CharField(allow_blank=True)
    at = serializers.DateTimeField()
    by = serializers.CharField(allow_null=True)
    job = serializers.UUIDField(allow_null=True)
    dataset = VersionRef(allow_null=True)
    definition_number = serializers.IntegerField()


class EntityStateShape(_Any):
    type = serializers.CharField()
    key = serializers.CharField()
    status = serializers.ChoiceField(choices=EntityStatus.choices)
    reported = serializers.DictField()
    overlay = serializers.DictField()


class StateShape(_Any):
    revision = serializers.IntegerField()
    results = EntityStateShape(many=True)
    next = serializers.CharField(allow_null=True)


class FieldChangeShape(_Any):
    layer = serializers.ChoiceField(choices=ChangeLayer.choices)
    property = serializers.CharField(allow_blank=True)
    old = serializers.JSONField(allow_null=True)
    new = serializers.JSONField(allow_null=True)


class EntityDiffShape(_Any):
    type = serializers.CharField()
    key = serializers.CharField()
    change = serializers.ChoiceField(choices=["created", "changed", "removed"])
    fields = FieldChangeShape(many=True)  # type: ignore[assignment]


class DiffShape(_Any):
    results = EntityDiffShape(many=True)
    next = serializers.CharField(allow_null=True)
    to = serializers.IntegerField()

    def get_fields(self) -> Any:
        """Add `from`, which is a keyword of Python."""
        return {"from": serializers.IntegerField(), **super().get_fields()}
