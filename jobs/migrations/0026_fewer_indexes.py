"""Indexes that another index serves, or whose rows are mostly null or unchanged, go or become partial.

Each is written with each new version of a row that is not made in place.
"""

import django.db.models.deletion
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.models import Q

ENDED = ('succeeded', 'failed', 'cancelled')


def added(model, index):
    """The operations that build an index; an interrupted build leaves an invalid one under its name."""
    return [
        migrations.RunSQL(f"DROP INDEX CONCURRENTLY IF EXISTS {index.name}", migrations.RunSQL.noop),
        AddIndexConcurrently(model_name=model, index=index),
    ]


def foreign_key(model, field, to, name, **options):
    """The operation that removes the index of a foreign key."""
    options = {'on_delete': django.db.models.deletion.CASCADE, 'db_index': False, **options}
    return migrations.SeparateDatabaseAndState(
        state_operations=[migrations.AlterField(model, field, models.ForeignKey(to=to, **options))],
        database_operations=[
            migrations.RunSQL(
                f"DROP INDEX CONCURRENTLY IF EXISTS {name}",
                f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON jobs_{model} ({field}_id)",
            )
        ],
    )


def of_inputs(field):
    return added('jobinput', models.Index(fields=[field], condition=Q((f'{field}__isnull', False)), name=f'input_{field}'))


# `unique=True` has a second index, for LIKE. The constraint keeps its index.
NAME = migrations.SeparateDatabaseAndState(
    state_operations=[
        migrations.AlterField('attempt', 'name', models.CharField(max_length=100)),
        migrations.AddConstraint('attempt', models.UniqueConstraint(fields=('name',), name='attempt_name_once')),
    ],
    database_operations=[
        migrations.RunSQL(
            """
            DO $$ BEGIN
                IF EXISTS (SELECT FROM pg_constraint WHERE conname = 'jobs_attempt_name_key') THEN
                    ALTER TABLE jobs_attempt RENAME CONSTRAINT jobs_attempt_name_key TO attempt_name_once;
                END IF;
            END $$
            """,
            "ALTER TABLE jobs_attempt RENAME CONSTRAINT attempt_name_once TO jobs_attempt_name_key",
        ),
        migrations.RunSQL(
            "DROP INDEX CONCURRENTLY IF EXISTS jobs_attempt_name_09fcc80e_like",
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS jobs_attempt_name_09fcc80e_like ON jobs_attempt (name varchar_pattern_ops)",
        ),
    ],
)


# A foreign key to a text has an index for LIKE as well. The other index gets a name of its own.
CLUSTER = migrations.SeparateDatabaseAndState(
    state_operations=[
        migrations.AlterField(
            'attempt',
            'cluster',
            models.ForeignKey(
                to='jobs.cluster', on_delete=django.db.models.deletion.PROTECT, related_name='+', db_index=False
            ),
        ),
        migrations.AddIndex('attempt', models.Index(fields=['cluster'], name='attempt_of_cluster')),
    ],
    database_operations=[
        migrations.RunSQL(
            "ALTER INDEX IF EXISTS jobs_attempt_cluster_id_fd9b4a5a RENAME TO attempt_of_cluster",
            "ALTER INDEX IF EXISTS attempt_of_cluster RENAME TO jobs_attempt_cluster_id_fd9b4a5a",
        ),
        migrations.RunSQL(
            "DROP INDEX CONCURRENTLY IF EXISTS jobs_attempt_cluster_id_fd9b4a5a_like",
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS jobs_attempt_cluster_id_fd9b4a5a_like"
            " ON jobs_attempt (cluster_id varchar_pattern_ops)",
        ),
    ],
)


class Migration(migrations.Migration):

    atomic = False  # indexes are built while the previous release goes on writing

    dependencies = [('jobs', '0025_job_search_rows'), ('projects', '0014_automatic_resources')]

    operations = [
        *added(
            'job',
            models.Index(
                models.F('status'),
                models.OrderBy(models.F('created_at'), descending=True),
                models.OrderBy(models.F('id'), descending=True),
                condition=Q(('status__in', ENDED)),
                name='job_ended_newest',
            ),
        ),
        RemoveIndexConcurrently(model_name='job', name='job_status_newest'),
        *added('job', models.Index(fields=['retry_of'], condition=Q(('retry_of__isnull', False)), name='job_retry_of')),
        *of_inputs('dataset_version'),
        *of_inputs('pipeline_version'),
        *of_inputs('model_version'),
        *of_inputs('twin'),
        *added('attempt', models.Index(fields=['created_at'], condition=Q(('log_object__isnull', True)), name='attempt_not_sealed')),
        RemoveIndexConcurrently(model_name='attempt', name='attempt_log_to_seal'),
        foreign_key(
            'job', 'project', 'projects.project', 'jobs_job_project_id_93355715',
            on_delete=django.db.models.deletion.PROTECT, related_name='jobs',
        ),
        foreign_key(
            'job', 'retry_of', 'jobs.job', 'jobs_job_retry_of_id_376fde47',
            on_delete=django.db.models.deletion.SET_NULL, null=True, related_name='retries',
        ),
        foreign_key('attempt', 'job', 'jobs.job', 'jobs_attempt_job_id_b587cf59', related_name='attempts'),
        foreign_key('usagesample', 'attempt', 'jobs.attempt', 'jobs_usagesample_attempt_id_c48b5277', related_name='usage'),
        foreign_key('jobevent', 'job', 'jobs.job', 'jobs_jobevent_job_id_79067df7', related_name='events'),
        foreign_key('logchunk', 'attempt', 'jobs.attempt', 'jobs_logchunk_attempt_id_7e64fa29', related_name='log_chunks'),
        foreign_key('artifact', 'attempt', 'jobs.attempt', 'jobs_artifact_attempt_id_55a56754', related_name='artifacts'),
        foreign_key(
            'jobinput', 'dataset_version', 'projects.datasetversion', 'jobs_jobinput_dataset_version_id_1fd9809a',
            null=True, related_name='+',
        ),
        foreign_key(
            'jobinput', 'pipeline_version', 'projects.pipelineversion', 'jobs_jobinput_pipeline_version_id_1e7ad6f3',
            null=True, related_name='+',
        ),
        foreign_key(
            'jobinput', 'model_version', 'projects.modelversion', 'jobs_jobinput_model_version_id_06c0394f',
            null=True, related_name='+',
        ),
        foreign_key('jobinput', 'twin', 'projects.twin', 'jobs_jobinput_twin_id_ebc68882', null=True, related_name='+'),
        NAME,
        CLUSTER,
    ]
