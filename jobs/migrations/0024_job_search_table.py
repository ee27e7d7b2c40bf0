"""Table of the search rows of jobs, and the triggers that write them.

The triggers also serve the previous release, which inserts jobs while this one starts.
"""

import django.db.models.deletion
from django.db import migrations, models

TRIGGERS = """
CREATE OR REPLACE FUNCTION jobs_search_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO jobs_jobsearch (job_id, titles, labels)
    SELECT id, jobs_search_text(name, type, parameters), nullif(labels, '{}') FROM added;
    RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION jobs_search_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE jobs_jobsearch
    SET titles = jobs_search_text(NEW.name, NEW.type, NEW.parameters), labels = nullif(NEW.labels, '{}')
    WHERE job_id = NEW.id;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER job_search_added AFTER INSERT ON jobs_job
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION jobs_search_added();
CREATE OR REPLACE TRIGGER job_search_changed AFTER UPDATE OF name, type, parameters, labels ON jobs_job FOR EACH ROW
WHEN ((OLD.name, OLD.type, OLD.parameters, OLD.labels) IS DISTINCT FROM (NEW.name, NEW.type, NEW.parameters, NEW.labels))
EXECUTE FUNCTION jobs_search_changed();
"""
NO_TRIGGERS = """
DROP TRIGGER IF EXISTS job_search_changed ON jobs_job; DROP TRIGGER IF EXISTS job_search_added ON jobs_job;
DROP FUNCTION IF EXISTS jobs_search_changed(); DROP FUNCTION IF EXISTS jobs_search_added();
"""


class Migration(migrations.Migration):

    dependencies = [('jobs', '0023_lease_session')]

    operations = [
        migrations.CreateModel(
            name='JobSearch',
            fields=[
                ('job', models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, primary_key=True, related_name='+', serialize=False, to='jobs.job')),
                ('titles', models.TextField()),
                ('labels', models.JSONField(null=True)),
            ],
        ),
        # A search reads few rows of it: the start of parallel workers would take most of its time.
        migrations.RunSQL("ALTER TABLE jobs_jobsearch SET (parallel_workers = 0)", migrations.RunSQL.noop),
        migrations.RunSQL(TRIGGERS, NO_TRIGGERS),
    ]
