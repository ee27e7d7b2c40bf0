"""Retry with more memory: `memory_max` of a job, and the memory that each attempt ran with."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0019_hot_updates'),
    ]

    operations = [
        migrations.AddField(
            model_name='job',
            name='memory_max_bytes',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='job',
            name='memory_raised_from_bytes',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='attempt',
            name='memory_limit_bytes',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='attempt',
            name='memory_raised_to_bytes',
            field=models.BigIntegerField(null=True),
        ),
    ]
