"""Digital twins: entities with typed properties, whose every state is kept.

A twin's history is a line of revisions; a revision is a set of changes, each of one field of one entity in one of two layers: what
updates report, and what operators set over it. A state at a revision is the last change of each field up to it. The newest state also
stands on the entities themselves, so that lists need not be computed.
"""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from mimir.lib.ids import uuid7
from projects.models.datasets import DatasetVersion
from projects.models.projects import Project


class RevisionKind(models.TextChoices):
    """What made a revision. `edit` touches the overlay alone, so that it makes no running update's base stale."""

    UPDATE = "update", "Update"
    EDIT = "edit", "Edit"
    DEFINITION = "definition", "Definition"


class ChangeLayer(models.TextChoices):
    """Which field of an entity changed: its being there, a reported value, or a value an operator set over it."""

    STATUS = "status", "Status"
    REPORTED = "reported", "Reported"
    OVERLAY = "overlay", "Overlay"


class EntityStatus(models.TextChoices):
    PRESENT = "present", "Present"
    MISSING = "missing", "Missing"  # an update with missing=mark did not name it
    REMOVED = (
        "removed",
        "Removed",
    )  # an update with missing=delete did not name it; its history and its overlay stay


class Twin(models.Model):
    """A named twin; `latest_revision` is 0 until something is known of it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="twins")
    name = models.CharField(max_length=200)
    definition_number = models.PositiveIntegerField(default=0)
    latest_revision = models.PositiveIntegerField(default=0)
    base_revision = models.PositiveIntegerField(
        default=0
    )  # the newest that is not an edit: what an update has to have seen
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(fields=("project", "name"), name="twin_name_once_per_project"),
        )

    def __str__(self) -> str:
        return self.name


class TwinDefinition(models.Model):
    """One immutable definition: entity types, their keys, properties and relations. See mimir/lib/schemas/twin.py."""

    twin = models.ForeignKey(Twin, on_delete=models.CASCADE, related_name="definitions")
    number = models.PositiveIntegerField()
    definition = models.JSONField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-number",)
        constraints = (
            models.UniqueConstraint(fields=("twin", "number"), name="twin_definition_number_once"),
        )


class TwinRevision(models.Model):
    """One step of a twin's history, immutable; what it changed is in its `changes`."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    twin = models.ForeignKey(Twin, on_delete=models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=16, choices=RevisionKind)
    definition_number = models.PositiveIntegerField()
    dataset_version = models.ForeignKey(
        DatasetVersion, null=True, on_delete=models.PROTECT, related_name="+"
    )  # of an update
    created = models.PositiveIntegerField(default=0)  # entities
    changed = models.PositiveIntegerField(default=0)
    removed = models.PositiveIntegerField(default=0)
    note = models.CharField(max_length=1000, blank=True, default="")  # why an operator edited
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-number",)
        constraints = (
            models.UniqueConstraint(fields=("twin", "number"), name="twin_revision_number_once"),
        )

    def __str__(self) -> str:
        return f"{self.twin} r{self.number}"


class Entity(models.Model):
    """One thing of a twin, with its newest state. `reported` and `overlay`: {property: {"value", "revision"}}."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    twin = models.ForeignKey(Twin, on_delete=models.CASCADE, related_name="entities")
    type = models.CharField(max_length=100)
    key = models.CharField(max_length=500)
    status = models.CharField(max_length=16, choices=EntityStatus, default=EntityStatus.PRESENT)
    status_revision = models.PositiveIntegerField(default=0)
    reported = models.JSONField(default=dict)
    overlay = models.JSONField(default=dict)
    created_revision = models.PositiveIntegerField()
    changed_revision = models.PositiveIntegerField()  # the last one that changed anything of it

    class Meta:
        ordering = ("type", "key")
        constraints = (
            models.UniqueConstraint(fields=("twin", "type", "key"), name="entity_key_once"),
        )  # also the list by type and key

    def __str__(self) -> str:
        return f"{self.type} {self.key}"


class Change(models.Model):
    """One field of one entity after one revision. `value` null with `present` false: the field has no value any more."""

    revision = models.ForeignKey(TwinRevision, on_delete=models.CASCADE, related_name="changes")
    # The entity's own twin, for the index below; the entity's key vouches for it. No index of its own: those below begin with them.
    twin = models.ForeignKey(
        Twin, on_delete=models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )
    entity = models.ForeignKey(
        Entity, on_delete=models.CASCADE, related_name="changes", db_index=False
    )
    number = models.PositiveIntegerField()  # the revision's
    layer = models.CharField(max_length=16, choices=ChangeLayer)
    property = models.CharField(
        max_length=100, blank=True, default=""
    )  # empty in the layer `status`
    present = models.BooleanField(default=True)
    value = models.JSONField(null=True)

    class Meta:
        ordering = (F("number").desc(), "id")
        constraints = (
            models.UniqueConstraint(
                fields=("entity", "layer", "property", "number"), name="change_once_per_revision"
            ),  # also a history
            models.CheckConstraint(
                condition=Q(present=True) | Q(value__isnull=True), name="change_absent_has_no_value"
            ),
        )
        indexes = (
            models.Index(fields=("twin", "number"), name="change_of_twin"),
        )  # the diff of two revisions
