"""Search in the title that lists show: the given name, or else the title derived from type and parameters.

The text is derived by the index, not stored: no backfill, and rows that the previous release inserts meanwhile are found as well.
The titles are those of `mimir/frontend/pages/jobs/present.py`; a test compares the two.
"""

import django.contrib.postgres.indexes
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models

SEARCH_TEXT = """
CREATE OR REPLACE FUNCTION jobs_search_text(name text, type text, parameters jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 50 AS $$
    SELECT coalesce(name, '') || E'\\n' || CASE type
        WHEN 'pipeline_execution' THEN 'Pipeline ' || left(coalesce(parameters ->> 'pipeline', ''), 200)
        WHEN 'ml_training' THEN 'Train ' || left(coalesce(parameters ->> 'model', ''), 200)
            || ' on ' || left(coalesce(parameters ->> 'dataset', ''), 200) || E'\\nTraining'
        WHEN 'ml_inference' THEN 'Predict with ' || left(coalesce(parameters ->> 'model', ''), 200)
            || ' for ' || left(coalesce(parameters ->> 'dataset', ''), 200) || E'\\nPrediction'
        WHEN 'digital_twin_update' THEN 'Update ' || left(coalesce(parameters ->> 'twin', ''), 200)
            || ' from ' || left(coalesce(parameters ->> 'dataset', ''), 200) || E'\\nTwin update'
        ELSE type
    END
$$
"""


class Migration(migrations.Migration):

    atomic = False  # indexes are built while the previous release goes on writing

    dependencies = [('jobs', '0009_heartbeat_lost')]

    operations = [
        migrations.RunSQL(SEARCH_TEXT, "DROP FUNCTION jobs_search_text(text, text, jsonb)"),
        # A build that was interrupted leaves an invalid index under this name.
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS job_search_parts", migrations.RunSQL.noop),
        AddIndexConcurrently(
            model_name='job',
            index=django.contrib.postgres.indexes.GinIndex(
                models.Func(
                    models.Func(models.F('name'), models.F('type'), models.F('parameters'), function='jobs_search_text', output_field=models.TextField()),
                    function='jobs_text_parts',
                ),
                gin_pending_list_limit=512,
                name='job_search_parts',
            ),
        ),
        RemoveIndexConcurrently(model_name='job', name='job_name_parts'),
    ]
