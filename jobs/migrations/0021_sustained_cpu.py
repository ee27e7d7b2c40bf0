"""CPU use of each attempt, computed once at its end. Null: not measured, or ended under an earlier release."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0020_memory_max"),
    ]

    operations = [
        migrations.AddField(
            model_name="attempt",
            name="cpu_sustained_millicores",
            field=models.BigIntegerField(null=True),
        ),
    ]
