"""Versions by a metric with ties in order, and one metric over the versions."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("registry", "0015_versions_of_an_author")]

    operations = [
        migrations.RemoveIndex(model_name="metric", name="versions_by_metric"),
        migrations.AddIndex(
            model_name="metric",
            index=models.Index(
                condition=Q(("latest", True)), fields=["model", "name", "value", "version"], name="ranks_by_metric"
            ),
        ),
        migrations.AddIndex(
            model_name="metric",
            index=models.Index(
                condition=Q(("latest", True)), fields=["model", "name", "version"], name="metric_over_versions"
            ),
        ),
    ]
