"""Job types are packages now: the column lists none. Changes no table."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0014_job_search_text'),
        ('jobs', '0014_dismissed_failures'),
    ]

    operations = [
        migrations.AlterField(
            model_name='job',
            name='type',
            field=models.CharField(max_length=32),
        ),
    ]
