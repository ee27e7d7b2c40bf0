"""Free space in pages for updates in place, and earlier vacuums of the tables that change most."""

from django.db import migrations

TABLES = ('jobs_job', 'jobs_attempt')
SETTINGS = 'fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02'


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0018_queue_groups'),
    ]

    operations = [
        migrations.RunSQL(
            sql=[f'ALTER TABLE {table} SET ({SETTINGS})' for table in TABLES],
            reverse_sql=[
                f'ALTER TABLE {table} RESET (fillfactor, autovacuum_vacuum_scale_factor, autovacuum_analyze_scale_factor)'
                for table in TABLES
            ],
        ),
    ]
