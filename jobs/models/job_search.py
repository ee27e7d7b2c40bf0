"""Search rows of jobs."""

from django.contrib.postgres.indexes import GinIndex
from django.db import models

from jobs.models.expressions import id_from_its_end, title_parts
from jobs.models.job import Job


class JobSearch(models.Model):
    """Titles and labels for searches in job lists. A trigger inserts the row with its job.

    A separate table, because each status change of a job writes all indexes of its row.
    Migrations 0024 and 0025 define the triggers and the foreign key, whose ON DELETE CASCADE also
    serves releases that do not know this table.
    """

    job = models.OneToOneField(
        Job,
        primary_key=True,
        on_delete=models.DO_NOTHING,  # the database deletes it with the job
        db_constraint=False,
        related_name="+",
    )
    titles = models.TextField()  # name and titles derived from type and parameters, one per line
    labels = models.JSONField(null=True)  # null: none

    class Meta:
        indexes = (
            GinIndex(
                title_parts(),
                gin_pending_list_limit=512,
                name="search_title_parts",
                # list searched by title
            ),
            models.Index(
                id_from_its_end(),
                name="search_id_end",
                # list searched by the end of an id
            ),
            GinIndex(
                fields=("labels",),
                condition=models.Q(labels__isnull=False),
                fastupdate=False,
                name="search_labels",
                # list filtered by label
            ),
        )

    def __str__(self) -> str:
        return self.titles
