"""Add the audit trail of access."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import mimir.lib.ids

KINDS = [
    ("signed_in", "Signed in"),
    ("signed_out", "Signed out"),
    ("sessions_ended", "Sessions ended"),
    ("password_changed", "Password changed"),
    ("access_ended", "Access ended"),
    ("token_created", "Token created"),
    ("token_deleted", "Token deleted"),
    ("member_added", "Member added"),
    ("member_changed", "Member changed"),
    ("member_removed", "Member removed"),
]


class Migration(migrations.Migration):
    dependencies = [
        ("projects", "0004_access_ends"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="AuditEvent",
            fields=[
                ("id", models.UUIDField(default=mimir.lib.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("at", models.DateTimeField(auto_now_add=True)),
                ("kind", models.CharField(choices=KINDS, max_length=32)),
                ("actor_name", models.CharField(max_length=150)),
                ("address", models.CharField(max_length=45)),
                ("project_slug", models.CharField(max_length=63)),
                ("subject", models.CharField(max_length=300)),
                ("detail", models.JSONField(default=dict)),
                (
                    "actor",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "ordering": (models.OrderBy(models.F("id"), descending=True),),
                "indexes": [models.Index(fields=["at"], name="audit_at")],
            },
        ),
    ]
