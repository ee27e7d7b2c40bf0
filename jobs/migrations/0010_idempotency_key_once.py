"""One job per idempotency key also where the submitter is null: a submission of the system's own, or of a user who was deleted.

The earlier index let such rows pass. Where there are duplicates the oldest job keeps the key; the others lose the key and nothing else.
Two users of the same key may both be deleted, which makes their jobs equal: a trigger takes the key from a job whose user is deleted,
since nobody can repeat that request any more. It also serves the previous release, which may still delete users while this one starts.
"""

from django.db import migrations, models
from django.db.models import Q

TRIGGER = """
CREATE OR REPLACE FUNCTION jobs_forget_idempotency_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.idempotency_key := NULL;
    NEW.idempotency_digest := '';
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER job_user_deleted BEFORE UPDATE OF created_by_id ON jobs_job FOR EACH ROW
WHEN (OLD.created_by_id IS NOT NULL AND NEW.created_by_id IS NULL AND NEW.idempotency_key IS NOT NULL)
EXECUTE FUNCTION jobs_forget_idempotency_key();
"""
NO_TRIGGER = "DROP TRIGGER IF EXISTS job_user_deleted ON jobs_job; DROP FUNCTION IF EXISTS jobs_forget_idempotency_key();"
DUPLICATES = """
UPDATE jobs_job SET idempotency_key = NULL, idempotency_digest = ''
WHERE id IN (
    SELECT id FROM (
        SELECT id, row_number() OVER (PARTITION BY project_id, idempotency_key ORDER BY created_at, id) AS place
        FROM jobs_job WHERE created_by_id IS NULL AND idempotency_key IS NOT NULL
    ) AS numbered WHERE place > 1
);
"""
COLUMNS = "ON jobs_job (project_id, created_by_id, idempotency_key)"


class Migration(migrations.Migration):
    atomic = False  # indexes are built without blocking the previous release's writes

    dependencies = [('jobs', '0014_job_search_text')]

    operations = [
        migrations.RunSQL(TRIGGER, NO_TRIGGER),
        migrations.RunSQL(DUPLICATES, migrations.RunSQL.noop),
        # A build that was interrupted leaves an invalid index under this name.
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS job_idempotency_key_new", migrations.RunSQL.noop),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    f"CREATE UNIQUE INDEX CONCURRENTLY job_idempotency_key_new {COLUMNS} NULLS NOT DISTINCT WHERE idempotency_key IS NOT NULL",
                    migrations.RunSQL.noop,
                ),
                migrations.RunSQL(
                    "DROP INDEX CONCURRENTLY IF EXISTS job_idempotency_key_once",
                    f"CREATE UNIQUE INDEX CONCURRENTLY job_idempotency_key_once {COLUMNS} WHERE idempotency_key IS NOT NULL",
                ),
                migrations.RunSQL(
                    "ALTER INDEX job_idempotency_key_new RENAME TO job_idempotency_key_once",
                    "DROP INDEX CONCURRENTLY IF EXISTS job_idempotency_key_once",
                ),
            ],
            state_operations=[
                migrations.RemoveConstraint(model_name='job', name='job_idempotency_key_once'),
                migrations.AddConstraint(
                    model_name='job',
                    constraint=models.UniqueConstraint(
                        fields=('project', 'created_by', 'idempotency_key'),
                        condition=Q(idempotency_key__isnull=False),
                        nulls_distinct=False,
                        name='job_idempotency_key_once',
                    ),
                ),
            ],
        ),
    ]
