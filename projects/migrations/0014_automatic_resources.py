"""Project setting for recommended limits. Its default is in the database: the previous release inserts projects without it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("projects", "0013_deactivations"),
    ]

    operations = [
        migrations.AddField(
            model_name="project",
            name="automatic_resources",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Jobs without resources get the limits that fit earlier runs.",
            ),
        ),
    ]
