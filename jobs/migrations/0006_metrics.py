"""Counts for `/metrics`, and the totals of what happened before there were any.

A job that the previous release ends after this migration and before it is stopped is not in the totals: rows and totals differ by those.
"""

from django.db import migrations, models

LAUNCH_BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
DURATION_BOUNDS = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0)
INTO = "INSERT INTO jobs_metrictotal (metric, type, status, label, count, amount) "


def _bucket(seconds, bounds):
    whens = " ".join(f"WHEN {seconds} <= {bound} THEN '{bound}'" for bound in bounds)
    return f"CASE {whens} ELSE '+Inf' END"


def fill(apps, schema_editor):
    took = "extract(epoch FROM finished_at - started_at)"
    launch = "extract(epoch FROM a.claimed_at - a.created_at)"
    for statement in (
        "SELECT 'submitted', type, '', '', count(*), 0 FROM jobs_job GROUP BY type",
        "SELECT 'finished', type, status, reason, count(*), 0 FROM jobs_job WHERE finished_at IS NOT NULL GROUP BY type, status, reason",
        f"SELECT 'duration', type, status, {_bucket(took, DURATION_BOUNDS)}, count(*), sum(greatest(0, ({took} * 1000000)::bigint))"
        " FROM jobs_job WHERE finished_at IS NOT NULL AND started_at IS NOT NULL GROUP BY 2, 3, 4",
        f"SELECT 'launch', j.type, '', {_bucket(launch, LAUNCH_BOUNDS)}, count(*), sum(greatest(0, ({launch} * 1000000)::bigint))"
        " FROM jobs_attempt a JOIN jobs_job j ON j.id = a.job_id WHERE a.claimed_at IS NOT NULL GROUP BY 2, 4",
        "SELECT 'log', j.type, '', '', count(*), sum(a.log_end)"
        " FROM jobs_attempt a JOIN jobs_job j ON j.id = a.job_id WHERE a.log_closed_at IS NOT NULL GROUP BY 2",
        "SELECT 'tried_again', j.type, 'queued', coalesce(e.data ->> 'reason', ''), count(*), 0"
        " FROM jobs_jobevent e JOIN jobs_job j ON j.id = e.job_id WHERE e.kind = 'job.attempt_ended' GROUP BY 2, 4",
    ):
        schema_editor.execute(INTO + statement)


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0005_job_search'),
    ]

    operations = [
        migrations.CreateModel(
            name='MetricDelta',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('metric', models.CharField(max_length=16)),
                ('type', models.CharField(max_length=32)),
                ('status', models.CharField(blank=True, default='', max_length=16)),
                ('label', models.CharField(blank=True, default='', max_length=32)),
                ('count', models.BigIntegerField(default=1)),
                ('amount', models.BigIntegerField(default=0)),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='MetricTotal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('metric', models.CharField(max_length=16)),
                ('type', models.CharField(max_length=32)),
                ('status', models.CharField(blank=True, default='', max_length=16)),
                ('label', models.CharField(blank=True, default='', max_length=32)),
                ('count', models.BigIntegerField(default=1)),
                ('amount', models.BigIntegerField(default=0)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('metric', 'type', 'status', 'label'), name='metric_total_once')],
            },
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
