"""Add an optional byte quota of a project, set by an administrator.

It is null for all rows: the previous release does not write the column.
"""

from django.core.validators import MinValueValidator
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("projects", "0006_dataset_tables_and_staged_uploads")]

    operations = [
        migrations.AddField(
            "project",
            "stored_bytes_max",
            models.BigIntegerField(
                blank=True,
                help_text="Bytes this project may store; empty: as PROJECT_BYTES_MAX says; 0: no limit.",
                null=True,
                validators=[MinValueValidator(0)],
                verbose_name="quota of stored bytes",
            ),
        ),
    ]
