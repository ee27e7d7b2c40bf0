import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0016_web_pauses'),
    ]

    operations = [
        migrations.CreateModel(
            name='StartWindow',
            fields=[
                ('cluster', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='start_window', serialize=False, to='jobs.cluster')),
                ('size', models.FloatField()),
                ('usual_seconds', models.FloatField(null=True)),
                ('slow_share', models.FloatField(default=0.0)),
                ('cut_at', models.FloatField(null=True)),
                ('judged_at', models.FloatField(default=0.0)),
                ('claimed_at', models.FloatField(default=0.0)),
                ('jobs_wait', models.BooleanField(default=False)),
            ],
        ),
    ]
