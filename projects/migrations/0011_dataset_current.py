"""The version of a dataset that is current, where it is not the newest. Null for all rows: the previous release writes neither column."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("projects", "0003_twin_indexes")]

    operations = [
        migrations.AddField("dataset", "current_number", models.PositiveIntegerField(editable=False, null=True)),
        migrations.AddField("dataset", "current_set_at", models.PositiveIntegerField(editable=False, null=True)),
    ]
