"""Index of the waiting jobs of each project and priority by age, with their requests."""

import django.db.models.fields.json
import django.db.models.functions
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


def requested(amount):
    path = django.db.models.fields.json.KeyTransform('requests', 'resources')
    text = django.db.models.fields.json.KeyTextTransform(amount, path)
    return django.db.models.functions.Cast(text, models.BigIntegerField())


class Migration(migrations.Migration):

    atomic = False  # the index is built while the previous release goes on writing

    dependencies = [('jobs', '0021_sustained_cpu')]

    operations = [
        # A build that was interrupted leaves an invalid index under this name.
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS job_queue_lines", migrations.RunSQL.noop),
        AddIndexConcurrently(
            model_name='job',
            index=models.Index(
                'project', 'priority', 'queued_at', 'id',
                requested('cpu_millicores'), requested('memory_bytes'), requested('gpus'),
                condition=models.Q(('status', 'queued')),
                name='job_queue_lines',
            ),
        ),
    ]
