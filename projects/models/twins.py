"""Digital twins: entities with typed properties and a complete history.

The history of a twin is a sequence of revisions. A revision is a set of changes, each of one field
of one entity in one of two layers: values that updates report, and manual values of operators. The
state at a revision is the last change of each field up to it. The newest state is stored on the
entities, too, so that lists need no computation.
"""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from mimir.lib.ids import uuid7
from projects.models.datasets import DatasetVersion
from projects.models.projects import Project


class RevisionKind(models.TextChoices):
    """The cause of a revision. `edit` changes manual values only, so running updates stay valid."""

    UPDATE = "update", "Update"
    EDIT = "edit", "Edit"
    DEFINITION = "definition", "Definition"


class ChangeLayer(models.TextChoices):
    """The kind of field that changed: the status, a reported value or a manual value."""

    STATUS = "status", "Status"
    REPORTED = "reported", "Reported"
    OVERLAY = "overlay", "Overlay"


class EntityStatus(models.TextChoices):
    PRESENT = "present", "Present"
    MISSING = "missing", "Missing"  # absent from an update with missing=mark
    # Absent from an update with missing=delete. History and manual values stay.
    REMOVED = "removed", "Removed"


class Twin(models.Model):
    """A named twin. `latest_revision` is 0 before the first revision."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(
        Project,
        on_delete=models.CASCADE,
        related_name="twins",
        db_index=False,  # the unique index begins with it
    )
    name = models.CharField(max_length=200)
    definition_number = models.PositiveIntegerField(default=0)
    latest_revision = models.PositiveIntegerField(default=0)
    # The newest revision that is not an edit. An update is valid only if it started from it.
    base_revision = models.PositiveIntegerField(default=0)
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
    """An immutable definition: entity types, their keys, properties and relations.

    See mimir/lib/schemas/twin.py.
    """

    twin = models.ForeignKey(
        Twin,
        on_delete=models.CASCADE,
        related_name="definitions",
        db_index=False,  # the unique index begins with it
    )
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
    """An immutable step of a twin's history. Its changes are in `changes`."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    twin = models.ForeignKey(
        Twin,
        on_delete=models.CASCADE,
        related_name="revisions",
        db_index=False,  # the unique index begins with it
    )
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=16, choices=RevisionKind)
    definition_number = models.PositiveIntegerField()
    # The dataset version that an update read.
    dataset_version = models.ForeignKey(
        DatasetVersion, null=True, on_delete=models.PROTECT, related_name="+"
    )
    created = models.PositiveIntegerField(default=0)  # entities
    changed = models.PositiveIntegerField(default=0)
    removed = models.PositiveIntegerField(default=0)
    note = models.CharField(max_length=1000, blank=True, default="")  # reason of an edit
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
    """An entity of a twin, with its newest state.

    `reported` and `overlay`: {property: {"value", "revision"}}.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    twin = models.ForeignKey(
        Twin,
        on_delete=models.CASCADE,
        related_name="entities",
        db_index=False,  # the unique index begins with it
    )
    type = models.CharField(max_length=100)
    key = models.CharField(max_length=500)
    status = models.CharField(max_length=16, choices=EntityStatus, default=EntityStatus.PRESENT)
    status_revision = models.PositiveIntegerField(default=0)
    reported = models.JSONField(default=dict)
    overlay = models.JSONField(default=dict)
    created_revision = models.PositiveIntegerField()
    changed_revision = models.PositiveIntegerField()  # the last one with a change of the entity

    class Meta:
        ordering = ("type", "key")
        # Its index also serves the list by type and key.
        constraints = (
            models.UniqueConstraint(fields=("twin", "type", "key"), name="entity_key_once"),
        )

    def __str__(self) -> str:
        return f"{self.type} {self.key}"


class Change(models.Model):
    """One field of one entity after one revision. `present` false: the field has no value."""

    revision = models.ForeignKey(TwinRevision, on_delete=models.CASCADE, related_name="changes")
    # The twin of the entity, for the index below. The entity's foreign key guarantees it. The twin
    # and the entity have no index of their own: the indexes below begin with them.
    twin = models.ForeignKey(
        Twin, on_delete=models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )
    entity = models.ForeignKey(
        Entity, on_delete=models.CASCADE, related_name="changes", db_index=False
    )
    number = models.PositiveIntegerField()  # the revision's
    layer = models.CharField(max_length=16, choices=ChangeLayer)
    # Empty in the layer `status`.
    property = models.CharField(max_length=100, blank=True, default="")
    present = models.BooleanField(default=True)
    value = models.JSONField(null=True)

    class Meta:
        ordering = (F("number").desc(), "id")
        constraints = (
            # Its index also serves the history of an entity.
            models.UniqueConstraint(
                fields=("entity", "layer", "property", "number"), name="change_once_per_revision"
            ),
            models.CheckConstraint(
                condition=Q(present=True) | Q(value__isnull=True), name="change_absent_has_no_value"
            ),
        )
        # For the difference of two revisions.
        indexes = (models.Index(fields=("twin", "number"), name="change_of_twin"),)
