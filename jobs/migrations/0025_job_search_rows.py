"""Search rows of the existing jobs, their indexes, and the end of those of the jobs table.

Each step can be repeated: a migration that was interrupted starts again. Jobs are copied in batches without a lock. Jobs that are
inserted meanwhile get their rows from the trigger.
"""

import django.contrib.postgres.indexes
import django.db.models.functions
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models

BATCH = 5000
FIRST = '00000000-0000-0000-0000-000000000000'
COPY = """
WITH batch AS (
    SELECT id, name, type, parameters, labels FROM jobs_job WHERE id > %s ORDER BY id LIMIT %s
), copied AS (
    INSERT INTO jobs_jobsearch (job_id, titles, labels)
    SELECT id, jobs_search_text(name, type, parameters), nullif(labels, '{}') FROM batch
    ON CONFLICT (job_id) DO NOTHING
)
SELECT id FROM batch ORDER BY id DESC LIMIT 1
"""
# The constraint comes after the copy: checked row by row, it would lock and write each job. A job that was deleted meanwhile has
# left its search row.
CONSTRAINT = (
    "ALTER TABLE jobs_jobsearch DROP CONSTRAINT IF EXISTS job_search_of_job",
    "ALTER TABLE jobs_jobsearch ADD CONSTRAINT job_search_of_job FOREIGN KEY (job_id) REFERENCES jobs_job (id) ON DELETE CASCADE NOT VALID",
    "DELETE FROM jobs_jobsearch AS search WHERE NOT EXISTS (SELECT FROM jobs_job WHERE id = search.job_id)",
    "ALTER TABLE jobs_jobsearch VALIDATE CONSTRAINT job_search_of_job",
)


def copy(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        last = FIRST
        while last is not None:
            cursor.execute(COPY, [last, BATCH])
            found = cursor.fetchone()
            last = found[0] if found else None


def index(name, index):
    """The operations that build an index; an interrupted build leaves an invalid one under its name."""
    return [
        migrations.RunSQL(f"DROP INDEX CONCURRENTLY IF EXISTS {name}", migrations.RunSQL.noop),
        AddIndexConcurrently(model_name='jobsearch', index=index),
    ]


class Migration(migrations.Migration):

    atomic = False  # indexes are built while the previous release goes on writing

    dependencies = [('jobs', '0024_job_search_table')]

    operations = [
        migrations.RunPython(copy, migrations.RunPython.noop),
        migrations.RunSQL(list(CONSTRAINT), CONSTRAINT[0]),
        *index(
            'search_title_parts',
            django.contrib.postgres.indexes.GinIndex(
                models.Func(models.F('titles'), function='jobs_text_parts'), gin_pending_list_limit=512, name='search_title_parts'
            ),
        ),
        *index(
            'search_id_end',
            models.Index(
                django.db.models.functions.Collate(
                    django.db.models.functions.Reverse(django.db.models.functions.Cast('job_id', models.TextField())), 'C'
                ),
                name='search_id_end',
            ),
        ),
        *index(
            'search_labels',
            django.contrib.postgres.indexes.GinIndex(
                condition=models.Q(('labels__isnull', False)), fastupdate=False, fields=['labels'], name='search_labels'
            ),
        ),
        migrations.RunSQL("ANALYZE jobs_jobsearch", migrations.RunSQL.noop),
        RemoveIndexConcurrently(model_name='job', name='job_search_parts'),
        RemoveIndexConcurrently(model_name='job', name='job_id_end'),
        RemoveIndexConcurrently(model_name='job', name='job_labels'),
    ]
