"""Add kinds of audit events about users.

The database stores kinds as text, so only Django's state changes.
"""

from django.db import migrations, models

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
    ("user_created", "User created"),
    ("user_changed", "User changed"),
    ("password_link_created", "Password link created"),
]


class Migration(migrations.Migration):
    dependencies = [("projects", "0010_project_quota")]

    operations = [
        migrations.AlterField(model_name="auditevent", name="kind", field=models.CharField(choices=KINDS, max_length=32)),
    ]
