"""Add the password stamp, the parent token and the client of sessions and tokens.

Rows that the previous release creates have no stamp until their next use. Existing rows get their
stamps in this migration.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

STAMP = r"""
UPDATE projects_accesstoken AS token
SET password_stamp = encode(sha256(convert_to('mimir password stamp', 'UTF8') || '\x00'::bytea || convert_to(owner.password, 'UTF8')), 'hex')
FROM auth_user AS owner
WHERE owner.id = token.user_id AND token.password_stamp = ''
"""


class Migration(migrations.Migration):
    dependencies = [
        ("projects", "0011_dataset_current"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField("accesstoken", "address", models.CharField(db_default="", default="", max_length=45)),
        migrations.AddField("accesstoken", "client", models.CharField(db_default="", default="", max_length=200)),
        migrations.AddField(
            "accesstoken",
            "parent",
            models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.CASCADE, related_name="children", to="projects.accesstoken"
            ),
        ),
        migrations.AddField("accesstoken", "password_stamp", models.CharField(db_default="", default="", max_length=64)),
        migrations.RunSQL(STAMP, migrations.RunSQL.noop),
    ]
