"""Add the number of deactivations of each user, which invalidates earlier password links."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
        ('projects', '0012_audit_of_users'),
    ]

    operations = [
        migrations.CreateModel(
            name='Deactivation',
            fields=[
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='deactivation', serialize=False, to=settings.AUTH_USER_MODEL)),
                ('count', models.PositiveIntegerField()),
            ],
        ),
    ]
