"""Session of a lease's holder, so that a dead holder's lease is free at once. Null: of an earlier release."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0022_queue_lines"),
    ]

    operations = [
        migrations.AddField(
            model_name="lease",
            name="session_pid",
            field=models.IntegerField(null=True),
        ),
    ]
