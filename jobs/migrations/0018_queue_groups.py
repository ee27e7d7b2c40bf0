"""Index of the waiting jobs by equal requests. It replaces the one by age."""

import django.db.models.fields.json
import django.db.models.functions
import django.db.models.lookups
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


def requested(amount):
    path = django.db.models.fields.json.KeyTransform('requests', 'resources')
    text = django.db.models.fields.json.KeyTextTransform(amount, path)
    return django.db.models.functions.Cast(text, models.BigIntegerField())


class Migration(migrations.Migration):

    atomic = False  # indexes are built while the previous release goes on writing

    dependencies = [('jobs', '0017_start_window')]

    operations = [
        # A build that was interrupted leaves an invalid index under this name.
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS job_queue_groups", migrations.RunSQL.noop),
        AddIndexConcurrently(
            model_name='job',
            index=models.Index(
                'project', 'type', 'priority', 'cluster', 'region',
                requested('cpu_millicores'), requested('memory_bytes'), requested('gpus'),
                django.db.models.lookups.GreaterThan(models.F('exclusive_key'), models.Value('')),
                django.db.models.lookups.IsNull(models.F('not_before'), False),
                'queued_at', 'id',
                condition=models.Q(('status', 'queued')),
                name='job_queue_groups',
            ),
        ),
        RemoveIndexConcurrently(model_name='job', name='job_queue'),
    ]
