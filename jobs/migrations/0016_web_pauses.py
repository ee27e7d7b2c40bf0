"""Intervals in which web did not serve claims, and the last refused claim of an attempt."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0015_job_type_names"),
    ]

    operations = [
        migrations.CreateModel(
            name="WebPause",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("cause", models.CharField(max_length=16)),
                ("from_at", models.DateTimeField()),
                ("to_at", models.DateTimeField()),
            ],
        ),
        migrations.AddField(
            model_name="attempt",
            name="called_at",
            field=models.DateTimeField(null=True),
        ),
    ]
