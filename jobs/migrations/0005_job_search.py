"""Indexes for lists of very many jobs: the admin's, by label, by a part of the name, by the end of the id, by what made something.

A part of a name is found by all its runs of up to three characters, as `pg_trgm` would do it; that extension is not there in every
PostgreSQL that Mimir runs on, so the function is our own.
"""

import django.contrib.postgres.indexes
import django.db.models.fields.json
import django.db.models.functions.comparison
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models


# What it costs is told to the planner, who would else compute it for row after row instead of asking the index.
TEXT_PARTS = """
CREATE FUNCTION jobs_text_parts(value text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 500 AS $$
    SELECT ARRAY(
        SELECT DISTINCT substr(upper(value), place, size)
        FROM generate_series(1, 3) size, generate_series(1, length(upper(value)) - size + 1) place
    )
$$
"""


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0003_input_rows'),
        ('projects', '0002_models_twins_profiles'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL(TEXT_PARTS, "DROP FUNCTION jobs_text_parts(text)"),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(models.OrderBy(models.F('created_at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='job_newest'),
        ),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(models.F('project'), models.F('type'), django.db.models.functions.comparison.Coalesce(django.db.models.fields.json.KeyTextTransform('pipeline', 'parameters'), django.db.models.fields.json.KeyTextTransform('output', 'parameters'), django.db.models.fields.json.KeyTextTransform('model', 'parameters'), django.db.models.fields.json.KeyTextTransform('twin', 'parameters')), models.OrderBy(models.F('created_at'), descending=True), name='job_producer'),
        ),
        migrations.AddIndex(
            model_name='job',
            index=django.contrib.postgres.indexes.GinIndex(fastupdate=False, fields=['labels'], name='job_labels'),
        ),
        migrations.AddIndex(
            model_name='job',
            index=django.contrib.postgres.indexes.GinIndex(models.Func(models.F('name'), function='jobs_text_parts'), gin_pending_list_limit=512, name='job_name_parts'),
        ),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(django.db.models.functions.comparison.Collate(django.db.models.functions.text.Reverse(django.db.models.functions.comparison.Cast('id', models.TextField())), 'C'), name='job_id_end'),
        ),
    ]
