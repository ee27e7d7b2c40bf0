"""Rows of what earlier jobs read, from their `inputs`."""

from django.db import migrations

BATCH = 500
COLUMNS = {"dataset": "dataset_version_id", "pipeline": "pipeline_version_id"}


def fill(apps, schema_editor):
    Job, JobInput = apps.get_model("jobs", "Job"), apps.get_model("jobs", "JobInput")
    rows = []
    for job_id, inputs in Job.objects.filter(input_rows__isnull=True).values_list("id", "inputs").iterator(chunk_size=BATCH):
        rows += [JobInput(job_id=job_id, **{COLUMNS[item["kind"]]: item["id"]}) for item in inputs if item["kind"] in COLUMNS]
        if len(rows) >= BATCH:
            JobInput.objects.bulk_create(rows)
            rows = []
    JobInput.objects.bulk_create(rows)


class Migration(migrations.Migration):
    dependencies = [("jobs", "0002_inputs_outputs")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
