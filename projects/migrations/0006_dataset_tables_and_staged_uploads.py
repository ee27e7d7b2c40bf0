"""Add the Parquet table, reading options and warnings of dataset versions, and staged uploads.

Safe while the previous release runs: new columns have defaults in the database, and nothing that it
reads is changed.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Value

import mimir.lib.ids


class Migration(migrations.Migration):
    dependencies = [
        ("projects", "0005_audit_events"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField("datasetversion", "packing", models.CharField(blank=True, db_default="", default="", max_length=16)),
        migrations.AddField("datasetversion", "table_key", models.CharField(blank=True, db_default="", default="", max_length=300)),
        migrations.AddField("datasetversion", "table_size_bytes", models.BigIntegerField(db_default=0, default=0)),
        migrations.AddField("datasetversion", "table_sha256", models.CharField(blank=True, db_default="", default="", max_length=64)),
        migrations.AddField("datasetversion", "reading", models.JSONField(db_default=Value({}, models.JSONField()), default=dict)),
        migrations.AddField("datasetversion", "warnings", models.JSONField(db_default=Value([], models.JSONField()), default=list)),
        migrations.AlterField(
            "datasetversion",
            "format",
            models.CharField(
                choices=[
                    ("csv", "CSV"),
                    ("jsonl", "JSON lines"),
                    ("parquet", "Parquet"),
                    ("json", "JSON"),
                    ("arrow", "Arrow"),
                    ("excel", "Excel"),
                ],
                max_length=16,
            ),
        ),
        migrations.CreateModel(
            "StagedUpload",
            [
                ("id", models.UUIDField(default=mimir.lib.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("file_name", models.CharField(max_length=300)),
                ("size_bytes", models.BigIntegerField()),
                ("sha256", models.CharField(max_length=64)),
                ("storage_key", models.CharField(max_length=300)),
                ("options", models.JSONField(default=dict)),
                ("reading", models.JSONField(null=True)),
                ("fault", models.TextField(blank=True, default="")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("expires_at", models.DateTimeField()),
                (
                    "created_by",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL),
                ),
                (
                    "project",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="staged_uploads", to="projects.project"),
                ),
            ],
            options={
                "ordering": ("-id",),
                "indexes": [
                    models.Index(fields=["expires_at"], name="staged_upload_expires"),
                    models.Index(fields=["storage_key"], name="staged_upload_object"),
                ],
            },
        ),
    ]
