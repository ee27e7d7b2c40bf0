"""Add the current version of a dataset, if it is not the newest one.

Both columns are null for all rows: the previous release does not write them.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("projects", "0003_twin_indexes")]

    operations = [
        migrations.AddField("dataset", "current_number", models.PositiveIntegerField(editable=False, null=True)),
        migrations.AddField("dataset", "current_set_at", models.PositiveIntegerField(editable=False, null=True)),
    ]
